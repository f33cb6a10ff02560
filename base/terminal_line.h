#ifndef CHARRNN_BASE_TERMINAL_LINE_H_
#define CHARRNN_BASE_TERMINAL_LINE_H_

#include <functional>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

// What a program says about its progress. On a terminal one line at the bottom
// is drawn again and again in its place, cut to the terminal's width, while
// other lines scroll by above it. Elsewhere there are only the others.
//
// While it lives on a terminal it is the sink of base/log. Thread-safe.
//
//   TerminalLine line(TerminalLine::ToStderr());
//   line.Draw("34%");
//   CHARRNN_LOG(INFO) << "stands above";
//   line.Draw("35%");
class TerminalLine {
 public:
  struct Options {
    // Takes whole pieces of output, escape sequences included.
    std::function<void(absl::string_view)> write;
    bool is_terminal = false;
    // The terminal's width in columns, asked for at each drawing because
    // windows change their size.
    std::function<int()> width = [] { return 80; };
  };

  // Writes to stderr, which is a terminal or not.
  static Options ToStderr();

  explicit TerminalLine(Options options);
  // Leaves what was drawn last, with the cursor below it.
  ~TerminalLine();
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;

  bool is_terminal() const { return options_.is_terminal; }

  // Makes `line` the one at the bottom, on a terminal.
  void Draw(std::string line);

  // Writes `lines`, each with its newline, for good, above the one at the
  // bottom.
  void Print(absl::string_view lines);

  // Leaves what was drawn last where it is; nothing is at the bottom then.
  void Leave();

 private:
  const Options options_;
  std::mutex mutex_;  // guards line_ and the order of writes
  std::string line_;  // at the bottom of the screen; empty: none
};

}  // namespace charrnn

#endif  // CHARRNN_BASE_TERMINAL_LINE_H_
