#include "data/symbol_counts.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "data/utf8.h"

namespace charrnn {

size_t SymbolCounts::Add(absl::string_view text) {
  // Nearly all characters of nearly all texts, found without looking whether
  // they have a page.
  Page& ascii = PageOf(0);
  const absl::Status status = DecodeUtf8(text, [&](char32_t c) {
    if (c < kPageSize) {
      ++ascii[c];
    } else {
      ++PageOf(c)[c % kPageSize];
    }
  });
  return status.ok() ? text.size() : WellFormedUtf8Prefix(text);
}

void SymbolCounts::Add(const SymbolCounts& other) {
  for (size_t i = 0; i < kNumPages; ++i) {
    if (other.pages_[i] == nullptr) continue;
    Page& page = PageOf(static_cast<char32_t>(i * kPageSize));
    for (size_t j = 0; j < kPageSize; ++j) page[j] += (*other.pages_[i])[j];
  }
}

int64_t SymbolCounts::total() const {
  int64_t total = 0;
  for (const std::unique_ptr<Page>& page : pages_) {
    if (page == nullptr) continue;
    total = std::accumulate(page->begin(), page->end(), total);
  }
  return total;
}

std::vector<char32_t> SymbolCounts::AtLeast(int64_t min_count) const {
  std::vector<char32_t> characters;
  for (size_t i = 0; i < kNumPages; ++i) {
    if (pages_[i] == nullptr) continue;
    for (size_t j = 0; j < kPageSize; ++j) {
      if ((*pages_[i])[j] < min_count) continue;
      characters.push_back(static_cast<char32_t>(i * kPageSize + j));
    }
  }
  return characters;
}

}  // namespace charrnn
