#ifndef CHARRNN_BASE_LITTLE_ENDIAN_H_
#define CHARRNN_BASE_LITTLE_ENDIAN_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace charrnn {

// The number that `bytes`, at most eight, are with the least significant first;
// 0 for none.
uint64_t LittleEndian(absl::string_view bytes);

// Appends the `size` lowest bytes of `value`, the least significant first.
void AppendLittleEndian(uint64_t value, int size, std::string* out);

}  // namespace charrnn

#endif  // CHARRNN_BASE_LITTLE_ENDIAN_H_
