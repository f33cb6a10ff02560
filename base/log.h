#ifndef CHARRNN_BASE_LOG_H_
#define CHARRNN_BASE_LOG_H_

#include <functional>
#include <ostream>
#include <sstream>
#include <string>

#include "absl/strings/string_view.h"

// Writes one line for a person to stderr, at INFO, WARNING or ERROR:
//
//   CHARRNN_LOG(WARNING) << path << ": skipped, it is empty";
//
// prints "warning: data.txt: skipped, it is empty". INFO lines have no prefix,
// ERROR lines "error: ". A line leaves in a single write(2), so lines of
// several threads and processes do not mix. Thread-safe.
#define CHARRNN_LOG(severity) \
  ::charrnn::internal::LogMessage(CHARRNN_INTERNAL_LOG_##severity).stream()

// Ends the program unless `condition` holds: for errors of the programmer, not
// of the user or the machine, which are an absl::Status.
//
//   CHARRNN_CHECK(offset < size()) << "offset " << offset;
//
// prints "model/x.cc:17: check failed: offset < size(): offset 9" and aborts.
#define CHARRNN_CHECK(condition)                                              \
  __builtin_expect(static_cast<bool>(condition), true)                        \
      ? static_cast<void>(0)                                                  \
      : ::charrnn::internal::Voidify() &                                      \
            ::charrnn::internal::CheckFailure(__FILE__, __LINE__, #condition) \
                .stream()

namespace charrnn {

enum class LogSeverity { kInfo, kWarning, kError };

// Takes a finished line, prefix included, without the newline at its end.
using LogSink = std::function<void(LogSeverity, absl::string_view line)>;

// Sends the lines of CHARRNN_LOG to `sink` instead of stderr, so that a
// progress line can make room for them; nullptr restores stderr. Calls of the
// sink never overlap, and none is under way once SetLogSink has returned. The
// sink must neither log nor set a sink. Failed checks go to stderr whatever the
// sink.
void SetLogSink(LogSink sink);

// Writes all of `text` to stderr as it is. What stderr does not take is lost:
// there is nowhere left to say so.
void WriteToStderr(absl::string_view text);

namespace internal {

// Collects one log line; its destructor hands it out.
class LogMessage {
 public:
  explicit LogMessage(LogSeverity severity);
  ~LogMessage();
  LogMessage(const LogMessage&) = delete;
  LogMessage& operator=(const LogMessage&) = delete;

  std::ostream& stream() { return stream_; }

 private:
  const LogSeverity severity_;
  std::ostringstream stream_;
};

// Collects what is said about a failed check; its destructor aborts.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  [[noreturn]] ~CheckFailure();
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;

  std::ostream& stream() { return stream_; }

 private:
  const std::string what_;
  std::ostringstream stream_;
};

// Makes both arms of CHARRNN_CHECK void: & binds weaker than <<, and tighter
// than ?:.
struct Voidify {
  void operator&(std::ostream&) const {}
};

}  // namespace internal
}  // namespace charrnn

#define CHARRNN_INTERNAL_LOG_INFO ::charrnn::LogSeverity::kInfo
#define CHARRNN_INTERNAL_LOG_WARNING ::charrnn::LogSeverity::kWarning
#define CHARRNN_INTERNAL_LOG_ERROR ::charrnn::LogSeverity::kError

#endif  // CHARRNN_BASE_LOG_H_
