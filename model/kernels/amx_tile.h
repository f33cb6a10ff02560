#ifndef CHARRNN_MODEL_KERNELS_AMX_TILE_H_
#define CHARRNN_MODEL_KERNELS_AMX_TILE_H_

#include <cstdint>

namespace charrnn {

// Products of bf16 numbers by AMX, whose registers are tiles of 16 rows of 64
// bytes.
//
// Measured (Intel Emerald Rapids, one thread, a neighbour on the same core
// now and then): 1,000 to 2,700 GFLOP/s, where `vdpbf16ps` comes to 89.

// Whether this machine's CPU and its operating system have AMX with bf16, and
// let this process use it, for which the first call asks.
bool HasAmx();

// Numbers that are added up together: the even ones and the odd ones among
// them, each in ascending order from zero, then the two of them, and that to
// the sum (Intel's manual of the architecture, TDPBF16PS). So sums are the same
// only if they are cut at multiples of so many.
constexpr int64_t kAmxRun = 32;

// The most rows, and blocks of 16 columns, of a tile.
constexpr int kAmxRows = 16;
constexpr int kAmxBlocks = 4;

// While a thread has one, its tiles keep their shapes from one product to the
// next, which to set takes as long as half a product; nothing else may use them
// meanwhile. Any thread may, and scopes may stand in one another.
class AmxScope {
 public:
  AmxScope();
  ~AmxScope();
  AmxScope(const AmxScope&) = delete;
  AmxScope& operator=(const AmxScope&) = delete;
};

// Factors and sums. An element of the factors is a pair of numbers.
struct AmxProduct {
  int rows = 0;
  int blocks = 0;
  int64_t n = 0;             // elements along the sum
  const float* a = nullptr;  // element (row m, i) is at a[m * row_stride + i]
  int64_t row_stride = 0;
  const float* b = nullptr;  // [n][blocks * 16]
  float* sums = nullptr;     // rows of blocks * 16, `sum_stride` apart
  int64_t sum_stride = 0;
  bool from_zero = false;  // whatever `sums` has
};

// sums[m][column] += sum over i < n of the products of the pairs a(m, i) and
// b[i][column]. Denormal numbers count as zeros. Where HasAmx().
void AddAmxProduct(const AmxProduct& product);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_AMX_TILE_H_
