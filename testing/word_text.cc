#include "testing/word_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

// Knuth's linear congruential generator for MMIX; its high bits are the good
// ones.
class Generator {
 public:
  // Below `end`, which is at most 2^32.
  uint64_t Below(uint64_t end) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return ((state_ >> 32) * end) >> 32;
  }

 private:
  uint64_t state_ = 1;
};

}  // namespace

std::vector<std::string> SyntheticWords(int count) {
  Generator generator;
  std::vector<std::string> words(count);
  for (std::string& word : words) {
    word.resize(2 + generator.Below(8));
    for (char& letter : word) {
      letter = static_cast<char>('a' + generator.Below(26));
    }
  }
  return words;
}

absl::Status WriteWords(const std::string& path,
                        absl::Span<const std::string> words, int64_t bytes) {
  constexpr size_t kBlockBytes = size_t{1} << 20;
  constexpr int kWordsOfLine = 12;
  CHARRNN_CHECK(!words.empty());
  CHARRNN_ASSIGN_OR_RETURN(const auto file, FileSystem::Real()->OpenForWrite(
                                                path, WriteMode::kTruncate));
  Generator generator;
  std::string block;
  for (int64_t left = bytes, word = 0; left > 0;) {
    const size_t block_bytes =
        std::min<int64_t>(left, static_cast<int64_t>(kBlockBytes));
    block.clear();
    while (block.size() < block_bytes) {
      block += words[generator.Below(words.size())];
      block += ++word % kWordsOfLine == 0 ? '\n' : ' ';
    }
    CHARRNN_RETURN_IF_ERROR(file->Append(block));
    left -= static_cast<int64_t>(block.size());
  }
  return file->Close();
}

}  // namespace charrnn
