#include "data/packed_ids.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "absl/strings/string_view.h"
#include "base/crc32c.h"

namespace charrnn {
namespace {

// Packed bytes that are widened at once: few enough for the words that they
// become to stay in the first-level cache.
constexpr size_t kPieceBytes = 4096;

// The checksum of a piece of ids of the type `Id`.
template <typename Id>
uint32_t ExtendByWords(uint32_t crc, absl::string_view piece) {
  constexpr size_t kMost = kPieceBytes / sizeof(Id);
  std::array<Id, kMost> ids{};
  std::array<uint32_t, kMost> words;
  std::memcpy(ids.data(), piece.data(), piece.size());
  // All of them, whatever they are: a fixed number is what compilers like.
  for (size_t i = 0; i < kMost; ++i) words[i] = ids[i];
  // In memory as the machine has them: x86-64 is little-endian.
  return ExtendCrc32c(
      crc, absl::string_view(reinterpret_cast<const char*>(words.data()),
                             piece.size() / sizeof(Id) * sizeof(words[0])));
}

}  // namespace

int IdBytes(int vocab_size) {
  const int greatest = vocab_size - 1;
  if (greatest <= std::numeric_limits<uint8_t>::max()) return 1;
  if (greatest <= std::numeric_limits<uint16_t>::max()) return 2;
  return 4;
}

uint32_t ExtendIdsCrc32c(uint32_t crc, absl::string_view packed, int id_bytes) {
  if (id_bytes == sizeof(uint32_t)) return ExtendCrc32c(crc, packed);
  for (size_t at = 0; at < packed.size(); at += kPieceBytes) {
    const absl::string_view piece = packed.substr(at, kPieceBytes);
    crc = id_bytes == 1 ? ExtendByWords<uint8_t>(crc, piece)
                        : ExtendByWords<uint16_t>(crc, piece);
  }
  return crc;
}

}  // namespace charrnn
