#include "data/utf8.h"

#include <utf8.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace charrnn {

Utf8Character FirstUtf8Character(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  // Table 3-7: the lead byte gives the length and, for four of them, a
  // narrower range for the second byte. C0, C1 and F5 to FF lead nothing.
  if (lead < 0xC2 || lead > 0xF4) return {};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return {};
  const uint8_t second_min = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t second_max = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < second_min || byte(1) > second_max) return {};

  char32_t value = lead & (0x7F >> length);
  value = value << 6 | (byte(1) & 0x3F);
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  return {value, length};
}

size_t WellFormedUtf8Prefix(absl::string_view text) {
  size_t offset = 0;
  while (offset < text.size()) {
    const size_t length = FirstUtf8Character(text.substr(offset)).length;
    if (length == 0) break;
    offset += length;
  }
  return offset;
}

size_t UnfinishedUtf8Suffix(absl::string_view text) {
  constexpr size_t kMaxUnfinished = 3;
  for (size_t n = 1; n <= std::min(text.size(), kMaxUnfinished); ++n) {
    const auto byte = static_cast<uint8_t>(text[text.size() - n]);
    if ((byte & 0xC0) == 0x80) continue;  // A lead byte comes before it.
    const size_t length = byte < 0xC2   ? 1
                          : byte < 0xE0 ? 2
                          : byte < 0xF0 ? 3
                          : byte < 0xF5 ? 4
                                        : 1;
    return n < length ? n : 0;
  }
  return 0;
}

absl::Status IllFormedUtf8(int64_t offset, char byte) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "not UTF-8: ill-formed sequence at byte offset %d (0x%02X); convert the "
      "text",
      offset, static_cast<uint8_t>(byte)));
}

void AppendUtf8(char32_t code_point, std::string* text) {
  utf8::unchecked::append(code_point, std::back_inserter(*text));
}

std::string PrintableCharacter(char32_t code_point) {
  struct Range {
    char32_t first, last;
  };
  constexpr Range kUnprintable[] = {
      {0x0000, 0x0020},   {0x007F, 0x00A0}, {0x00AD, 0x00AD},
      {0x0300, 0x036F},   {0x061C, 0x061C}, {0x180E, 0x180E},
      {0x2000, 0x200F},   {0x2028, 0x202F}, {0x205F, 0x206F},
      {0x3000, 0x3000},   {0xE000, 0xF8FF}, {0xFE00, 0xFE0F},
      {0xFEFF, 0xFEFF},   {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF},
      {0xE0000, 0x10FFFF}};
  for (const Range& range : kUnprintable) {
    if (range.first <= code_point && code_point <= range.last) {
      return absl::StrFormat("U+%04X", static_cast<uint32_t>(code_point));
    }
  }
  std::string text;
  AppendUtf8(code_point, &text);
  return text;
}

}  // namespace charrnn
