#include "model/kernels/quantized_product.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/quantized_product.cc"
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

// One step of a sum of products: elements are 4 numbers, in `a` of 0 to 255 and
// in `b` of -128 to 127, and a sum is a whole number of 32 bits.
struct Int8Step {
#if HWY_TARGET == HWY_AVX3_DL
  static HWY_INLINE Floats Add(Floats a, Floats b, Floats sum) {
    return Floats{_mm512_castsi512_ps(_mm512_dpbusd_epi32(
        _mm512_castps_si512(sum.raw), _mm512_castps_si512(a.raw),
        _mm512_castps_si512(b.raw)))};
  }
#elif HWY_TARGET == HWY_SCALAR
  static HWY_INLINE Floats Add(Floats a, Floats b, Floats sum) {
    uint8_t left[4];
    int8_t right[4];
    int32_t total;
    std::memcpy(left, &a.raw, sizeof left);
    std::memcpy(right, &b.raw, sizeof right);
    std::memcpy(&total, &sum.raw, sizeof total);
    for (int i = 0; i < 4; ++i) total += left[i] * right[i];
    std::memcpy(&sum.raw, &total, sizeof total);
    return sum;
  }
#else
  // Without that instruction: products of 16 bits, of even and of odd places.
  // (There is one of 8 bits, but its sums saturate.)
  static HWY_INLINE Floats Add(Floats a, Floats b, Floats sum) {
    const auto left = hn::BitCast(UintTag(), a);
    const auto right = hn::BitCast(IntTag(), b);
    const hn::RepartitionToNarrow<IntTag> halves;
    const auto right16 = hn::BitCast(halves, right);
    const auto even =
        MultiplyPairs(hn::And(left, hn::Set(UintTag(), 0x00FF00FF)),
                      hn::ShiftRight<8>(hn::ShiftLeft<8>(right16)));
    const auto odd = MultiplyPairs(
        hn::And(hn::ShiftRight<8>(left), hn::Set(UintTag(), 0x00FF00FF)),
        hn::ShiftRight<8>(right16));
    return hn::BitCast(kFloats,
                       hn::Add(hn::BitCast(IntTag(), sum), hn::Add(even, odd)));
  }

  template <typename A, typename B>
  static HWY_INLINE hn::Vec<IntTag> MultiplyPairs(A a, B b) {
#if HWY_TARGET == HWY_AVX2
    return {_mm256_madd_epi16(a.raw, b.raw)};
#else
    return {_mm512_madd_epi16(a.raw, b.raw)};
#endif
  }
#endif
};

// Makes the `columns` sums, which begin at `column`, what they stand for.
void Finish(const QuantizedArguments& p, int64_t row, int64_t column,
            int64_t columns, const float* sums) {
  const Floats row_scale = hn::Set(kFloats, p.scales[row]);
  float* const to = p.output + row * p.output_stride + column;
  for (int64_t i = 0; i < columns; i += kLanes) {
    const auto offset = hn::Load(IntTag(), p.right->offsets() + column + i);
    const auto sum =
        hn::Add(hn::BitCast(IntTag(), hn::Load(kFloats, sums + i)), offset);
    const Floats scale =
        hn::Mul(row_scale, hn::Load(kFloats, p.right->scales() + column + i));
    const Floats bias = p.bias == nullptr
                            ? hn::Zero(kFloats)
                            : hn::Load(kFloats, p.bias + column + i);
    hn::Store(hn::MulAdd(hn::ConvertTo(kFloats, sum), scale, bias), kFloats,
              to + i);
  }
}

template <int kBlocks>
void ComputePanel(const QuantizedArguments& p, int64_t panel) {
  const int64_t column = panel * p.right->panel_blocks() * kBlock;
  const int64_t inner = p.right->inner();
  ForEachTile<Int8Step, kBlocks>(
      p.rows, p.left, inner, inner, p.right->data() + column * inner, nullptr,
      [&](int64_t begin, int rows, auto& tile) {
        for (int m = 0; m < rows; ++m) {
          Finish(p, begin + m, column, kBlocks * kBlock, tile.Row(m));
        }
      });
}

