#include "model/parameter_layout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "model/config.h"

namespace charrnn {
namespace {

constexpr int64_t kAlignment = 64 / sizeof(float);

}  // namespace

ParameterLayout::ParameterLayout(const ModelConfig& config) {
  const int64_t vocab = config.vocab_size;
  const int64_t embedding = config.embedding_dim;
  const int64_t hidden = config.hidden_dim;
  const int64_t gates = config.rnn_type == RnnType::kGru ? 3 : 4;
  Add("emb.weight", {vocab, embedding}, 0);
  for (int layer = 0; layer < config.num_layers; ++layer) {
    const int64_t input = layer == 0 ? embedding : hidden;
    Add(absl::StrCat("rnn.weight_ih_l", layer), {gates * hidden, input},
        hidden);
    Add(absl::StrCat("rnn.weight_hh_l", layer), {gates * hidden, hidden},
        hidden);
    Add(absl::StrCat("rnn.bias_ih_l", layer), {gates * hidden}, hidden);
    Add(absl::StrCat("rnn.bias_hh_l", layer), {gates * hidden}, hidden);
  }
  Add("fc.weight", {vocab, hidden}, hidden);
  Add("fc.bias", {vocab}, hidden);
}

void ParameterLayout::Add(std::string name, std::vector<int64_t> shape,
                          double fan_in) {
  ParameterSpec spec;
  spec.name = std::move(name);
  spec.size = 1;
  for (const int64_t dimension : shape) spec.size *= dimension;
  spec.shape = std::move(shape);
  spec.offset = flat_size_;
  spec.fan_in = fan_in;
  num_parameters_ += spec.size;
  flat_size_ += (spec.size + kAlignment - 1) / kAlignment * kAlignment;
  parameters_.push_back(std::move(spec));
}

void InitializeParameters(const ParameterLayout& layout, uint64_t seed,
                          absl::Span<float> flat) {
  std::fill(flat.begin(), flat.end(), 0.0f);
  for (size_t p = 0; p < layout.parameters().size(); ++p) {
    const ParameterSpec& spec = layout.parameters()[p];
    for (int64_t i = 0; i < spec.size; ++i) {
      const PhiloxBlock random =
          Philox({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32),
                  static_cast<uint32_t>(p),
                  static_cast<uint32_t>(RandomPurpose::kInitialization)},
                 seed);
      const double u = ToUnitDouble(random[0], random[1]);
      double value;
      if (spec.fan_in == 0) {
        value = ToNormals(u, ToUnitDouble(random[2], random[3]))[0];
      } else {
        value = (2 * u - 1) / std::sqrt(spec.fan_in);
      }
      flat[spec.offset + i] = static_cast<float>(value);
    }
  }
}

}  // namespace charrnn
