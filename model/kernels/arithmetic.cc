#include "model/kernels/arithmetic.h"

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/kernels/amx_tile.h"

namespace charrnn {

absl::StatusOr<Isa> ParseIsa(absl::string_view name) {
  for (const Isa isa : kAllIsas) {
    if (name == IsaName(isa)) return isa;
  }
  return absl::InvalidArgumentError(
      "must be amx_bf16, avx512_bf16, avx512, avx2 or portable");
}

absl::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return "portable";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
    case Isa::kAmxBf16:
      return "amx_bf16";
  }
  return "";
}

Isa BestIsa() {
  // The features that Highway compiles its targets AVX2, AVX3 and AVX3_DL for,
  // but those that nothing here computes with: F16C, VAES and AVX-VNNI, which
  // CPUs with AVX512-BF16 need not have.
  // The compiler's runtime asks the operating system too, which has to save
  // the registers.
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (!avx2) return Isa::kPortable;
  const bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!avx512) return Isa::kAvx2;
  const bool bf16 = __builtin_cpu_supports("avx512bf16") &&
                    __builtin_cpu_supports("avx512vbmi") &&
                    __builtin_cpu_supports("avx512vbmi2") &&
                    __builtin_cpu_supports("avx512vnni") &&
                    __builtin_cpu_supports("avx512bitalg") &&
                    __builtin_cpu_supports("avx512vpopcntdq") &&
                    __builtin_cpu_supports("vpclmulqdq");
  if (!bf16) return Isa::kAvx512;
  return HasAmx() ? Isa::kAmxBf16 : Isa::kAvx512Bf16;
}

int64_t NumbersPerElement(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return 1;
    case Precision::kBf16:
      return 2;
    case Precision::kInt8:
      return 4;
  }
  return 1;
}

absl::StatusOr<Precision> ParsePrecision(absl::string_view name) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    if (absl::EqualsIgnoreCase(name, PrecisionName(precision))) {
      return precision;
    }
  }
  return absl::InvalidArgumentError("must be fp32 or bf16");
}

absl::StatusOr<Precision> ParseSamplingPrecision(absl::string_view name) {
  if (absl::EqualsIgnoreCase(name, PrecisionName(Precision::kInt8))) {
    return Precision::kInt8;
  }
  if (auto precision = ParsePrecision(name); precision.ok()) return precision;
  return absl::InvalidArgumentError("must be fp32, bf16 or int8");
}

absl::string_view PrecisionName(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
  }
  return "";
}

bool UsesAmx(const Arithmetic& arithmetic) {
  return arithmetic.isa == Isa::kAmxBf16 &&
         arithmetic.precision == Precision::kBf16;
}

absl::Status CheckSupported(const Arithmetic& arithmetic) {
  const Isa best = BestIsa();
  if (arithmetic.isa > best) {
    return absl::InvalidArgumentError(
        absl::StrCat("this machine's CPU has no more than ", IsaName(best)));
  }
  if (arithmetic.precision == Precision::kBf16 &&
      arithmetic.isa < Isa::kAvx512Bf16) {
    return absl::InvalidArgumentError(absl::StrCat(
        "it needs the instruction set amx_bf16 or avx512_bf16, and ",
        best < Isa::kAvx512Bf16
            ? absl::StrCat("this machine's CPU has no more than ",
                           IsaName(best))
            : absl::StrCat("this is ", IsaName(arithmetic.isa))));
  }
  return absl::OkStatus();
}

std::vector<Arithmetic> SupportedArithmetics(
    absl::Span<const Precision> precisions) {
  std::vector<Arithmetic> all;
  for (const Precision precision : precisions) {
    for (const Isa isa : kAllIsas) {
      const Arithmetic arithmetic = {isa, precision};
      if (CheckSupported(arithmetic).ok()) all.push_back(arithmetic);
    }
  }
  return all;
}

}  // namespace charrnn
