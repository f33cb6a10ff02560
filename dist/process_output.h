#ifndef CHARRNN_DIST_PROCESS_OUTPUT_H_
#define CHARRNN_DIST_PROCESS_OUTPUT_H_

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace charrnn {

// Makes whole lines of one of a process's outputs, which comes in pieces, so
// that the lines of several processes do not mix. Not thread safe.
//
//   ProcessOutput output("[alpha/1] ", [](absl::string_view line) {
//     std::cerr << line << "\n";
//   });
//   output.Append("step 1\nst");  // writes "[alpha/1] step 1"
//   output.Finish();              // writes "[alpha/1] st"
//
// A carriage return, with which a progress line begins or ends, ends a line
// too, if that is not empty. A line longer than kMaxLine bytes is written as
// several, none of which ends within a UTF-8 character. All other bytes are
// handed on as they are, and how the output was cut into pieces makes no
// difference.
class ProcessOutput {
 public:
  static constexpr size_t kMaxLine = 4096;

  // Takes a line with the prefix and without a line end.
  using LineSink = std::function<void(absl::string_view line)>;

  ProcessOutput(std::string prefix, LineSink sink)
      : prefix_(std::move(prefix)), sink_(std::move(sink)) {}

  // Takes the next piece, and writes the lines that are whole now.
  void Append(absl::string_view piece);

  // The output has ended: writes what was held back.
  void Finish();

  // The last line written that is more than spaces, without the prefix, of a
  // long one the first kMaxLine bytes; empty if there is none. Of stderr this
  // is what a program of ours says it failed of.
  const std::string& last_line() const { return last_line_; }

 private:
  // Takes more of a line; writes all but its last kMaxLine bytes.
  void Extend(absl::string_view text);
  void EndLine();
  // Writes the first `size` bytes of the line.
  void Write(size_t size);

  const std::string prefix_;
  const LineSink sink_;
  std::string line_;              // held back
  bool is_continuation_ = false;  // the line's beginning was written already
  bool after_return_ = false;     // the byte before was a carriage return
  std::string last_line_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_PROCESS_OUTPUT_H_
