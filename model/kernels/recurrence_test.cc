#include "model/kernels/recurrence.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/bfloat16.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/product.h"

namespace charrnn {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A step, forward and back. H is the hidden size.
struct Example {
  RnnType type;
  int64_t rows;
  int64_t hidden;             // H
  std::vector<float> weight;  // [gates * H, H], in PyTorch's order
  std::vector<float> bias;    // [H], of the hidden part of new
  std::vector<float> state;   // [rows, H]
  std::vector<float> cell;    // [rows, H]
  std::vector<float> inputs;  // [rows, gates * H]
  // On the way back.
  std::vector<float> later;    // [rows, gates * H], in the order backward
  std::vector<float> output;   // [rows, H]
  std::vector<float> carried;  // [rows, H]
  bool has_later = true;
  bool in_place = false;  // whether the inputs are where the gates will be
};

const GateLayout& LayoutOf(RnnType type) {
  return type == RnnType::kGru ? kGruGates : kLstmGates;
}

Example MakeExample(RnnType type, int64_t rows, int64_t hidden) {
  const int64_t gates = LayoutOf(type).gates;
  Example example;
  example.type = type;
  example.rows = rows;
  example.hidden = hidden;
  const auto scale = static_cast<float>(1 / std::sqrt(hidden));
  example.weight = RandomNumbers(gates * hidden * hidden, 1, scale);
  example.bias = type == RnnType::kGru ? RandomNumbers(hidden, 2)
                                       : std::vector<float>(hidden);
  example.state = RandomNumbers(rows * hidden, 3);
  example.cell = RandomNumbers(rows * hidden, 4, 2);
  example.inputs = RandomNumbers(rows * gates * hidden, 5, 2);
  example.later = RandomNumbers(rows * gates * hidden, 6);
  example.output = RandomNumbers(rows * hidden, 7);
  example.carried = RandomNumbers(rows * hidden, 8);
  return example;
}

struct Outcome {
  std::vector<float> gates;        // [4, rows, H], forward
  std::vector<float> next_hidden;  // [rows, H]
  std::vector<float> next_cell;
  std::vector<float> gradients;  // [4, rows, H], of the gates
  std::vector<float> carried;    // [rows, H]
};

// Computes an example, and fails if padding is not zero or if factors are not
// what they stand for.
class Step {
 public:
  Step(const Arithmetic& arithmetic, const Example& example)
      : arithmetic_(arithmetic),
        example_(example),
        layout_(LayoutOf(example.type)),
        hidden_(example.hidden),
        units_(PaddedColumns(example.hidden)),
        state_(AlignedRows(example.state, hidden_, units_)),
        cell_(AlignedRows(example.cell, hidden_, units_)) {
    gates_.Resize(example.rows * 4 * units_);
  }

  Outcome Compute() {
    Forward();
    Backward();
    return outcome_;
  }

 private:
  bool IsLstm() const { return example_.type == RnnType::kLstm; }
  bool IsBf16() const { return arithmetic_.precision == Precision::kBf16; }

  // The numbers that count of rows of units, `width` * U apart, the part `part`
  // of each row.
  std::vector<float> Part(const AlignedArray<float>& array, int64_t width,
                          int64_t part) const {
    std::vector<float> numbers;
    for (int64_t row = 0; row < example_.rows; ++row) {
      const float* const from = array.data() + (row * width + part) * units_;
      numbers.insert(numbers.end(), from, from + hidden_);
      for (int64_t i = hidden_; i < units_; ++i) {
        EXPECT_EQ(from[i], 0) << "padding";
      }
    }
    return numbers;
  }

