#include "model/char_rnn.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/gru.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/lstm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/loss.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"

namespace charrnn {
namespace {

constexpr int64_t kRows = 3;
constexpr int64_t kTimes = 5;
constexpr int kVocab = 11;

struct Case {
  RnnType type;
  int layers;
};

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  return std::string(RnnTypeName(info.param.type)) +
         std::to_string(info.param.layers);
}

CharRnn MakeModel(const Case& which) {
  ModelConfig config;
  config.rnn_type = which.type;
  config.vocab_size = kVocab;
  config.embedding_dim = 7;
  config.hidden_dim = 13;  // no vector's width
  config.num_layers = which.layers;
  const ParameterLayout layout(config);
  at::Tensor flat = at::zeros({layout.flat_size()});
  InitializeParameters(layout, 5,
                       absl::MakeSpan(flat.mutable_data_ptr<float>(),
                                      static_cast<size_t>(layout.flat_size())));
  return CharRnn(config, flat);
}

// Ids that are none of each other's neighbours by pattern.
std::vector<int32_t> Ids(int64_t offset) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < kRows * kTimes; ++i) {
    ids.push_back(static_cast<int32_t>((i * i + 3 * i + offset) % kVocab));
  }
  return ids;
}

at::Tensor ToTensor(const std::vector<int32_t>& ids) {
  at::Tensor tensor = at::zeros({kRows, kTimes}, at::kLong);
  for (size_t i = 0; i < ids.size(); ++i) {
    tensor.view({-1})[static_cast<int64_t>(i)] = ids[i];
  }
  return tensor;
}

// LibTorch's own module: all layers in one call of the operator, which is
// what torch.nn.GRU and torch.nn.LSTM call.
at::Tensor TorchLogits(const CharRnn& model,
                       const std::vector<at::Tensor>& weights,
                       const at::Tensor& ids) {
  const ModelConfig& config = model.config();
  const std::vector<at::Tensor> rnn(weights.begin() + 1, weights.end() - 2);
  const at::Tensor embedded = at::embedding(weights.front(), ids);
  const at::Tensor zero =
      at::zeros({config.num_layers, ids.size(0), config.hidden_dim});
  const at::Tensor output =
      config.rnn_type == RnnType::kGru
          ? std::get<0>(at::gru(embedded, zero, rnn, true, config.num_layers,
                                0.0, true, false, true))
          : std::get<0>(at::lstm(embedded, {zero, zero}, rnn, true,
                                 config.num_layers, 0.0, true, false, true));
  return at::linear(output, weights[weights.size() - 2], weights.back());
}

class CharRnnTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { at::set_num_threads(1); }
};

TEST_P(CharRnnTest, LogitsAreThoseOfLibTorchsModule) {
  const CharRnn model = MakeModel(GetParam());
  const at::Tensor ids = ToTensor(Ids(0));
  const at::Tensor logits =
      model.Forward(model.Weights(), ids, nullptr, nullptr);
  EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{kRows, kTimes, kVocab}));
  EXPECT_TRUE(at::allclose(logits, TorchLogits(model, model.Weights(), ids),
                           1e-5, 1e-6));
}

TEST_P(CharRnnTest, LossAndGradientAreThoseOfLibTorchsModule) {
  const CharRnn model = MakeModel(GetParam());
  const std::vector<int32_t> inputs = Ids(0);
  const std::vector<int32_t> targets = Ids(4);
  at::Tensor gradient = at::zeros({model.layout().flat_size()});
  const absl::StatusOr<double> loss = LossAndGradient(
      model, {kRows, kTimes, inputs, targets}, DropoutKey(), gradient);
  ASSERT_TRUE(loss.ok()) << loss.status();

  const std::vector<at::Tensor> leaves = model.Leaves();
  const at::Tensor expected = at::cross_entropy_loss(
      TorchLogits(model, leaves, ToTensor(inputs)).flatten(0, 1),
      ToTensor(targets).flatten(), {}, at::Reduction::Sum);
  EXPECT_NEAR(*loss, expected.item<double>(), 1e-4);
  const std::vector<at::Tensor> gradients =
      torch::autograd::grad({expected}, leaves);
  const absl::Span<const ParameterSpec> specs = model.layout().parameters();
  for (size_t i = 0; i < specs.size(); ++i) {
    const at::Tensor ours =
        gradient.narrow(0, specs[i].offset, specs[i].size).view(specs[i].shape);
    EXPECT_TRUE(at::allclose(ours, gradients[i], 1e-4, 1e-5)) << specs[i].name;
  }
}

