#include "base/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

// The destination of log lines. Never destroyed: threads may log while the
// program exits. A std::mutex, because ThreadSanitizer sees its operations and
// not those of the system's abseil.
struct Destination {
  std::mutex mutex;
  LogSink sink;  // guarded by mutex; null: stderr
};

Destination& GetDestination() {
  static Destination* const destination = new Destination;
  return *destination;
}

absl::string_view Prefix(LogSeverity severity) {
  switch (severity) {
    case LogSeverity::kInfo:
      return "";
    case LogSeverity::kWarning:
      return "warning: ";
    case LogSeverity::kError:
      return "error: ";
  }
  return "";
}

}  // namespace

void SetLogSink(LogSink sink) {
  Destination& destination = GetDestination();
  std::lock_guard<std::mutex> lock(destination.mutex);
  // The swapped-out sink is destroyed after the lock is released: `sink` is a
  // parameter, and outlives it.
  std::swap(destination.sink, sink);
}

void WriteToStderr(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) text.remove_prefix(written);
  }
}

namespace internal {

LogMessage::LogMessage(LogSeverity severity) : severity_(severity) {
  stream_ << Prefix(severity);
}

LogMessage::~LogMessage() {
  std::string line = stream_.str();
  Destination& destination = GetDestination();
  std::lock_guard<std::mutex> lock(destination.mutex);
  if (destination.sink != nullptr) {
    destination.sink(severity_, line);
  } else {
    line.push_back('\n');
    WriteToStderr(line);
  }
}

CheckFailure::CheckFailure(const char* file, int line, const char* condition)
    : what_(absl::StrCat(file, ":", line, ": check failed: ", condition)) {}

CheckFailure::~CheckFailure() {
  const std::string message = stream_.str();
  WriteToStderr(
      absl::StrCat(what_, message.empty() ? "" : ": ", message, "\n"));
  std::abort();
}

}  // namespace internal
}  // namespace charrnn
