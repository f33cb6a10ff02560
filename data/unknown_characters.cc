#include "data/unknown_characters.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "data/utf8.h"

namespace charrnn {
namespace {

// So many are worth showing in a line.
constexpr size_t kMaxShown = 10;

}  // namespace

void UnknownCharacters::Add(char32_t character) {
  ++count_;
  Show(character);
}

void UnknownCharacters::Append(const UnknownCharacters& next) {
  count_ += next.count_;
  for (const char32_t character : next.first_) Show(character);
}

void UnknownCharacters::Show(char32_t character) {
  if (first_.size() < kMaxShown &&
      std::find(first_.begin(), first_.end(), character) == first_.end()) {
    first_.push_back(character);
  }
}

std::string UnknownCharacters::Shown() const {
  std::string text;
  for (const char32_t character : first_) {
    absl::StrAppend(&text, text.empty() ? "" : " ",
                    PrintableCharacter(character));
  }
  return text;
}

}  // namespace charrnn
