#ifndef CHARRNN_MODEL_KERNELS_ARITHMETIC_H_
#define CHARRNN_MODEL_KERNELS_ARITHMETIC_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace charrnn {

// Instruction sets that there are kernels for, each one including those before
// it. In fp32 all but kPortable compute the same bits: every sum's order is
// written down, in terms of 16 columns and not of a vector's width.
enum class Isa {
  kPortable,    // what every x86-64 has; no fused multiply-add
  kAvx2,        // with FMA
  kAvx512,      // F, BW, DQ and VL
  kAvx512Bf16,  // and what came up to Ice Lake, and BF16
  kAmxBf16,     // and AMX with BF16, which products in bf16 are computed with
};

inline constexpr Isa kAllIsas[] = {Isa::kPortable, Isa::kAvx2, Isa::kAvx512,
                                   Isa::kAvx512Bf16, Isa::kAmxBf16};

// "portable", "avx2", "avx512", "avx512_bf16" or "amx_bf16". InvalidArgument
// otherwise.
absl::StatusOr<Isa> ParseIsa(absl::string_view name);
absl::string_view IsaName(Isa isa);

// The best one that this machine's CPU and operating system have.
Isa BestIsa();

// What products are computed in. Sums and states are fp32 in all of them.
enum class Precision {
  kFp32,
  kBf16,  // factors are rounded to bfloat16, products are added in fp32
  kInt8,  // factors are rounded to 8 bits, products are added exactly; only for
          // sampling (StepNetwork)
};

// Numbers of a factor go together as elements of 32 bits: how many in each.
int64_t NumbersPerElement(Precision precision);

// "fp32" or "bf16", in any case. InvalidArgument otherwise.
absl::StatusOr<Precision> ParsePrecision(absl::string_view name);
// The same, or "int8".
absl::StatusOr<Precision> ParseSamplingPrecision(absl::string_view name);
absl::string_view PrecisionName(Precision precision);

// How kernels compute.
struct Arithmetic {
  Isa isa = Isa::kPortable;
  Precision precision = Precision::kFp32;
};

// Whether products are computed by AMX, and so have its bits.
bool UsesAmx(const Arithmetic& arithmetic);

// InvalidArgument if this machine cannot compute so, saying what it has.
absl::Status CheckSupported(const Arithmetic& arithmetic);

// All ways in which this machine can compute in one of `precisions`.
std::vector<Arithmetic> SupportedArithmetics(
    absl::Span<const Precision> precisions);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_ARITHMETIC_H_
