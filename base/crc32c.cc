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

// The instruction has its result after three cycles, and could begin each
// cycle: three lanes side by side are as fast as it gets.
constexpr size_t kLaneBytes = 1024;

// Table k takes byte k of a register to what it becomes when kLaneBytes zero
// bytes follow; what a register becomes is the sum (xor) of its bytes' parts.
constexpr std::array<Table, 4> MakeLaneTables() {
  // What each single bit becomes: sums make the rest.
  std::array<uint32_t, 32> bits{};
  for (int bit = 0; bit < 32; ++bit) {
    uint32_t crc = uint32_t{1} << bit;
    for (size_t i = 0; i < kLaneBytes; ++i) {
      crc = crc >> 8 ^ kTables[0][crc & 0xFF];
    }
    bits[bit] = crc;
  }
  std::array<Table, 4> tables{};
  for (size_t k = 0; k < tables.size(); ++k) {
    for (uint32_t byte = 1; byte < 256; ++byte) {
      const uint32_t rest = byte & (byte - 1);
      int lowest = 0;
      while ((byte >> lowest & 1) == 0) ++lowest;
      tables[k][byte] = tables[k][rest] ^ bits[8 * k + lowest];
    }
  }
  return tables;
}

constexpr std::array<Table, 4> kLaneTables = MakeLaneTables();

// The register `state` after kLaneBytes zero bytes.
uint32_t ShiftByLane(uint64_t state) {
  return kLaneTables[0][state & 0xFF] ^ kLaneTables[1][state >> 8 & 0xFF] ^
         kLaneTables[2][state >> 16 & 0xFF] ^ kLaneTables[3][state >> 24];
}

// The register after three lanes of `data`, which has as many.
__attribute__((target("sse4.2"))) uint64_t ExtendByLanes(uint64_t state,
                                                         const char* data) {
  absl::string_view first(data, kLaneBytes);
  absl::string_view second(data + kLaneBytes, kLaneBytes);
  absl::string_view third(data + 2 * kLaneBytes, kLaneBytes);
  uint64_t second_state = 0;
  uint64_t third_state = 0;
  while (!first.empty()) {
    state = _mm_crc32_u64(state, TakeWord(first));
    second_state = _mm_crc32_u64(second_state, TakeWord(second));
    third_state = _mm_crc32_u64(third_state, TakeWord(third));
  }
  return ShiftByLane(ShiftByLane(state) ^ second_state) ^ third_state;
}

__attribute__((target("sse4.2"))) uint32_t
ExtendCrc32cSse42(uint32_t crc, absl::string_view data) {
  uint64_t state = ~crc;
  while (data.size() >= 3 * kLaneBytes) {
    state = ExtendByLanes(state, data.data());
    data.remove_prefix(3 * kLaneBytes);
  }
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