  std::vector<float> Gates() const {
    std::vector<float> all;
    for (int64_t gate = 0; gate < 4; ++gate) {
      const std::vector<float> part = Part(gates_, 4, gate);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  // Rows of `width` numbers, `stride` apart, are what `factors` are made of.
  void ExpectFactors(const AlignedArray<float>& factors, const float* numbers,
                     int64_t width, int64_t stride) const {
    for (int64_t row = 0; row < example_.rows; ++row) {
      for (int64_t i = 0; i < width; ++i) {
        uint16_t factor;
        std::memcpy(&factor,
                    reinterpret_cast<const char*>(factors.data()) +
                        2 * (row * width + i),
                    sizeof factor);
        const float number = numbers[row * stride + i];
        if (std::abs(number) >= std::numeric_limits<float>::min()) {
          ASSERT_EQ(factor, ToBfloat16(number)) << row << ", " << i;
        }
      }
    }
  }

  // weight_hh^T, for each block of units the columns of all gates.
  PackedMatrix ForwardWeight() const {
    PackedMatrix::RowList rows;
    for (int64_t block = 0; block < units_; block += kColumnBlock) {
      for (int64_t gate = 0; gate < layout_.gates; ++gate) {
        for (int64_t i = block; i < block + kColumnBlock; ++i) {
          rows.push_back(i < hidden_ ? gate * hidden_ + i : -1);
        }
      }
    }
    return Packed(PackedMatrix::OfColumns(rows, hidden_, layout_.gates,
                                          arithmetic_.precision));
  }

  // weight_hh, gates in the order in which their gradients are.
  PackedMatrix BackwardWeight() const {
    PackedMatrix::RowList rows;
    for (int64_t gate = 0; gate < layout_.gates; ++gate) {
      for (int64_t i = 0; i < units_; ++i) {
        rows.push_back(i < hidden_ ? layout_.order_hidden[gate] * hidden_ + i
                                   : -1);
      }
    }
    return Packed(PackedMatrix::OfRows(rows, hidden_, kProductBlocks,
                                       arithmetic_.precision));
  }

  PackedMatrix Packed(PackedMatrix matrix) const {
    for (int64_t i = 0; i < matrix.num_panels(); ++i) {
      matrix.PackPanel(example_.weight.data(), hidden_, i);
    }
    return matrix;
  }

  void Forward() {
    const PackedMatrix weight = ForwardWeight();
    const AlignedArray<float> bias =
        AlignedRows(example_.bias, hidden_, units_);
    AlignedArray<float> inputs;
    inputs.Resize(example_.rows * 4 * units_);
    AlignedArray<float>& to = example_.in_place ? gates_ : inputs;
    std::vector<const float*> input_rows;
    for (int64_t row = 0; row < example_.rows; ++row) {
      for (int64_t i = 0; i < 4 * units_; ++i) {
        const int64_t gate = i / units_;
        const int64_t unit = i % units_;
        // What is infinite elsewhere may have left NaN in padding.
        to[row * 4 * units_ + i] =
            unit < hidden_ && gate < layout_.gates
                ? example_.inputs[(row * layout_.gates + gate) * hidden_ + unit]
                : kNan;
      }
      input_rows.push_back(to.data() + row * 4 * units_);
    }
    AlignedArray<float> next_hidden;
    next_hidden.Resize(example_.rows * units_);
    next_cell_.Resize(example_.rows * units_);
    AlignedArray<float> next_factor;
    next_factor.Resize(example_.rows * units_ / 2);
    AlignedArray<float> factor;
    factor.Resize(example_.rows * units_ / 2);

    ForwardStep step;
    step.rows = example_.rows;
    step.units = units_;
    step.padding = units_ - hidden_;
    step.factor = {state_.data(), units_};
    if (IsBf16()) {
      ToFactor(arithmetic_, state_.data(), state_.size(), factor.data());
      step.factor = {factor.data(), units_ / 2};
      step.next_factor = next_factor.data();
    }
    step.weight = &weight;
    step.hidden = state_.data();
    step.bias = bias.data();
    step.inputs = input_rows.data();
    step.gates = gates_.data();
    step.next_hidden = next_hidden.data();
    if (IsLstm()) {
      step.cell = cell_.data();
      step.next_cell = next_cell_.data();
      LstmForward(arithmetic_, step);
    } else {
      GruForward(arithmetic_, step);
    }
    ExpectCells(step, weight, next_hidden);
    outcome_.gates = Gates();
    outcome_.next_hidden = Part(next_hidden, 1, 0);
    outcome_.next_cell = Part(next_cell_, 1, 0);
    if (IsBf16()) {
      ExpectFactors(next_factor, next_hidden.data(), units_, units_);
    }
  }

  // The step whose products are known computes the bits of `whole`, also where
  // the state after takes the place of the one before.
  void ExpectCells(const ForwardStep& whole, const PackedMatrix& weight,
                   const AlignedArray<float>& next_hidden) const {
    if (example_.in_place) return;  // the inputs are gone
    AlignedArray<float> sums;
    sums.Resize(example_.rows * weight.columns());
    ProductArguments product;
    product.rows = example_.rows;
    product.left = whole.factor;
    product.right = &weight;
    product.output = sums.data();
    product.output_stride = weight.columns();
    Product(arithmetic_, product);

    AlignedArray<float> gates;
    gates.Resize(gates_.size());
    AlignedArray<float> state = Aligned(SpanOf(state_));
    AlignedArray<float> cell = Aligned(SpanOf(cell_));
    ForwardStep step = whole;
    step.factor = {};
    step.weight = nullptr;
    step.sums = sums.data();
    step.gates = gates.data();
    step.hidden = step.next_hidden = state.data();
    step.next_factor = nullptr;
    if (IsLstm()) {
      step.cell = step.next_cell = cell.data();
      LstmCells(arithmetic_, step);
      EXPECT_TRUE(SameBits(SpanOf(cell), SpanOf(next_cell_)));
    } else {
      GruCells(arithmetic_, step);
    }
    EXPECT_TRUE(SameBits(SpanOf(gates), SpanOf(gates_)));
    EXPECT_TRUE(SameBits(SpanOf(state), SpanOf(next_hidden)));
  }

  void Backward() {
    const PackedMatrix weight = BackwardWeight();
    const int64_t gate_units = layout_.gates * units_;
    const AlignedArray<float> later =
        AlignedRows(example_.later, hidden_, units_);  // [rows, gates, U]
    AlignedArray<float> later_factor;
    later_factor.Resize(later.size() / 2);
    AlignedArray<float> factor;
    factor.Resize(gates_.size() / 2);
    AlignedArray<float> gradients;
    gradients.Resize(gates_.size());
    const AlignedArray<float> output =
        AlignedRows(example_.output, hidden_, units_);
    AlignedArray<float> carried =
        AlignedRows(example_.carried, hidden_, units_);

    BackwardStep step;
    step.rows = example_.rows;
    step.units = units_;
    step.padding = units_ - hidden_;
    if (example_.has_later) step.later = {later.data(), gate_units};
    if (IsBf16()) {
      ToFactor(arithmetic_, later.data(), later.size(), later_factor.data());
      if (example_.has_later) {
        step.later = {later_factor.data(), gate_units / 2};
      }
      step.factor = factor.data();
    }
    step.weight = &weight;
    step.output = output.data();
    step.carried = carried.data();
    step.hidden = state_.data();
    step.gates = gates_.data();
    step.gradients = example_.in_place ? gates_.data() : gradients.data();
    if (IsLstm()) {
      step.cell = cell_.data();
      step.next_cell = next_cell_.data();
      LstmBackward(arithmetic_, step);
    } else {
      GruBackward(arithmetic_, step);
    }
    if (!example_.in_place) gates_ = std::move(gradients);
    outcome_.gradients = Gates();
    outcome_.carried = Part(carried, 1, 0);
    if (IsBf16()) ExpectFactors(factor, gates_.data(), 4 * units_, 4 * units_);
  }

  const Arithmetic arithmetic_;
  const Example& example_;
  const GateLayout& layout_;
  const int64_t hidden_;
  const int64_t units_;
  const AlignedArray<float> state_;
  const AlignedArray<float> cell_;
  AlignedArray<float> gates_;
  AlignedArray<float> next_cell_;
  Outcome outcome_;
};

// A unit by itself, in double precision.
struct Unit {
  double gates[4];
  double next_hidden;
  double next_cell;
};

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// `sums` are what goes into the gates: for a GRU of reset, update, new's input
// part and new's hidden part; for an LSTM of input, forget, cell, output.
// `before` is the hidden state for a GRU, the cell for an LSTM.
Unit ComputeUnit(RnnType type, const double (&sums)[4], double before) {
  Unit unit = {};
  if (type == RnnType::kGru) {
    const double reset = Sigmoid(sums[0]);
    const double update = Sigmoid(sums[1]);
    const double fresh = std::tanh(sums[2] + reset * sums[3]);
    unit = {{reset, update, fresh, sums[3]}, 0, 0};
    unit.next_hidden = (1 - update) * fresh + update * before;
  } else {
    unit = {{Sigmoid(sums[0]), Sigmoid(sums[1]), std::tanh(sums[2]),
             Sigmoid(sums[3])},
            0,
            0};
    unit.next_cell = unit.gates[1] * before + unit.gates[0] * unit.gates[2];
    unit.next_hidden = unit.gates[3] * std::tanh(unit.next_cell);
  }
  return unit;
}

struct ExpectedOutcome {
  std::vector<double> gates;
  std::vector<double> next_hidden;
  std::vector<double> next_cell;
  std::vector<double> gradients;
  std::vector<double> carried;
};

// An example in double precision, unit by unit; what is multiplied is rounded
// as factors are.
class ReferenceStep {
 public:
  ReferenceStep(Precision precision, const Example& example)
      : precision_(precision),
        example_(example),
        layout_(LayoutOf(example.type)),
        hidden_(example.hidden) {
    expected_.gates.resize(4 * example.rows * hidden_);
    expected_.gradients.resize(4 * example.rows * hidden_);
  }

  ExpectedOutcome Compute() {
    for (int64_t row = 0; row < example_.rows; ++row) {
      for (int64_t i = 0; i < hidden_; ++i) ComputePlace(row, i);
    }
    return expected_;
  }

 private:
  bool IsGru() const { return example_.type == RnnType::kGru; }

  double Product(float a, float b) const {
    return double{Rounded(precision_, a)} * double{Rounded(precision_, b)};
  }

  // What goes into unit `i`'s gate `gate` from the hidden state, and in all.
  double HiddenPart(int64_t row, int64_t i, int64_t gate) const {
    double sum = 0;
    for (int64_t k = 0; k < hidden_; ++k) {
      sum += Product(example_.state[row * hidden_ + k],
                     example_.weight[(gate * hidden_ + i) * hidden_ + k]);
    }
    return sum;
  }
  void FillSums(int64_t row, int64_t i, double (&sums)[4]) const {
    for (int64_t gate = 0; gate < layout_.gates; ++gate) {
      const double input =
          example_.inputs[(row * layout_.gates + gate) * hidden_ + i];
      sums[gate] = input + HiddenPart(row, i, gate);
      if (IsGru() && gate == 2) {
        sums[2] = input;
        sums[3] = HiddenPart(row, i, gate) + example_.bias[i];
      }
    }
  }

  // What comes back to unit `i` from the step after.
  double LaterPart(int64_t row, int64_t i) const {
    double sum = 0;
    if (!example_.has_later) return sum;
    for (int64_t gate = 0; gate < layout_.gates; ++gate) {
      for (int64_t k = 0; k < hidden_; ++k) {
        const int64_t weight_row = layout_.order_hidden[gate] * hidden_ + k;
        sum +=
            Product(example_.later[(row * layout_.gates + gate) * hidden_ + k],
                    example_.weight[weight_row * hidden_ + i]);
      }
    }
    return sum;
  }

  // Derivatives are differences of the step forward.
  void ComputePlace(int64_t row, int64_t i) {
    const int64_t place = row * hidden_ + i;
    double sums[4];
    FillSums(row, i, sums);
    const double before =
        IsGru() ? example_.state[place] : example_.cell[place];
    const Unit unit = ComputeUnit(example_.type, sums, before);
    expected_.next_hidden.push_back(unit.next_hidden);
    expected_.next_cell.push_back(unit.next_cell);
    const double gradient = LaterPart(row, i) + example_.output[place];
    const double carried = example_.carried[place];
    const auto loss = [&](double state) {
      const Unit at = ComputeUnit(example_.type, sums, state);
      return IsGru() ? (gradient + carried) * at.next_hidden
                     : gradient * at.next_hidden + carried * at.next_cell;
    };
    constexpr double kStep = 1e-6;
    // Which of the sums the gradients, in their order, belong to.
    constexpr int kGruOrder[] = {3, 0, 1, 2};
    for (int gate = 0; gate < 4; ++gate) {
      const int64_t at = gate * example_.rows * hidden_ + place;
      expected_.gates[at] = unit.gates[gate];
      double& sum = sums[IsGru() ? kGruOrder[gate] : gate];
      const double value = sum;
      sum = value + kStep;
      const double above = loss(before);
      sum = value - kStep;
      expected_.gradients[at] = (above - loss(before)) / (2 * kStep);
      sum = value;
    }
    expected_.carried.push_back((loss(before + kStep) - loss(before - kStep)) /
                                (2 * kStep));
  }

  const Precision precision_;
  const Example& example_;
  const GateLayout& layout_;
  const int64_t hidden_;
  ExpectedOutcome expected_;
};

class RecurrenceTest : public EachArithmeticTest {
 protected:
  void Check(const Example& example) {
    SCOPED_TRACE(absl::StrCat(RnnTypeName(example.type), " of ", example.hidden,
                              ", rows ", example.rows));
    const Outcome outcome = Step(arithmetic(), example).Compute();
    const ExpectedOutcome expected =
        ReferenceStep(arithmetic().precision, example).Compute();
    EXPECT_TRUE(AllNear(outcome.gates, expected.gates, 1e-6));
    EXPECT_TRUE(AllNear(outcome.next_hidden, expected.next_hidden, 1e-6));
    EXPECT_TRUE(AllNear(outcome.next_cell, expected.next_cell, 1e-6));
    // Gradients are sums of some hundred products.
    EXPECT_TRUE(AllNear(outcome.gradients, expected.gradients, 4e-6));
    EXPECT_TRUE(AllNear(outcome.carried, expected.carried, 4e-6));
    if (!HasAvx2Bits()) return;
    const Outcome avx2 = Step(kAvx2Fp32, example).Compute();
    EXPECT_TRUE(SameBits(outcome.gates, avx2.gates));
    EXPECT_TRUE(SameBits(outcome.next_hidden, avx2.next_hidden));
    EXPECT_TRUE(SameBits(outcome.next_cell, avx2.next_cell));
    EXPECT_TRUE(SameBits(outcome.gradients, avx2.gradients));
    EXPECT_TRUE(SameBits(outcome.carried, avx2.carried));
  }
};

TEST_P(RecurrenceTest, AStepIsItsFormulaForAnyNumberOfRows) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (int64_t rows = 1; rows <= 30; ++rows) {
      Check(MakeExample(type, rows, 17));
    }
  }
}

TEST_P(RecurrenceTest, AStepIsItsFormulaAtAnyHiddenSize) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int64_t hidden : {1, 3, 15, 16, 17, 31, 33, 50, 64, 65, 100}) {
      Check(MakeExample(type, 3, hidden));
    }
  }
}

TEST_P(RecurrenceTest, TheLastStepHasNoLaterOne) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    Example example = MakeExample(type, 5, 33);
    example.has_later = false;
    Check(example);
  }
}

TEST_P(RecurrenceTest, GatesMayTakeThePlaceOfTheInputs) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int64_t hidden : {17, 80}) {
      Example example = MakeExample(type, 5, hidden);
      example.in_place = true;
      Check(example);
    }
  }
}

TEST_P(RecurrenceTest, GatesThatAreFarFromZeroSaturate) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    Example example = MakeExample(type, 5, 33);
    for (float& input : example.inputs) input *= 1000;
    Check(example);
  }
}

TEST_P(RecurrenceTest, PaddingStaysZeroWhateverIsInfinite) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (std::vector<float> Example::* numbers :
         {&Example::weight, &Example::state, &Example::cell, &Example::inputs,
          &Example::later, &Example::output, &Example::carried}) {
      Example example = MakeExample(type, 3, 33);
      (example.*numbers)[5] = std::numeric_limits<float>::infinity();
      Step(arithmetic(), example).Compute();  // which looks at all padding
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, RecurrenceTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
