#include "dist/process_output.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

// How much of `text`, which is longer than `limit`, ends with a whole UTF-8
// character; `limit` if that is no UTF-8.
size_t CutPlace(absl::string_view text, size_t limit) {
  const auto continues = [](char byte) { return (byte & 0xc0) == 0x80; };
  size_t place = limit;
  // A character has three such bytes at most.
  while (place + 3 > limit && continues(text[place])) --place;
  return continues(text[place]) ? limit : place;
}

}  // namespace

void ProcessOutput::Append(absl::string_view piece) {
  while (!piece.empty()) {
    const size_t size = std::min(piece.find_first_of("\r\n"), piece.size());
    if (size > 0) {
      Extend(piece.substr(0, size));
      after_return_ = false;
      piece.remove_prefix(size);
      continue;
    }
    // The second byte of "\r\n" ends nothing more.
    const bool is_return = piece.front() == '\r';
    const bool is_empty = line_.empty() && !is_continuation_;
    if (!is_empty || !(is_return || after_return_)) EndLine();
    after_return_ = is_return;
    piece.remove_prefix(1);
  }
}

void ProcessOutput::Finish() {
  if (!line_.empty()) EndLine();
  is_continuation_ = false;
  after_return_ = false;
}

void ProcessOutput::Extend(absl::string_view text) {
  line_.append(text.data(), text.size());
  while (line_.size() > kMaxLine) {
    Write(CutPlace(line_, kMaxLine));
    is_continuation_ = true;
  }
}

void ProcessOutput::EndLine() {
  Write(line_.size());
  is_continuation_ = false;
}

void ProcessOutput::Write(size_t size) {
  const absl::string_view text = absl::string_view(line_).substr(0, size);
  if (!is_continuation_ && !absl::StripAsciiWhitespace(text).empty()) {
    last_line_ = std::string(text);
  }
  sink_(absl::StrCat(prefix_, text));
  line_.erase(0, size);
}

}  // namespace charrnn
