// Measures how many floating-point operations a second this machine's vector
// units reach, as the bound that no kernel passes: registers only, no memory.
//
//   peak THREADS MILLISECONDS
//
// prints "fp32 GFLOPS" and "bf16 GFLOPS", all threads together; a multiply-add
// counts as two, and where the CPU has no instruction for it, 0 is printed.

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/kernels/amx_tile.h"

namespace charrnn {
namespace {

// Sums side by side: more than a multiply-add's latency times the units that a
// core has (4 * 2), and with both factors no more than there are registers.
constexpr int kSums512 = 24;
constexpr int kSums256 = 12;

// Loops of a single call, some microseconds: the clock's reading is nothing
// beside it, and an interruption spoils few.
constexpr int64_t kLoops = 10'000;

// Each returns the operations that it has done.
using Burst = int64_t (*)();

// Keeps the compiler from knowing what is in `value`, so that it neither leaves
// out what nobody reads nor does for one sum what it needs for all.
template <typename Vector>
__attribute__((target("avx512f"))) inline void Keep512(Vector& value) {
  asm volatile("" : "+v"(value));
}
__attribute__((target("avx2"))) inline void Keep256(__m256& value) {
  asm volatile("" : "+x"(value));
}

__attribute__((target("avx512f"))) int64_t Fp32Avx512() {
  __m512 sums[kSums512] = {};
  __m512 a = _mm512_set1_ps(0.5F);
  Keep512(a);
#pragma GCC unroll 24
  for (auto& sum : sums) Keep512(sum);
  for (int64_t loop = 0; loop < kLoops; ++loop) {
#pragma GCC unroll 24
    for (auto& sum : sums) sum = _mm512_fmadd_ps(a, a, sum);
  }
#pragma GCC unroll 24
  for (auto& sum : sums) Keep512(sum);
  return kLoops * kSums512 * 16 * 2;
}

__attribute__((target("avx2,fma"))) int64_t Fp32Avx2() {
  __m256 sums[kSums256] = {};
  __m256 a = _mm256_set1_ps(0.5F);
  Keep256(a);
#pragma GCC unroll 12
  for (auto& sum : sums) Keep256(sum);
  for (int64_t loop = 0; loop < kLoops; ++loop) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm256_fmadd_ps(a, a, sum);
  }
#pragma GCC unroll 12
  for (auto& sum : sums) Keep256(sum);
  return kLoops * kSums256 * 8 * 2;
}

__attribute__((target("avx512f,avx512bf16"))) int64_t Bf16Avx512() {
  __m512 sums[kSums512] = {};
  auto a = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f00));  // 0.5
  Keep512(a);
#pragma GCC unroll 24
  for (auto& sum : sums) Keep512(sum);
  for (int64_t loop = 0; loop < kLoops; ++loop) {
#pragma GCC unroll 24
    for (auto& sum : sums) sum = _mm512_dpbf16_ps(sum, a, a);
  }
#pragma GCC unroll 24
  for (auto& sum : sums) Keep512(sum);
  return kLoops * kSums512 * 32 * 2;
}

// With four sums side by side, each factor being used twice.
__attribute__((target("amx-tile,amx-bf16"))) int64_t Bf16Amx() {
  // Eight tiles of 16 rows of 64 bytes, full of zeros.
  alignas(64) uint8_t shapes[64] = {1};
  for (int tile = 0; tile < 8; ++tile) {
    shapes[16 + 2 * tile] = 64;
    shapes[48 + tile] = 16;
  }
  // gcc takes no more than the first 8 bytes for read.
  asm volatile("" : : "r"(shapes) : "memory");
  _tile_loadconfig(shapes);
  for (int64_t loop = 0; loop < kLoops; ++loop) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return kLoops * 4 * 16 * 16 * 32 * 2;
}

Burst Fp32Burst() {
  if (__builtin_cpu_supports("avx512f")) return Fp32Avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return Fp32Avx2;
  }
  return nullptr;
}

Burst Bf16Burst() {
  if (HasAmx()) return Bf16Amx;
  return __builtin_cpu_supports("avx512bf16") ? Bf16Avx512 : nullptr;
}

// The best burst of one thread within `duration`, operations a second.
double BestRate(Burst burst, absl::Duration duration) {
  Clock& clock = *Clock::Real();
  const absl::Duration end = clock.Elapsed() + duration;
  double best = 0;
  for (absl::Duration begin = clock.Elapsed(); begin < end;) {
    const auto operations = static_cast<double>(burst());
    const absl::Duration now = clock.Elapsed();
    best = std::max(best, operations / absl::ToDoubleSeconds(now - begin));
    begin = now;
  }
  return best;
}

// Of all threads at once, 1e9 operations a second.
double Gflops(Burst burst, int threads, absl::Duration duration) {
  if (burst == nullptr) return 0;
  std::vector<double> rates(threads);
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (double& rate : rates) {
    workers.emplace_back(
        [&rate, burst, duration] { rate = BestRate(burst, duration); });
  }
  for (std::thread& worker : workers) worker.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum / 1e9;
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  int threads = 0;
  int milliseconds = 0;
  CHARRNN_CHECK(argc == 3 && absl::SimpleAtoi(argv[1], &threads) &&
                absl::SimpleAtoi(argv[2], &milliseconds) && threads > 0)
      << "usage: peak THREADS MILLISECONDS";
  const absl::Duration duration = absl::Milliseconds(milliseconds);
  absl::PrintF("fp32 %.1f\n",
               charrnn::Gflops(charrnn::Fp32Burst(), threads, duration));
  absl::PrintF("bf16 %.1f\n",
               charrnn::Gflops(charrnn::Bf16Burst(), threads, duration));
  return 0;
}
