#ifndef CHARRNN_DATA_UTF8_ASSEMBLER_H_
#define CHARRNN_DATA_UTF8_ASSEMBLER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

// Makes UTF-8 of bytes that come piece by piece, as a model of bytes writes
// them. Bytes are held back until their character is whole, and ill-formed
// sequences become U+FFFD, one for each maximal subpart (Unicode Standard,
// chapter 3, "U+FFFD Substitution of Maximal Subparts"). What is well-formed
// comes out as it is, and how the bytes are cut into pieces has no influence.
// A character that is still incomplete at the end never comes out.
//
//   Utf8Assembler text;
//   text.Push("a\xC3");     // "a"
//   text.Push("\xA9\xFF");  // "é" and U+FFFD
class Utf8Assembler {
 public:
  // Takes the next bytes, of any number, and returns what is certain now.
  std::string Push(absl::string_view bytes);

 private:
  std::string begun_;  // the beginning of a character: at most three bytes
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_UTF8_ASSEMBLER_H_
