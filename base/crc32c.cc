#include "base/crc32c.h"

#include <nmmintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

// 0x1EDC6F41 with its bits in reverse order.
constexpr uint32_t kPolynomial = 0x82F63B78;

using Table = std::array<uint32_t, 256>;

// Table k takes a byte to what it makes of the register when k zero bytes
// follow it, so that eight bytes need eight independent look-ups instead of
// eight in a row ("slicing by 8": Kounavis and Berry, "A systematic approach to
// building high performance software-based CRC generators", ISCC 2005).
constexpr std::array<Table, 8> MakeTables() {
  std::array<Table, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ (crc & 1 ? kPolynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = crc >> 8 ^ tables[0][crc & 0xFF];
    }
  }
  return tables;
}

constexpr std::array<Table, 8> kTables = MakeTables();

// Takes eight bytes, the first one lowest, off the front of `data`.
uint64_t TakeWord(absl::string_view& data) {
  uint64_t word;
  std::memcpy(&word, data.data(), sizeof(word));
  data.remove_prefix(sizeof(word));
  return word;
}

__attribute__((target("sse4.2"))) uint32_t
ExtendCrc32cSse42(uint32_t crc, absl::string_view data) {
  uint64_t state = ~crc;
  while (data.size() >= sizeof(uint64_t)) {
    state = _mm_crc32_u64(state, TakeWord(data));
  }
  uint32_t tail = static_cast<uint32_t>(state);
  for (const char byte : data) {
    tail = _mm_crc32_u8(tail, static_cast<uint8_t>(byte));
  }
  return ~tail;
}

}  // namespace

namespace internal {

uint32_t ExtendCrc32cPortable(uint32_t crc, absl::string_view data) {
  uint32_t state = ~crc;
  while (data.size() >= sizeof(uint64_t)) {
    const uint64_t word = TakeWord(data) ^ state;
    state = 0;
    for (int i = 0; i < 8; ++i) {
      state ^= kTables[7 - i][word >> 8 * i & 0xFF];
    }
  }
  for (const char byte : data) {
    state =
        state >> 8 ^ kTables[0][(state ^ static_cast<uint8_t>(byte)) & 0xFF];
  }
  return ~state;
}

}  // namespace internal

uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data) {
  static const auto extend = __builtin_cpu_supports("sse4.2")
                                 ? &ExtendCrc32cSse42
                                 : &internal::ExtendCrc32cPortable;
  return extend(crc, data);
}

}  // namespace charrnn
