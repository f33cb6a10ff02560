#include "model/computation.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/grains.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/each_arithmetic.h"
#include "model/loss.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"
#include "model/torch_threads.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

// A network and a text, of sizes that no vector's width divides unless said.
struct Shape {
  RnnType type;
  int layers;
  int hidden;
  int64_t rows;
  int64_t times;
  int vocab = 37;
  int embedding = 11;
  double dropout = 0.25;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  return out << RnnTypeName(shape.type) << " of " << shape.layers << " x "
             << shape.hidden << ", " << shape.rows << " x " << shape.times
             << ", vocabulary " << shape.vocab << ", embedding "
             << shape.embedding << ", dropout " << shape.dropout;
}

const Shape kShapes[] = {
    {RnnType::kGru, 1, 50, 9, 7},
    {RnnType::kLstm, 1, 50, 9, 7},
    {RnnType::kGru, 3, 17, 4, 5},
    {RnnType::kLstm, 3, 17, 4, 5},
    {RnnType::kGru, 2, 48, 16, 12, 64, 32, 0},
    {RnnType::kLstm, 2, 48, 16, 12, 64, 32, 0},
    // One row, one step, one unit, one symbol.
    {RnnType::kGru, 1, 33, 1, 9},
    {RnnType::kLstm, 2, 33, 3, 1},
    {RnnType::kGru, 2, 1, 2, 3, 5, 1},
    {RnnType::kLstm, 1, 5, 2, 3, 1, 3},
    // More than one block of times, and of columns.
    {RnnType::kGru, 1, 130, 21, 33, 150, 70},
    {RnnType::kLstm, 1, 130, 21, 33, 150, 70},
};

// What a computation has made of a text.
struct Outcome {
  double loss = 0;
  std::vector<double> grain_losses;
  std::vector<at::Tensor> gradients;
  RnnState state;
};

// All that there is to compute for a shape, and how.
class Problem {
 public:
  explicit Problem(const Shape& shape) : shape_(shape) {
    ModelConfig config;
    config.rnn_type = shape.type;
    config.vocab_size = shape.vocab;
    config.embedding_dim = shape.embedding;
    config.hidden_dim = shape.hidden;
    config.num_layers = shape.layers;
    const ParameterLayout layout(config);
    at::Tensor flat = at::empty({layout.flat_size()});
    InitializeParameters(layout, /*seed=*/5,
                         absl::MakeSpan(flat.mutable_data_ptr<float>(),
                                        static_cast<size_t>(flat.numel())));
    model_ = std::make_unique<CharRnn>(config, flat);
    for (int64_t i = 0; i < shape.rows * shape.times; ++i) {
      inputs_.push_back(static_cast<int32_t>((i * i + 3 * i) % shape.vocab));
      targets_.push_back(static_cast<int32_t>((i * i + i) % shape.vocab));
    }
    dropout_.seed = 3;
    dropout_.step = 8;
    dropout_.rate = shape.dropout;
    dropout_.first_row = 100;
  }

  const CharRnn& model() const { return *model_; }
  TextRows text() const {
    return {shape_.rows, shape_.times, inputs_, targets_};
  }
  const DropoutKey& dropout() const { return dropout_; }

  // A state as after another text.
  RnnState State() const {
    RnnState state = model_->ZeroState(shape_.rows);
    for (int64_t i = 0; i < state.hidden.numel(); ++i) {
      const auto value = static_cast<float>(std::sin(i));
      state.hidden.view({-1})[i] = value;
      if (state.cell.defined()) state.cell.view({-1})[i] = 2 * value;
    }
    return state;
  }

  // The whole text as `count` grains.
  Outcome Compute(const std::optional<Arithmetic>& kernels,
                  int64_t count) const {
    Computation computation(model_.get(), kernels);
    const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(2);
    computation.TakeWeights(*pool);
    Outcome outcome;
    outcome.state = State();
    std::vector<GrainResult> grains(count);
    for (int64_t i = 0; i < count; ++i) {
      grains[i].rows = GrainRows(shape_.rows, count, i);
      grains[i].gradient = at::zeros({model_->layout().flat_size()});
    }
    EXPECT_THAT(computation.LossesAndGradients(
                    text(), dropout_, absl::MakeSpan(grains), &outcome.state),
                IsOk());
    for (const GrainResult& grain : grains) {
      outcome.loss += grain.loss;
      outcome.grain_losses.push_back(grain.loss);
      outcome.gradients.push_back(grain.gradient);
    }
    return outcome;
  }

 private:
  const Shape shape_;
  std::unique_ptr<CharRnn> model_;
  std::vector<int32_t> inputs_;
  std::vector<int32_t> targets_;
  DropoutKey dropout_;
};

// All ways to compute gradients that this machine has.
std::vector<Arithmetic> AllKernels() {
  return SupportedArithmetics({Precision::kFp32, Precision::kBf16});
}

// How far apart two arrays are, as a part of their size.
double Difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).norm().item<double>() / (b.norm().item<double>() + 1e-6);
}

class ComputationTest : public testing::TestWithParam<Shape> {
 protected:
  ComputationTest() : problem_(GetParam()) { SetTorchThreads(1); }

  // The gradient of one parameter.
  at::Tensor Part(const at::Tensor& gradient, const ParameterSpec& spec) const {
    return gradient.narrow(0, spec.offset, spec.size);
  }

  const Problem problem_;
};

