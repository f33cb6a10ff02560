#include "model/kernels/amx_tile.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "hwy/base.h"

namespace charrnn {
namespace {

// Number of the state that tiles are, for which a process has to ask its kernel
// (Linux, Documentation/arch/x86/xstate.rst).
constexpr int kTileData = 18;
constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM

bool CpuHasAmx() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned kTile = 1U << 24;
  constexpr unsigned kBf16 = 1U << 22;
  return (edx & kTile) != 0 && (edx & kBf16) != 0;
}

// What `ldtilecfg` reads: how many rows, and bytes a row, each of the eight
// tiles has (Intel's manual of the architecture, volume 1, chapter 18).
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  constexpr void Set(int tile, int tile_rows, int elements) {
    rows[tile] = static_cast<uint8_t>(tile_rows);
    row_bytes[tile] = static_cast<uint16_t>(elements * 4);
  }
};
static_assert(sizeof(TileConfig) == 64);

// Tiles 0 to 3 are sums, a block each. What is left of a sum behind its last
// whole tiles has tiles of its own, since a tile's shape is set beforehand.
constexpr int kLeft = 4;
constexpr int kLeftTail = 5;
constexpr int kRight = 6;
constexpr int kRightTail = 7;

constexpr int kElements = 16;  // of 32 bits, in a row of a tile
constexpr int64_t kRowBytes = 64;

constexpr TileConfig MakeConfig(int rows, int tail) {
  TileConfig config;
  for (int block = 0; block < kAmxBlocks; ++block) {
    config.Set(block, rows, kElements);
  }
  config.Set(kLeft, rows, kElements);
  config.Set(kRight, kElements, kElements);
  if (tail > 0) {
    config.Set(kLeftTail, rows, tail);
    config.Set(kRightTail, tail, kElements);
  }
  return config;
}

// All of them, for one that is made on the way is read before its bytes have
// come together.
struct TileConfigs {
  TileConfig of[kAmxRows + 1][kElements];  // rows, tail
};

constexpr TileConfigs MakeConfigs() {
  TileConfigs configs;
  for (int rows = 1; rows <= kAmxRows; ++rows) {
    for (int tail = 0; tail < kElements; ++tail) {
      configs.of[rows][tail] = MakeConfig(rows, tail);
    }
  }
  return configs;
}

constexpr TileConfigs kConfigs = MakeConfigs();

struct ThreadTiles {
  int scopes = 0;
  const TileConfig* config = nullptr;  // null: none
};
thread_local ThreadTiles thread_tiles;

}  // namespace
}  // namespace charrnn

HWY_PUSH_ATTRIBUTES("amx-tile,amx-bf16")
namespace charrnn {
namespace {

// The instructions themselves, for the compilers' intrinsics differ in what
// they take for a constant. All name memory, which they read behind the
// compiler's back.
inline void Configure(const TileConfig& config) {
  asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
}
inline void Release() { asm volatile("tilerelease" : : : "memory"); }
template <int kTile>
inline void LoadTile(const char* from, int64_t stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0"
               :
               : "i"(kTile), "r"(from), "r"(stride)
               : "memory");
}
template <int kTile>
inline void StoreTile(char* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)"
               :
               : "i"(kTile), "r"(to), "r"(stride)
               : "memory");
}
template <int kSum, int kA, int kB>
inline void AddProduct() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0"
               :
               : "i"(kSum), "i"(kA), "i"(kB)
               : "memory");
}

// One row of tiles of the right factor, times one tile of the left one.
template <int kBlocks, int kA, int kB, int kBlock = 0>
inline void AddBlocks(const char* b, int64_t stride) {
  if constexpr (kBlock < kBlocks) {
    LoadTile<kB>(b + kBlock * kRowBytes, stride);
    AddProduct<kBlock, kA, kB>();
    AddBlocks<kBlocks, kA, kB, kBlock + 1>(b, stride);
  }
}

template <int kBlocks, int kBlock = 0>
inline void ClearSums() {
  if constexpr (kBlock < kBlocks) {
    asm volatile("tilezero %%tmm%c0" : : "i"(kBlock));
    ClearSums<kBlocks, kBlock + 1>();
  }
}

template <int kBlocks, int kBlock = 0>
inline void LoadSums(const char* tile, int64_t stride) {
  if constexpr (kBlock < kBlocks) {
    LoadTile<kBlock>(tile + kBlock * kRowBytes, stride);
    LoadSums<kBlocks, kBlock + 1>(tile, stride);
  }
}

template <int kBlocks, int kBlock = 0>
inline void StoreSums(char* tile, int64_t stride) {
  if constexpr (kBlock < kBlocks) {
    StoreTile<kBlock>(tile + kBlock * kRowBytes, stride);
    StoreSums<kBlocks, kBlock + 1>(tile, stride);
  }
}

template <int kBlocks>
void Add(const AmxProduct& p) {
  constexpr int64_t kStride = kBlocks * kRowBytes;
  constexpr auto kElementBytes = static_cast<int64_t>(sizeof(float));
  const int64_t left_stride = p.row_stride * kElementBytes;
  const int64_t sum_stride = p.sum_stride * kElementBytes;
  const auto* a = reinterpret_cast<const char*>(p.a);
  const auto* b = reinterpret_cast<const char*>(p.b);
  auto* const sums = reinterpret_cast<char*>(p.sums);
  if (p.from_zero) {
    ClearSums<kBlocks>();
  } else {
    LoadSums<kBlocks>(sums, sum_stride);
  }
  for (int64_t i = 0; i + kElements <= p.n; i += kElements) {
    LoadTile<kLeft>(a, left_stride);
    AddBlocks<kBlocks, kLeft, kRight>(b, kStride);
    a += kRowBytes;
    b += kElements * kStride;
  }
  if (p.n % kElements > 0) {
    LoadTile<kLeftTail>(a, left_stride);
    AddBlocks<kBlocks, kLeftTail, kRightTail>(b, kStride);
  }
  StoreSums<kBlocks>(sums, sum_stride);
}

}  // namespace

AmxScope::AmxScope() { ++thread_tiles.scopes; }

AmxScope::~AmxScope() {
  if (--thread_tiles.scopes > 0 || thread_tiles.config == nullptr) return;
  Release();
  thread_tiles.config = nullptr;
}

void AddAmxProduct(const AmxProduct& product) {
  const AmxScope scope;
  const TileConfig& config = kConfigs.of[product.rows][product.n % kElements];
  if (thread_tiles.config != &config) {
    Configure(config);
    thread_tiles.config = &config;
  }
  switch (product.blocks) {
    case 1:
      Add<1>(product);
      break;
    case 2:
      Add<2>(product);
      break;
    case 3:
      Add<3>(product);
      break;
    case 4:
      Add<4>(product);
      break;
    default:
      break;
  }
}

}  // namespace charrnn
HWY_POP_ATTRIBUTES

namespace charrnn {

bool HasAmx() {
  static const bool has =
      CpuHasAmx() &&
      syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return has;
}

}  // namespace charrnn
