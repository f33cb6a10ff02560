#include "cmd/device_flags.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "model/device.h"
#include "model/kernels/arithmetic.h"
#include "model/metrics/display.h"
#include "model/torch_threads.h"

ABSL_FLAG(std::string, device, "auto",
          "Where to compute: auto (a GPU if there is one), cpu, cuda or "
          "cuda:N.");
ABSL_FLAG(int, threads, 0, "CPU threads to compute with; 0: all cores.");
ABSL_FLAG(std::string, kernels, "fused",
          "What computes on the CPU: fused, kernels made for these networks, "
          "or libtorch, its operators, which are slower.");
ABSL_FLAG(std::string, isa, "auto",
          "Instruction set of the fused kernels: auto (the best that the CPU "
          "has), amx_bf16, avx512_bf16, avx512, avx2 or portable. In fp32 all "
          "but portable compute the same bits; bf16 wants one of the first "
          "two, whose bits differ.");

namespace charrnn {
namespace {

// More than any machine has; keeps a slip of the finger from starting a
// million threads.
constexpr int kMaxThreads = 4096;

// What there is beyond kAvx512 makes a difference to narrower numbers alone.
absl::string_view KernelsName(const std::optional<Isa>& isa,
                              Precision precision) {
  if (!isa.has_value()) return "libtorch";
  return IsaName(precision == Precision::kFp32 ? std::min(*isa, Isa::kAvx512)
                                               : *isa);
}

}  // namespace

std::string ResolvedKernels(const std::string& kernels,
                            const std::string& device) {
  return device == "cpu" ? kernels : "libtorch";
}

absl::StatusOr<std::optional<Isa>> IsaFromFlags(const std::string& device) {
  const std::string kernels = absl::GetFlag(FLAGS_kernels);
  if (kernels != "fused" && kernels != "libtorch") {
    return absl::InvalidArgumentError(
        absl::StrCat("--kernels=", kernels, ": must be fused or libtorch"));
  }
  const std::string name = absl::GetFlag(FLAGS_isa);
  const bool fused = ResolvedKernels(kernels, device) == "fused";
  if (name == "auto") {
    return fused ? std::optional<Isa>(BestIsa()) : std::nullopt;
  }
  const std::string flag = absl::StrCat("--isa=", name);
  const auto isa = ParseIsa(name);
  if (!isa.ok()) return Annotate(isa.status(), flag);
  if (!fused) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": only the fused kernels of the CPU have it, and ",
                     device == "cpu" ? "--kernels=libtorch" : device,
                     " does not compute with them: leave one out"));
  }
  if (const absl::Status status = CheckSupported({*isa}); !status.ok()) {
    return Annotate(status, flag);
  }
  return std::optional<Isa>(*isa);
}

std::string BitsOfKernels(const std::string& device, Precision precision) {
  const auto isa = IsaFromFlags(device);
  if (!isa.ok() || !isa->has_value()) return "";
  if (**isa == Isa::kPortable) return "portable";
  return UsesAmx({**isa, precision}) ? "amx" : "avx";
}

absl::StatusOr<std::optional<Arithmetic>> KernelsFor(
    const std::optional<Isa>& isa, Precision precision) {
  if (!isa.has_value()) {
    if (precision == Precision::kFp32) return std::optional<Arithmetic>();
    return absl::InvalidArgumentError(
        absl::StrCat("--precision=", PrecisionName(precision),
                     ": only the fused kernels of the CPU have it: leave out "
                     "--kernels and --device, or use fp32"));
  }
  const Arithmetic arithmetic = {*isa, precision};
  if (const absl::Status status = CheckSupported(arithmetic); !status.ok()) {
    const bool best_has_it = CheckSupported({BestIsa(), precision}).ok();
    return Annotate(
        absl::InvalidArgumentError(absl::StrCat(
            status.message(), best_has_it ? ": leave out --isa" : "")),
        absl::StrCat("--precision=", PrecisionName(precision)));
  }
  return std::optional<Arithmetic>(arithmetic);
}

absl::StatusOr<std::optional<Arithmetic>> TrainingKernelsFor(
    const std::optional<Isa>& isa, Precision precision) {
  if (!isa.has_value()) return std::optional<Arithmetic>();
  return KernelsFor(isa, precision);
}

absl::StatusOr<Compute> ComputeFromFlags() {
  const int threads = absl::GetFlag(FLAGS_threads);
  if (threads < 0 || threads > kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads=", threads, ": must be at least 0 and at most ",
                     kMaxThreads));
  }
  CHARRNN_ASSIGN_OR_RETURN(
      const DeviceChoice choice,
      ChooseDevice(absl::GetFlag(FLAGS_device), ProbeCuda()));
  AllowTensorFloat32(choice.device);
  CHARRNN_ASSIGN_OR_RETURN(const std::optional<Isa> isa,
                           IsaFromFlags(choice.device));
  std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(threads);
  return Compute{choice.device, pool->num_threads(), std::move(pool), isa,
                 choice.reason};
}

std::string Describe(const Compute& compute, Precision precision) {
  std::string text = compute.device;
  if (!compute.why_device.empty()) {
    absl::StrAppend(&text, " (auto: ", compute.why_device, ")");
  }
  if (compute.device == "cpu") {
    absl::StrAppend(&text, ", ", Counted(compute.threads, "thread"),
                    ", kernels ", KernelsName(compute.isa, precision));
  }
  absl::StrAppend(&text, ", ", PrecisionName(precision));
  return text;
}

}  // namespace charrnn
