#include "model/kernels/recurrence.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/kernels/arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/recurrence.cc"
#include "model/kernels/targets.h"
// The order counts: from here on, all is compiled once for each target.
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "model/kernels/tile-inl.h"
#include "model/kernels/tiles-inl.h"
#include "model/kernels/vector-inl.h"

CHARRNN_BEFORE_NAMESPACE();
namespace charrnn {
namespace HWY_NAMESPACE {
namespace {

// A cell is the arithmetic of one row and one block of units, `unit` being its
// first one and `sums` what the products come to.
struct GruForwardCell {
  static constexpr int kGates = 3;

  static HWY_INLINE void Compute(const ForwardStep& step, int64_t row,
                                 int64_t unit, const float* sums) {
    const int64_t units = step.units;
    const float* const input = step.inputs[row] + unit;
    const int64_t place = row * units + unit;
    float* const gates = step.gates + 4 * row * units + unit;
    for (int64_t i = 0; i < kBlock; i += kLanes) {
      const Floats reset = Sigmoid(hn::Add(Load(input + i), Load(sums + i)));
      const Floats update =
          Sigmoid(hn::Add(Load(input + units + i), Load(sums + kBlock + i)));
      const Floats hidden_part =
          hn::Add(Load(sums + 2 * kBlock + i), Load(step.bias + unit + i));
      const Floats fresh =
          Tanh(hn::MulAdd(reset, hidden_part, Load(input + 2 * units + i)));
      const Floats before = Load(step.hidden + place + i);
      Store(reset, gates + i);
      Store(update, gates + units + i);
      Store(fresh, gates + 2 * units + i);
      Store(hidden_part, gates + 3 * units + i);
      // (1 - update) * fresh + update * before
      Store(hn::MulAdd(update, hn::Sub(before, fresh), fresh),
            step.next_hidden + place + i);
    }
  }
};

struct LstmForwardCell {
  static constexpr int kGates = 4;

