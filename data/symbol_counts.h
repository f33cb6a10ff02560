#ifndef CHARRNN_DATA_SYMBOL_COUNTS_H_
#define CHARRNN_DATA_SYMBOL_COUNTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

namespace charrnn {

// How often each character occurs in a text of UTF-8. Takes memory for the
// neighbourhoods of those that occur only: Latin text 8 KB, Chinese a few
// hundred. Not thread-safe.
class SymbolCounts {
 public:
  // Counts the characters of `text`. Returns how many of its bytes are
  // well-formed, which is all of them unless it is not UTF-8; what was counted
  // then is of no use.
  size_t Add(absl::string_view text);

  // Counts what `other` has counted.
  void Add(const SymbolCounts& other);

  // The number of characters.
  int64_t total() const;

  // The characters that occur at least `min_count` times, in ascending order;
  // `min_count` is at least 1.
  std::vector<char32_t> AtLeast(int64_t min_count) const;

 private:
  static constexpr size_t kPageSize = 1024;
  static constexpr size_t kNumPages = 0x110000 / kPageSize;
  using Page = std::array<int64_t, kPageSize>;

  Page& PageOf(char32_t character) {
    std::unique_ptr<Page>& page = pages_[character / kPageSize];
    if (page == nullptr) page = std::make_unique<Page>();
    return *page;
  }

  std::array<std::unique_ptr<Page>, kNumPages> pages_;
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_SYMBOL_COUNTS_H_
