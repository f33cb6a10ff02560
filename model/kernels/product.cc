#include "model/kernels/product.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/product.cc"
#include "model/kernels/targets.h"
// The order counts: from here on, all is compiled once for each target.
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "model/kernels/row_product-inl.h"
#include "model/kernels/tile-inl.h"
#include "model/kernels/tiles-inl.h"
#include "model/kernels/vector-inl.h"

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {
namespace {

template <typename Step, int kBlocks>
void ComputePanel(const ProductArguments& p, int64_t panel) {
  const int64_t column = panel * p.right->panel_blocks() * kBlock;
  ForEachTile<Step, kBlocks>(
      p.rows, p.left.data, p.left.stride, p.right->inner(),
      p.right->Panel(panel), p.bias == nullptr ? nullptr : p.bias + column,
      [&](int64_t begin, int rows, auto& tile) {
        tile.Store(rows, p.output + begin * p.output_stride + column,
                   p.output_stride);
      });
}

// The product of one row.
template <typename Step>
void ComputeRow(const ProductArguments& p) {
  const size_t bytes = static_cast<size_t>(p.right->columns()) * sizeof(float);
  if (p.bias == nullptr) {
    std::memset(p.output, 0, bytes);
  } else {
    std::memcpy(p.output, p.bias, bytes);
  }
  AddRowProduct<Step>(
      p.left.data, p.right->inner(),
      {p.right->Panel(0), p.right->blocks(), p.right->panel_blocks()},
      p.output);
}

template <typename Step>
void ComputePanels(const ProductArguments& p) {
  if constexpr (!kByAmx<Step>) {
    if (p.rows == 1) {
      ComputeRow<Step>(p);
      return;
    }
  }
  for (int64_t panel = 0; panel < p.right->num_panels(); ++panel) {
    WithBlocks(p.right->BlocksOf(panel), [&](auto blocks) {
      ComputePanel<Step, decltype(blocks)::value>(p, panel);
    });
  }
}

}  // namespace

void ComputeProduct(const Arithmetic& arithmetic,
                    const ProductArguments& arguments) {
  WithStep(arithmetic,
           [&](auto step) { ComputePanels<decltype(step)>(arguments); });
}

void MakeFactor(const float* values, int64_t n, float* factor) {
  for (int64_t i = 0; i < n; i += kBlock) {
    StoreFactorBlock(i, values + i, factor);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charrnn {

void Product(const Arithmetic& arithmetic, const ProductArguments& arguments) {
  CHARRNN_KERNEL(arithmetic.isa, ComputeProduct)
  (arithmetic, arguments);
}

void ToFactor(const Arithmetic& arithmetic, const float* values, int64_t n,
              float* factor) {
  CHARRNN_KERNEL(arithmetic.isa, MakeFactor)(values, n, factor);
}

}  // namespace charrnn
#endif  // HWY_ONCE