  static HWY_INLINE void Compute(const ForwardStep& step, int64_t row,
                                 int64_t unit, const float* sums) {
    const int64_t units = step.units;
    const float* const input = step.inputs[row] + unit;
    const int64_t place = row * units + unit;
    float* const gates = step.gates + 4 * row * units + unit;
    for (int64_t i = 0; i < kBlock; i += kLanes) {
      const Floats in = Sigmoid(hn::Add(Load(input + i), Load(sums + i)));
      const Floats forget =
          Sigmoid(hn::Add(Load(input + units + i), Load(sums + kBlock + i)));
      const Floats fresh = Tanh(
          hn::Add(Load(input + 2 * units + i), Load(sums + 2 * kBlock + i)));
      const Floats out = Sigmoid(
          hn::Add(Load(input + 3 * units + i), Load(sums + 3 * kBlock + i)));
      const Floats cell =
          hn::MulAdd(in, fresh, hn::Mul(forget, Load(step.cell + place + i)));
      Store(in, gates + i);
      Store(forget, gates + units + i);
      Store(fresh, gates + 2 * units + i);
      Store(out, gates + 3 * units + i);
      Store(cell, step.next_cell + place + i);
      Store(hn::Mul(out, Tanh(cell)), step.next_hidden + place + i);
    }
  }
};

// Makes the last `padding` numbers of a row that ends at `end` zero again. They
// are computed like others, and an infinite number times their zero weights is
// none, which would get to others one step later.
HWY_INLINE void ClearBefore(float* end, int64_t padding) {
  std::memset(end - padding, 0, static_cast<size_t>(padding) * sizeof(float));
}

HWY_INLINE void ClearGates(float* gates, int64_t row, int64_t units,
                           int64_t padding) {
  for (int64_t end = 4 * row + 1; end <= 4 * row + 4; ++end) {
    ClearBefore(gates + end * units, padding);
  }
}

HWY_NOINLINE void ClearPadding(const ForwardStep& step, int64_t row) {
  ClearGates(step.gates, row, step.units, step.padding);
  const int64_t end = (row + 1) * step.units;
  ClearBefore(step.next_hidden + end, step.padding);
  if (step.next_cell != nullptr) {
    ClearBefore(step.next_cell + end, step.padding);
  }
}

HWY_NOINLINE void ClearPadding(const BackwardStep& step, int64_t row) {
  ClearGates(step.gradients, row, step.units, step.padding);
  ClearBefore(step.carried + (row + 1) * step.units, step.padding);
}

// Whether the block that begins with `unit` has padding.
template <typename AnyStep>
HWY_INLINE bool HasPadding(const AnyStep& step, int64_t unit) {
  return unit + kBlock > step.units - step.padding;
}

template <typename Cell, typename Step>
void Forward(const ForwardStep& step) {
  constexpr int kGates = Cell::kGates;
  for (int64_t block = 0; block < step.units / kBlock; ++block) {
    const int64_t unit = block * kBlock;
    const auto compute = [&](int64_t begin, int rows, auto& tile) {
      for (int m = 0; m < rows; ++m) {
        const int64_t row = begin + m;
        Cell::Compute(step, row, unit, tile.Row(m));
        if (HasPadding(step, unit)) ClearPadding(step, row);
        if (step.next_factor != nullptr) {
          StoreFactorBlock(unit, step.next_hidden + row * step.units + unit,
                           step.next_factor + row * step.units / 2);
        }
      }
    };
    ForEachTile<Step, kGates>(step.rows, step.factor.data, step.factor.stride,
                              step.weight->inner(), step.weight->Panel(block),
                              nullptr, compute);
  }
}

template <typename Cell>
void Cells(const ForwardStep& step) {
  const float* sums = step.sums;
  for (int64_t row = 0; row < step.rows; ++row) {
    for (int64_t unit = 0; unit < step.units; unit += kBlock) {
      Cell::Compute(step, row, unit, sums);
      if (HasPadding(step, unit)) ClearPadding(step, row);
      sums += Cell::kGates * kBlock;
    }
  }
}

// Asks for what the step that comes next reads at the same place: its rows lie
// too far apart for the processor to see a pattern in them. (Intel Emerald
// Rapids: 4 to 8 % of a training step.)
HWY_INLINE void AskAhead(const BackwardStep& step, int64_t row, int64_t unit) {
  if (step.gates_ahead == nullptr) return;
  const float* const gates = step.gates_ahead + 4 * row * step.units + unit;
  for (int gate = 0; gate < 4; ++gate) {
    __builtin_prefetch(gates + gate * step.units);
  }
  __builtin_prefetch(step.state_ahead + row * step.units + unit);
}

struct GruBackwardCell {
  // `sums` is what comes back from one step later through the weights.
  static HWY_INLINE void Compute(const BackwardStep& step, int64_t row,
                                 int64_t unit, const float* sums) {
    const int64_t units = step.units;
    const int64_t place = row * units + unit;
    const float* const gates = step.gates + 4 * row * units + unit;
    float* const gradients = step.gradients + 4 * row * units + unit;
    AskAhead(step, row, unit);
    const Floats one = hn::Set(kFloats, 1.0f);
    for (int64_t i = 0; i < kBlock; i += kLanes) {
      const Floats reset = Load(gates + i);
      const Floats update = Load(gates + units + i);
      const Floats fresh = Load(gates + 2 * units + i);
      const Floats hidden_part = Load(gates + 3 * units + i);
      const Floats before = Load(step.hidden + place + i);
      const Floats state =
          hn::Add(hn::Add(Load(sums + i), Load(step.carried + place + i)),
                  Load(step.output + place + i));
      const Floats rest = hn::Sub(one, update);
      // Derivatives of tanh and of the sigmoid in terms of their values.
      const Floats d_fresh =
          hn::Mul(hn::Mul(state, rest), hn::NegMulAdd(fresh, fresh, one));
      const Floats d_update = hn::Mul(hn::Mul(state, hn::Sub(before, fresh)),
                                      hn::Mul(update, rest));
      const Floats d_reset = hn::Mul(hn::Mul(d_fresh, hidden_part),
                                     hn::Mul(reset, hn::Sub(one, reset)));
      Store(hn::Mul(d_fresh, reset), gradients + i);
      Store(d_reset, gradients + units + i);
      Store(d_update, gradients + 2 * units + i);
      Store(d_fresh, gradients + 3 * units + i);
      Store(hn::Mul(state, update), step.carried + place + i);
    }
  }
};

struct LstmBackwardCell {
  static HWY_INLINE void Compute(const BackwardStep& step, int64_t row,
                                 int64_t unit, const float* sums) {
    const int64_t units = step.units;
    const int64_t place = row * units + unit;
    const float* const gates = step.gates + 4 * row * units + unit;
    float* const gradients = step.gradients + 4 * row * units + unit;
    AskAhead(step, row, unit);
    const Floats one = hn::Set(kFloats, 1.0f);
    for (int64_t i = 0; i < kBlock; i += kLanes) {
      const Floats in = Load(gates + i);
      const Floats forget = Load(gates + units + i);
      const Floats fresh = Load(gates + 2 * units + i);
      const Floats out = Load(gates + 3 * units + i);
      const Floats shown = Tanh(Load(step.next_cell + place + i));
      const Floats hidden =
          hn::Add(Load(sums + i), Load(step.output + place + i));
      const Floats cell =
          hn::MulAdd(hn::Mul(hidden, out), hn::NegMulAdd(shown, shown, one),
                     Load(step.carried + place + i));
      const auto through_sigmoid = [&](Floats gradient, Floats gate) {
        return hn::Mul(gradient, hn::Mul(gate, hn::Sub(one, gate)));
      };
      Store(through_sigmoid(hn::Mul(cell, fresh), in), gradients + i);
      Store(through_sigmoid(hn::Mul(cell, Load(step.cell + place + i)), forget),
            gradients + units + i);
      Store(hn::Mul(hn::Mul(cell, in), hn::NegMulAdd(fresh, fresh, one)),
            gradients + 2 * units + i);
      Store(through_sigmoid(hn::Mul(hidden, shown), out),
            gradients + 3 * units + i);
      Store(hn::Mul(cell, forget), step.carried + place + i);
    }
  }
};

template <typename Cell, typename Step, int kBlocks>
void BackwardPanel(const BackwardStep& step, int64_t panel) {
  const int64_t first = panel * kProductBlocks * kBlock;
  // After the last step nothing comes back: sums of no products.
  const int64_t n = step.later.data == nullptr ? 0 : step.weight->inner();
  const auto compute = [&](int64_t begin, int rows, auto& tile) {
    for (int m = 0; m < rows; ++m) {
      const int64_t row = begin + m;
      for (int v = 0; v < kBlocks; ++v) {
        const int64_t unit = first + v * kBlock;
        Cell::Compute(step, row, unit, tile.Row(m) + v * kBlock);
        if (HasPadding(step, unit)) ClearPadding(step, row);
        if (step.factor == nullptr) continue;
        for (int gate = 0; gate < 4; ++gate) {
          StoreFactorBlock(
              gate * step.units + unit,
              step.gradients + (4 * row + gate) * step.units + unit,
              step.factor + row * 2 * step.units);
        }
      }
    }
  };
  ForEachTile<Step, kBlocks>(step.rows, step.later.data, step.later.stride, n,
                             step.weight->Panel(panel), nullptr, compute);
}

template <typename Cell, typename Step>
void Backward(const BackwardStep& step) {
  for (int64_t panel = 0; panel < step.weight->num_panels(); ++panel) {
    WithBlocks(step.weight->BlocksOf(panel), [&](auto blocks) {
      BackwardPanel<Cell, Step, decltype(blocks)::value>(step, panel);
    });
  }
}

}  // namespace

void ComputeGruForward(const Arithmetic& arithmetic, const ForwardStep& step) {
  WithStep(arithmetic,
           [&](auto add) { Forward<GruForwardCell, decltype(add)>(step); });
}

void ComputeGruBackward(const Arithmetic& arithmetic,
                        const BackwardStep& step) {
  WithStep(arithmetic,
           [&](auto add) { Backward<GruBackwardCell, decltype(add)>(step); });
}

void ComputeLstmForward(const Arithmetic& arithmetic, const ForwardStep& step) {
  WithStep(arithmetic,
           [&](auto add) { Forward<LstmForwardCell, decltype(add)>(step); });
}

void ComputeLstmBackward(const Arithmetic& arithmetic,
                         const BackwardStep& step) {
  WithStep(arithmetic,
           [&](auto add) { Backward<LstmBackwardCell, decltype(add)>(step); });
}

void ComputeGruCells(const ForwardStep& step) { Cells<GruForwardCell>(step); }
void ComputeLstmCells(const ForwardStep& step) { Cells<LstmForwardCell>(step); }

}  // namespace HWY_NAMESPACE
}  // namespace charrnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charrnn {

void GruForward(const Arithmetic& arithmetic, const ForwardStep& step) {
  CHARRNN_KERNEL(arithmetic.isa, ComputeGruForward)(arithmetic, step);
}

void GruBackward(const Arithmetic& arithmetic, const BackwardStep& step) {
  CHARRNN_KERNEL(arithmetic.isa, ComputeGruBackward)
  (arithmetic, step);
}

void LstmForward(const Arithmetic& arithmetic, const ForwardStep& step) {
  CHARRNN_KERNEL(arithmetic.isa, ComputeLstmForward)
  (arithmetic, step);
}

void LstmBackward(const Arithmetic& arithmetic, const BackwardStep& step) {
  CHARRNN_KERNEL(arithmetic.isa, ComputeLstmBackward)
  (arithmetic, step);
}

void GruCells(const Arithmetic& arithmetic, const ForwardStep& step) {
  CHARRNN_KERNEL(arithmetic.isa, ComputeGruCells)(step);
}

void LstmCells(const Arithmetic& arithmetic, const ForwardStep& step) {
  CHARRNN_KERNEL(arithmetic.isa, ComputeLstmCells)(step);
}

}  // namespace charrnn
#endif  // HWY_ONCE
