// Products of any number of rows, as tiles that lie in the first level cache
// for a moment, where what follows a product reads them.

#if defined(CHARRNN_MODEL_KERNELS_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CHARRNN_MODEL_KERNELS_TILES_INL_H_
#undef CHARRNN_MODEL_KERNELS_TILES_INL_H_
#else
#define CHARRNN_MODEL_KERNELS_TILES_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "model/kernels/amx_tile.h"
#include "model/kernels/tile-inl.h"
#include "model/kernels/vector-inl.h"

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {

// A tile on its way through memory, in the first level cache.
template <typename Step, int kBlocks>
struct Tile {
  static constexpr int64_t kWidth = kBlocks * kBlock;

  // Row `m` of it.
  HWY_INLINE float* Row(int64_t m) { return data + m * kWidth; }

  // Makes the first `rows` rows equal to row[0, kWidth); null: zeros.
  HWY_INLINE void Begin(int rows, const float* row) {
    if (row == nullptr) {
      std::memset(data, 0, static_cast<size_t>(rows * kWidth) * sizeof(float));
      return;
    }
    for (int m = 0; m < rows; ++m) {
      std::memcpy(Row(m), row, kWidth * sizeof(float));
    }
  }

  // Reads the first `columns` numbers of them from rows that are `stride`
  // apart, the others being zero, and writes these there.
  HWY_INLINE void Load(int rows, const float* from, int64_t stride,
                       int64_t columns) {
    if (columns < kWidth) Begin(rows, nullptr);
    for (int m = 0; m < rows; ++m) {
      Copy(from + m * stride, Row(m), columns);
    }
  }
  HWY_INLINE void Store(int rows, float* to, int64_t stride,
                        int64_t columns = kWidth) {
    for (int m = 0; m < rows; ++m) Copy(Row(m), to + m * stride, columns);
  }

  alignas(64) float data[MaxTileRows<Step>(kBlocks) * kWidth];

 private:
  // A whole row's size is known to the compiler, which is worth a branch.
  static HWY_INLINE void Copy(const float* from, float* to, int64_t columns) {
    if (columns == kWidth) {
      std::memcpy(to, from, kWidth * sizeof(float));
    } else {
      std::memcpy(to, from, static_cast<size_t>(columns) * sizeof(float));
    }
  }
};

// Calls f with the number of a panel's blocks, at most 4, as a type.
template <typename F>
HWY_INLINE void WithBlocks(int64_t blocks, const F& f) {
  switch (blocks) {
    case 1:
      return f(std::integral_constant<int, 1>());
    case 2:
      return f(std::integral_constant<int, 2>());
    case 3:
      return f(std::integral_constant<int, 3>());
    default:
      return f(std::integral_constant<int, 4>());
  }
}

// Tiles of nearly equal height that make up `rows` rows.
class TileRows {
 public:
  TileRows(int64_t rows, int max_rows)
      : rows_(rows), tiles_((rows + max_rows - 1) / max_rows) {}

  int64_t tiles() const { return tiles_; }
  int64_t Begin(int64_t tile) const { return tile * rows_ / tiles_; }
  int Size(int64_t tile) const {
    return static_cast<int>(Begin(tile + 1) - Begin(tile));
  }

 private:
  int64_t rows_;
  int64_t tiles_;
};

// Calls f(first row, rows, tile) for tiles of the product of `rows` rows of
// `left`, `stride` elements apart, and of b, [n][kBlocks * 16]. Each sum begins
// with its column's `start`; null: zeros.
template <typename Step, int kBlocks, typename F>
HWY_INLINE void ForEachTile(int64_t rows, const float* left, int64_t stride,
                            int64_t n, const float* b, const float* start,
                            const F& f) {
  const TileRows all(rows, MaxTileRows<Step>(kBlocks));
  for (int64_t i = 0; i < all.tiles(); ++i) {
    Tile<Step, kBlocks> tile;
    const int64_t begin = all.Begin(i);
    const int tile_rows = all.Size(i);
    const float* const a = left + begin * stride;
    if constexpr (kByAmx<Step>) {
      if (start != nullptr) tile.Begin(tile_rows, start);
      AddAmxProduct({tile_rows, kBlocks, n, a, stride, b, tile.data,
                     tile.kWidth, /*from_zero=*/start == nullptr});
    } else {
      tile.Begin(tile_rows, start);
      AddRows<Step, kBlocks>(tile_rows, {a, stride, 1}, n, b, tile.data);
    }
    f(begin, tile_rows, tile);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
