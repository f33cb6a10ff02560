#include "data/utf8_assembler.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "data/utf8.h"

namespace charrnn {
namespace {

constexpr char32_t kReplacement = U'\uFFFD';

// The length of what `text` begins with, where no well-formed character stands:
// the first bytes of one, at most three; 0 if no character begins like that.
size_t LengthBegun(absl::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0xC2 || lead > 0xF4) return 0;
  for (size_t length = std::min<size_t>(text.size(), 3); length > 1; --length) {
    // Only the second byte depends on the lead; these do for all behind it.
    std::string completed(text.substr(0, length));
    completed.append("\x80\x80");
    if (FirstUtf8Character(completed).length > 0) return length;
  }
  return 1;
}

}  // namespace

std::string Utf8Assembler::Push(absl::string_view bytes) {
  begun_.append(bytes.data(), bytes.size());
  std::string text;
  absl::string_view rest = begun_;
  while (!rest.empty()) {
    size_t length = FirstUtf8Character(rest).length;
    if (length > 0) {
      text.append(rest.data(), length);
    } else {
      length = LengthBegun(rest);
      if (length == rest.size()) break;  // What follows will decide.
      length = std::max<size_t>(length, 1);
      AppendUtf8(kReplacement, &text);
    }
    rest.remove_prefix(length);
  }
  begun_.erase(0, begun_.size() - rest.size());
  return text;
}

}  // namespace charrnn
