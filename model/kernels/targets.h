// What a source with kernels includes before "hwy/foreach_target.h": which
// instruction sets Highway compiles it for.

#ifndef CHARRNN_MODEL_KERNELS_TARGETS_H_
#define CHARRNN_MODEL_KERNELS_TARGETS_H_

// AVX3_DL is our avx512_bf16: this version of Highway has no target with bf16.
#define HWY_WANT_AVX3_DL
// Machines without AVX2 are too rare for kernels of their own.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)

// So that all compilers choose SCALAR, our portable, as gcc 12 has to.
#define HWY_BROKEN_EMU128 1

// The function that is compiled for `isa` under the name `function`.
#define CHARRNN_KERNEL(isa, function)              \
  ((isa) >= Isa::kAvx512Bf16 ? N_AVX3_DL::function \
   : (isa) == Isa::kAvx512   ? N_AVX3::function    \
   : (isa) == Isa::kAvx2     ? N_AVX2::function    \
                             : N_SCALAR::function)

#endif  // CHARRNN_MODEL_KERNELS_TARGETS_H_