TEST_P(ComputationTest, GivesWhatLibTorchsOperatorsGive) {
  const Outcome plain = problem_.Compute(std::nullopt, 1);
  for (const Arithmetic& kernels : AllKernels()) {
    SCOPED_TRACE(NameOf(kernels));
    const Outcome fused = problem_.Compute(kernels, 1);
    // bfloat16 has 8 bits, and errors of a sum's terms cancel out in part.
    const bool bf16 = kernels.precision == Precision::kBf16;
    const double tolerance = bf16 ? 2e-2 : 2e-5;
    EXPECT_NEAR(fused.loss, plain.loss,
                (bf16 ? 2e-3 : 2e-6) * (plain.loss + 1e-3));
    EXPECT_LT(Difference(fused.state.hidden, plain.state.hidden), tolerance);
    if (plain.state.cell.defined()) {
      EXPECT_LT(Difference(fused.state.cell, plain.state.cell), tolerance);
    }
    for (const ParameterSpec& spec : problem_.model().layout().parameters()) {
      EXPECT_LT(Difference(Part(fused.gradients[0], spec),
                           Part(plain.gradients[0], spec)),
                tolerance)
          << spec.name;
    }
  }
}

TEST_P(ComputationTest, GrainsComputedTogetherAreThoseComputedAlone) {
  const int64_t count = std::min<int64_t>(3, GetParam().rows);
  for (const Arithmetic& kernels : AllKernels()) {
    SCOPED_TRACE(NameOf(kernels));
    const Outcome plain = problem_.Compute(std::nullopt, count);
    const Outcome fused = problem_.Compute(kernels, count);
    const double tolerance =
        kernels.precision == Precision::kBf16 ? 2e-2 : 2e-5;
    for (int64_t i = 0; i < count; ++i) {
      EXPECT_NEAR(fused.grain_losses[i], plain.grain_losses[i],
                  tolerance * (plain.grain_losses[i] + 1e-3));
      EXPECT_LT(Difference(fused.gradients[i], plain.gradients[i]), tolerance);
    }
  }
}

TEST_P(ComputationTest, AllVectorsGiveTheSameBits) {
  std::optional<Outcome> first;
  for (const Arithmetic& kernels : AllKernels()) {
    if (kernels.isa == Isa::kPortable ||
        kernels.precision != Precision::kFp32) {
      continue;
    }
    const Outcome outcome = problem_.Compute(kernels, 1);
    if (first.has_value()) {
      EXPECT_EQ(outcome.loss, first->loss);
      EXPECT_TRUE(at::equal(outcome.gradients[0], first->gradients[0]));
      EXPECT_TRUE(at::equal(outcome.state.hidden, first->state.hidden));
    } else {
      first = outcome;
    }
  }
}

TEST_P(ComputationTest, LossIsThatWithoutDropout) {
  const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(1);
  RnnState state = problem_.State();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double plain,
                               Loss(problem_.model(), problem_.text(), &state));
  for (const Arithmetic& kernels : AllKernels()) {
    SCOPED_TRACE(NameOf(kernels));
    const double tolerance =
        kernels.precision == Precision::kBf16 ? 2e-2 : 2e-5;
    Computation computation(&problem_.model(), kernels);
    computation.TakeWeights(*pool);
    RnnState fused = problem_.State();
    CHARRNN_ASSERT_OK_AND_ASSIGN(const double loss,
                                 computation.Loss(problem_.text(), &fused));
    EXPECT_NEAR(loss, plain, tolerance / 10 * (plain + 1e-3));
    EXPECT_LT(Difference(fused.hidden, state.hidden), tolerance);
    // Without a state it begins with zeros.
    CHARRNN_ASSERT_OK_AND_ASSIGN(const double from_nothing,
                                 Loss(problem_.model(), problem_.text()));
    CHARRNN_ASSERT_OK_AND_ASSIGN(const double fused_from_nothing,
                                 computation.Loss(problem_.text(), nullptr));
    EXPECT_NEAR(fused_from_nothing, from_nothing,
                tolerance / 10 * (from_nothing + 1e-3));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ComputationTest, testing::ValuesIn(kShapes));

TEST(ComputationWeightsTest, AreThoseThatWereTakenLast) {
  const Problem problem(kShapes[0]);
  const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(1);
  Computation computation(&problem.model(), Arithmetic{BestIsa()});
  computation.TakeWeights(*pool);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double before,
                               computation.Loss(problem.text(), nullptr));
  problem.model().flat().mul_(0.5);
  computation.TakeWeights(*pool);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double after,
                               computation.Loss(problem.text(), nullptr));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const double expected,
                               Loss(problem.model(), problem.text()));
  EXPECT_GT(std::abs(after - before), 1e-3);
  EXPECT_NEAR(after, expected, 1e-5 * expected);
}

TEST(ComputationGrainsTest, SmallOnesGoTogetherUnlessAThreadWouldBeIdle) {
  const Problem problem(kShapes[0]);
  const Computation fused(&problem.model(), Arithmetic{BestIsa()});
  EXPECT_EQ(fused.GrainsTogether(/*rows=*/16, /*count=*/8, /*threads=*/2), 1);
  EXPECT_EQ(fused.GrainsTogether(4, 8, 2), 4);
  EXPECT_EQ(fused.GrainsTogether(4, 8, 4), 2);
  EXPECT_EQ(fused.GrainsTogether(1, 8, 16), 1);
  const Computation plain(&problem.model(), std::nullopt);
  EXPECT_EQ(plain.GrainsTogether(4, 8, 2), 1);
}

}  // namespace
}  // namespace charrnn