TEST_P(CharRnnTest, GradientIsThatOfFiniteDifferences) {
  const CharRnn model = MakeModel(GetParam());
  const std::vector<int32_t> inputs = Ids(1);
  const std::vector<int32_t> targets = Ids(2);
  const TextRows text = {kRows, kTimes, inputs, targets};
  DropoutKey dropout;
  dropout.seed = 3;
  dropout.rate = 0.25;  // a fixed mask is part of the function
  const int64_t n = model.layout().flat_size();
  at::Tensor gradient = at::zeros({n});
  ASSERT_TRUE(LossAndGradient(model, text, dropout, gradient).ok());

  // In single precision one element's difference drowns in rounding, a
  // direction's does not: d/de L(w + e d) = <gradient, d>.
  const at::Tensor scratch = at::zeros({n});
  const at::Tensor& weights = model.flat();
  const at::Tensor start = weights.clone();
  for (const ParameterSpec& spec : model.layout().parameters()) {
    at::Tensor direction = at::zeros({n});
    const at::Tensor mine = gradient.narrow(0, spec.offset, spec.size);
    direction.narrow(0, spec.offset, spec.size)
        .copy_(mine / (mine.norm() + 1e-12));
    const double step = 1e-2;
    weights.copy_(start + direction * step);
    const double above = LossAndGradient(model, text, dropout, scratch).value();
    weights.copy_(start - direction * step);
    const double below = LossAndGradient(model, text, dropout, scratch).value();
    weights.copy_(start);
    const double expected = (gradient * direction).sum().item<double>();
    EXPECT_NEAR((above - below) / (2 * step), expected,
                2e-3 * std::abs(expected) + 2e-3)
        << spec.name;
  }
}

TEST_P(CharRnnTest, StateCarriesTheTextThatCameBefore) {
  const CharRnn model = MakeModel(GetParam());
  const at::Tensor ids = ToTensor(Ids(0));
  const at::Tensor whole =
      model.Forward(model.Weights(), ids, nullptr, nullptr);
  RnnState state = model.ZeroState(kRows);
  const at::Tensor first =
      model.Forward(model.Weights(), ids.narrow(1, 0, 2), nullptr, &state);
  const at::Tensor second = model.Forward(
      model.Weights(), ids.narrow(1, 2, kTimes - 2), nullptr, &state);
  EXPECT_TRUE(at::allclose(at::cat({first, second}, 1), whole, 1e-5, 1e-6));
}

TEST_P(CharRnnTest, DropoutFollowsEveryLayer) {
  const CharRnn model = MakeModel(GetParam());
  const std::vector<int32_t> inputs = Ids(0);
  const std::vector<int32_t> targets = Ids(4);
  const at::Tensor ids = ToTensor(inputs);
  DropoutKey dropout;
  dropout.rate = 0.5;
  const at::Tensor dropped =
      model.Forward(model.Weights(), ids, &dropout, nullptr);

  // The reference: layers one by one with the documented masks between.
  at::Tensor activations = at::embedding(model.Weights().front(), ids);
  const std::vector<at::Tensor> weights = model.Weights();
  for (int layer = 0; layer < GetParam().layers; ++layer) {
    const std::vector<at::Tensor> rnn(weights.begin() + 1 + int64_t{4} * layer,
                                      weights.begin() + 5 + int64_t{4} * layer);
    const at::Tensor zero = at::zeros({1, kRows, 13});
    activations = GetParam().type == RnnType::kGru
                      ? std::get<0>(at::gru(activations, zero, rnn, true, 1,
                                            0.0, false, false, true))
                      : std::get<0>(at::lstm(activations, {zero, zero}, rnn,
                                             true, 1, 0.0, false, false, true));
    at::Tensor mask = at::zeros(activations.sizes());
    FillDropoutMask(dropout, layer, kRows, kTimes, 13,
                    absl::MakeSpan(mask.mutable_data_ptr<float>(),
                                   static_cast<size_t>(mask.numel())));
    activations = activations * mask;
  }
  const at::Tensor expected =
      at::linear(activations, weights[weights.size() - 2], weights.back());
  EXPECT_TRUE(at::allclose(dropped, expected, 1e-5, 1e-6));
}

TEST_P(CharRnnTest, TheSameArgumentsGiveTheSameBits) {
  const CharRnn model = MakeModel(GetParam());
  const std::vector<int32_t> inputs = Ids(0);
  const std::vector<int32_t> targets = Ids(4);
  DropoutKey dropout;
  dropout.rate = 0.1;
  at::Tensor first = at::zeros({model.layout().flat_size()});
  at::Tensor second = at::zeros({model.layout().flat_size()});
  const TextRows text = {kRows, kTimes, inputs, targets};
  const double loss = LossAndGradient(model, text, dropout, first).value();
  EXPECT_EQ(LossAndGradient(model, text, dropout, second).value(), loss);
  EXPECT_TRUE(at::equal(first, second));
}

TEST(CharRnnWeightsTest, ViewsShowWhatIsWrittenToTheFlatArray) {
  const CharRnn model = MakeModel({RnnType::kGru, 1});
  model.flat().fill_(3);
  for (const at::Tensor& weight : model.Weights()) {
    EXPECT_TRUE(at::equal(weight, at::full_like(weight, 3)));
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, CharRnnTest,
                         testing::Values(Case{RnnType::kGru, 1},
                                         Case{RnnType::kGru, 3},
                                         Case{RnnType::kLstm, 1},
                                         Case{RnnType::kLstm, 2}),
                         CaseName);

}  // namespace
}  // namespace charrnn
