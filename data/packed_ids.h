// Ids as they are stored: one, two or four bytes each, the least significant
// one first, whichever suffices for their vocabulary.

#ifndef CHARRNN_DATA_PACKED_IDS_H_
#define CHARRNN_DATA_PACKED_IDS_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace charrnn {

// Bytes of an id of a vocabulary of `vocab_size` symbols: 1, 2 or 4.
int IdBytes(int vocab_size);

// Extends the CRC32C `crc` of ids, summed as 32-bit words, by those that
// `packed` holds, of `id_bytes` each: the same however they are stored.
uint32_t ExtendIdsCrc32c(uint32_t crc, absl::string_view packed, int id_bytes);

}  // namespace charrnn

#endif  // CHARRNN_DATA_PACKED_IDS_H_
