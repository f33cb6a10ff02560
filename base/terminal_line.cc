#include "base/terminal_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/log.h"

namespace charrnn {
namespace {

// Back to the line's beginning, and all behind it erased (ECMA-48, EL).
constexpr absl::string_view kClearLine = "\r\x1b[K";

int StderrWidth() {
  winsize size;
  const bool known =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

TerminalLine::Options TerminalLine::ToStderr() {
  Options options;
  options.write = WriteToStderr;
  options.is_terminal = isatty(STDERR_FILENO) == 1;
  options.width = StderrWidth;
  return options;
}

TerminalLine::TerminalLine(Options options) : options_(std::move(options)) {
  if (!options_.is_terminal) return;
  SetLogSink([this](LogSeverity, absl::string_view line) {
    Print(absl::StrCat(line, "\n"));
  });
}

TerminalLine::~TerminalLine() {
  if (options_.is_terminal) SetLogSink(nullptr);
  Leave();
}

void TerminalLine::Draw(std::string line) {
  if (!options_.is_terminal) return;
  // A character in the last column makes some terminals begin a new line.
  const int columns = options_.width() - 1;
  if (columns > 0) line = line.substr(0, columns);
  const std::lock_guard<std::mutex> lock(mutex_);
  line_ = std::move(line);
  options_.write(absl::StrCat(kClearLine, line_));
}

void TerminalLine::Print(absl::string_view lines) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (line_.empty()) {
    options_.write(lines);
  } else {
    options_.write(absl::StrCat(kClearLine, lines, line_));
  }
}

void TerminalLine::Leave() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!line_.empty()) options_.write("\n");
  line_.clear();
}

}  // namespace charrnn
