// Strict UTF-8: what the Unicode Standard calls well-formed (chapter 3, table
// 3-7, "Well-Formed UTF-8 Byte Sequences"), and nothing else. Overlong forms,
// surrogates, code points above U+10FFFF, stray and missing continuation bytes
// are errors. A byte order mark is an ordinary character, U+FEFF.

#ifndef CHARRNN_DATA_UTF8_H_
#define CHARRNN_DATA_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// REPLACEMENT CHARACTER, which stands for what cannot be shown or is unknown.
inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// A character of a text, and how many bytes it takes there.
struct Utf8Character {
  char32_t code_point = 0;
  size_t length = 0;
};

// The character that `text` (not empty) begins with; its length is 0 if no
// well-formed one stands there.
Utf8Character FirstUtf8Character(absl::string_view text);

// How many bytes of `text` stand before its first ill-formed sequence.
size_t WellFormedUtf8Prefix(absl::string_view text);

// How many bytes at the end of `text` begin a character that what follows may
// complete: at most 3.
size_t UnfinishedUtf8Suffix(absl::string_view text);

// The error for an ill-formed sequence that begins with `byte` at `offset`.
absl::Status IllFormedUtf8(int64_t offset, char byte);

// Calls `visit(char32_t)` for each code point of `text`, in order. A template,
// not a function pointer, so that the visitor is inlined into the loop.
//
// Possible errors:
//   kInvalidArgument: `text` is ill-formed; names the offset and value of the
//     first byte of the first ill-formed sequence. What stands before it has
//     been visited.
//
//   std::u32string code_points;
//   absl::Status status = DecodeUtf8(
//       text, [&](char32_t c) { code_points.push_back(c); });
template <typename Visitor>
absl::Status DecodeUtf8(absl::string_view text, Visitor visit) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  size_t offset = 0;
  while (offset < text.size()) {
    uint64_t word = kHighBits;
    if (text.size() - offset >= sizeof(word)) {
      std::memcpy(&word, text.data() + offset, sizeof(word));
    }
    if ((word & kHighBits) == 0) {  // Eight ASCII characters at once.
      for (size_t i = 0; i < sizeof(word); ++i) {
        visit(static_cast<char32_t>(text[offset + i]));
      }
      offset += sizeof(word);
      continue;
    }
    const Utf8Character next = FirstUtf8Character(text.substr(offset));
    if (next.length == 0) return IllFormedUtf8(offset, text[offset]);
    visit(next.code_point);
    offset += next.length;
  }
  return absl::OkStatus();
}

// Appends the UTF-8 form of `code_point`, a Unicode scalar value (at most
// U+10FFFF and no surrogate), to `text`.
void AppendUtf8(char32_t code_point, std::string* text);

// How a message shows `code_point`: the character itself, or "U+202E" where it
// is invisible or would disturb a terminal (controls, blanks, combining marks,
// direction marks, private use).
std::string PrintableCharacter(char32_t code_point);

}  // namespace charrnn

#endif  // CHARRNN_DATA_UTF8_H_
