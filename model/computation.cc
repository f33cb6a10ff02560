#include "model/computation.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "model/char_rnn.h"
#include "model/dropout.h"
#include "model/grains.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/network_pass.h"
#include "model/kernels/network_weights.h"
#include "model/loss.h"
#include "model/rnn_state.h"
#include "model/torch_status.h"

namespace charrnn {
namespace {

// Rows that go through time together: weights are read from the second level
// cache once for them all.
constexpr int64_t kRowsTogether = 16;

PassInput InputOf(const TextRows& text, const RnnState* state) {
  PassInput input;
  input.rows = text.rows;
  input.seq_len = text.seq_len;
  input.inputs = text.inputs.data();
  input.targets = text.targets.data();
  const auto array = [&](const at::Tensor& part) {
    CHARRNN_CHECK(part.is_contiguous()) << "a state of another layout";
    return part.mutable_data_ptr<float>();
  };
  if (state != nullptr) {
    input.hidden = array(state->hidden);
    if (state->cell.defined()) input.cell = array(state->cell);
  }
  return input;
}

}  // namespace

class Computation::Lent {
 public:
  explicit Lent(const Computation& lender) : lender_(lender) {
    {
      const std::lock_guard<std::mutex> lock(lender.mutex_);
      if (!lender.idle_.empty()) {
        pass_ = std::move(lender.idle_.back());
        lender.idle_.pop_back();
        return;
      }
    }
    pass_ = std::make_unique<NetworkPass>(lender.weights_.get());
  }
  ~Lent() {
    const std::lock_guard<std::mutex> lock(lender_.mutex_);
    lender_.idle_.push_back(std::move(pass_));
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  NetworkPass* operator->() { return pass_.get(); }

 private:
  const Computation& lender_;
  std::unique_ptr<NetworkPass> pass_;
};

Computation::Computation(const CharRnn* model,
                         const std::optional<Arithmetic>& kernels)
    : model_(*model) {
  if (!kernels.has_value()) return;
  CHARRNN_CHECK(model->device().is_cpu()) << model->device();
  weights_ = std::make_unique<NetworkWeights>(model->config(), *kernels);
}

void Computation::TakeWeights(ThreadPool& pool) {
  if (weights_ == nullptr) return;
  weights_->Take(model_.flat().const_data_ptr<float>(), /*backward=*/true,
                 pool);
}

absl::StatusOr<double> Computation::Loss(const TextRows& text,
                                         RnnState* state) const {
  if (weights_ == nullptr) return charrnn::Loss(model_, text, state);
  double loss = 0;
  // It takes memory, which there may not be.
  CHARRNN_RETURN_IF_ERROR(CatchTorch("computing the loss", [&] {
    loss = Lent(*this)->Loss(InputOf(text, state));
  }));
  return loss;
}

absl::Status Computation::LossesAndGradients(const TextRows& text,
                                             const DropoutKey& dropout,
                                             absl::Span<GrainResult> grains,
                                             RnnState* state) const {
  if (weights_ == nullptr) return PlainGradients(text, dropout, grains, state);
  return CatchTorch("computing the gradient", [&] {
    PassInput input = InputOf(text, state);
    input.dropout = &dropout;
    std::array<PassGrain, kRowsTogether> memory;
    CHARRNN_CHECK(grains.size() <= memory.size()) << grains.size();
    const absl::Span<PassGrain> parts =
        absl::MakeSpan(memory).subspan(0, grains.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      parts[i] = {grains[i].rows.begin, grains[i].rows.end,
                  grains[i].gradient.mutable_data_ptr<float>()};
    }
    Lent(*this)->LossAndGradient(input, parts);
    for (size_t i = 0; i < parts.size(); ++i) grains[i].loss = parts[i].loss;
  });
}

absl::Status Computation::PlainGradients(const TextRows& text,
                                         const DropoutKey& dropout,
                                         absl::Span<GrainResult> grains,
                                         RnnState* state) const {
  std::vector<RnnState> states(grains.size());
  for (size_t i = 0; i < grains.size(); ++i) {
    const IndexRange rows = grains[i].rows;
    if (state != nullptr) {
      CHARRNN_RETURN_IF_ERROR(CatchTorch("copying the streams", [&] {
        states[i] = StateOfRows(*state, rows);
      }));
    }
    const auto slice = [&](absl::Span<const int32_t> ids) {
      return ids.subspan(rows.begin * text.seq_len, rows.size() * text.seq_len);
    };
    DropoutKey key = dropout;
    key.first_row += rows.begin;
    CHARRNN_ASSIGN_OR_RETURN(
        grains[i].loss,
        LossAndGradient(model_,
                        {rows.size(), text.seq_len, slice(text.inputs),
                         slice(text.targets)},
                        key, grains[i].gradient,
                        state == nullptr ? nullptr : &states[i]));
  }
  if (state == nullptr) return absl::OkStatus();
  return CatchTorch("joining the streams", [&] { *state = JoinRows(states); });
}

int64_t Computation::GrainsTogether(int64_t rows, int64_t count,
                                    int threads) const {
  if (weights_ == nullptr) return 1;
  const int64_t share = count / threads;
  return std::max<int64_t>(1, std::min(share, kRowsTogether / rows));
}

}  // namespace charrnn