void ComputePanels(const QuantizedArguments& p) {
  const int width = p.right->panel_blocks();
  for (int64_t first = 0; first < p.right->blocks(); first += width) {
    const int64_t panel = first / width;
    WithBlocks(
        std::min<int64_t>(width, p.right->blocks() - first),
        [&](auto blocks) { ComputePanel<decltype(blocks)::value>(p, panel); });
  }
}

}  // namespace

void ComputeQuantized(const QuantizedArguments& p) {
  if (p.rows != 1) {
    ComputePanels(p);
    return;
  }
  std::memset(p.output, 0, p.right->columns() * sizeof(float));
  AddRowProduct<Int8Step>(
      p.left, p.right->inner(),
      {p.right->data(), p.right->blocks(), p.right->panel_blocks()}, p.output);
  Finish(p, 0, 0, p.right->columns(), p.output);
}

void MakeQuantized(const float* values, int64_t rows, int64_t columns,
                   float* factor, float* scales) {
  const Floats steps = hn::Set(kFloats, 127.0f);
  // Rounds to the nearest whole number, 128 added, which then stands in the
  // low bits.
  const Floats magic = hn::Set(kFloats, 12582912.0f + 128.0f);
  for (int64_t row = 0; row < rows; ++row) {
    Floats nan = hn::Zero(kFloats);
    auto* to = reinterpret_cast<uint8_t*>(factor + row * columns / 4);
    for (int64_t i = 0; i < columns; i += kLanes) {
      const Floats value = hn::Load(kFloats, values + row * columns + i);
      nan = hn::Add(nan, hn::Mul(value, hn::Zero(kFloats)));
      const Floats shifted = hn::Add(hn::Mul(value, steps), magic);
      const auto whole =
          hn::And(hn::BitCast(UintTag(), shifted), hn::Set(UintTag(), 0xFF));
      const hn::Rebind<uint8_t, FloatTag> bytes;
      hn::StoreU(hn::DemoteTo(bytes, hn::BitCast(IntTag(), whole)), bytes,
                 to + i);
    }
    scales[row] = 1.0f / 127 + hn::GetLane(hn::SumOfLanes(kFloats, nan));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charrnn {

QuantizedMatrix::QuantizedMatrix(const PackedMatrix& matrix)
    : blocks_(matrix.blocks()),
      panel_blocks_(matrix.panel_blocks()),
      inner_(matrix.inner() / 4) {
  data_.Resize(columns() * inner_);
  scales_.Resize(columns());
  offsets_.Resize(columns());
  for (int64_t panel = 0; panel < matrix.num_panels(); ++panel) {
    TakePanel(matrix, panel);
  }
}

void QuantizedMatrix::TakePanel(const PackedMatrix& matrix, int64_t panel) {
  const int64_t first = panel * panel_blocks_ * kColumnBlock;
  const int64_t width = matrix.BlocksOf(panel) * kColumnBlock;
  const float* const from = matrix.Panel(panel);
  auto* const to = reinterpret_cast<int8_t*>(data_.data() + first * inner_);
  for (int64_t column = 0; column < width; ++column) {
    float largest = 0;
    bool finite = true;
    for (int64_t i = 0; i < matrix.inner(); ++i) {
      const float weight = std::abs(from[i * width + column]);
      finite = finite && std::isfinite(weight);
      largest = std::max(largest, weight);
    }
    scales_[first + column] =
        finite ? largest / 127 : std::numeric_limits<float>::quiet_NaN();
    if (!finite || largest == 0) continue;  // zeros
    int32_t sum = 0;
    for (int64_t i = 0; i < matrix.inner(); ++i) {
      const auto whole = static_cast<int8_t>(
          std::lrint(double{from[i * width + column]} * 127 / largest));
      to[(i / 4 * width + column) * 4 + i % 4] = whole;
      sum += whole;
    }
    offsets_[first + column] = -128 * sum;
  }
}

void QuantizedProduct(Isa isa, const QuantizedArguments& arguments) {
  CHARRNN_KERNEL(isa, ComputeQuantized)(arguments);
}

void ToQuantizedFactor(Isa isa, const float* values, int64_t rows,
                       int64_t columns, float* factor, float* scales) {
  CHARRNN_KERNEL(isa, MakeQuantized)(values, rows, columns, factor, scales);
}

}  // namespace charrnn
#endif  // HWY_ONCE
