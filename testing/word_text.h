#ifndef CHARRNN_TESTING_WORD_TEXT_H_
#define CHARRNN_TESTING_WORD_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace charrnn {

// `count` words of two to nine small letters, the same at each call.
std::vector<std::string> SyntheticWords(int count);

// Makes the file `path`, about `bytes` long, of words with blanks between, in
// an order that never repeats and is the same at each call: a gigabyte in a
// few seconds. Possible errors: those of FileSystem.
absl::Status WriteWords(const std::string& path,
                        absl::Span<const std::string> words, int64_t bytes);

}  // namespace charrnn

#endif  // CHARRNN_TESTING_WORD_TEXT_H_
