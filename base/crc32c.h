#ifndef CHARRNN_BASE_CRC32C_H_
#define CHARRNN_BASE_CRC32C_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace charrnn {

// CRC32C of RFC 3720: the Castagnoli polynomial 0x1EDC6F41, reflected, with
// all bits of the register inverted before and after. Uses the processor's
// instruction where it has one; the value is the same everywhere.

// The checksum of `crc`'s text followed by `data`. The empty text's is 0.
uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data);

// The checksum of `data`.
inline uint32_t Crc32c(absl::string_view data) { return ExtendCrc32c(0, data); }

namespace internal {

// ExtendCrc32c without the processor's instruction, so that a test on any
// machine reaches it.
uint32_t ExtendCrc32cPortable(uint32_t crc, absl::string_view data);

}  // namespace internal
}  // namespace charrnn

#endif  // CHARRNN_BASE_CRC32C_H_
