#ifndef CHARRNN_DATA_UNKNOWN_CHARACTERS_H_
#define CHARRNN_DATA_UNKNOWN_CHARACTERS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace charrnn {

// The characters of a text that a vocabulary lacks: how many, and the first
// ten different ones to show. A value.
class UnknownCharacters {
 public:
  // One more, behind all others.
  void Add(char32_t character);

  // Those of the text that follows.
  void Append(const UnknownCharacters& next);

  int64_t count() const { return count_; }

  // In printable form with blanks between: "é U+202E x".
  std::string Shown() const;

 private:
  void Show(char32_t character);

  int64_t count_ = 0;
  std::vector<char32_t> first_;  // different ones
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_UNKNOWN_CHARACTERS_H_
