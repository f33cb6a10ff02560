#ifndef CHARRNN_MODEL_KERNELS_NETWORK_PASS_H_
#define CHARRNN_MODEL_KERNELS_NETWORK_PASS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/config.h"
#include "model/dropout.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/network_weights.h"
#include "model/kernels/outer_product.h"
#include "model/kernels/product.h"

namespace charrnn {

// Rows of text to be read, and what they come with.
struct PassInput {
  int64_t rows = 0;                     // R
  int64_t seq_len = 0;                  // T
  const int32_t* inputs = nullptr;      // [R, T]
  const int32_t* targets = nullptr;     // [R, T]
  const DropoutKey* dropout = nullptr;  // null: none
  // What the rows begin with, and afterwards what they end with, [L, R, H];
  // null: zeros that nobody wants back. `cell` for an LSTM only.
  float* hidden = nullptr;
  float* cell = nullptr;
};

// Rows [begin, end) of a pass, whose loss and gradient are summed by
// themselves.
struct PassGrain {
  int64_t begin = 0;
  int64_t end = 0;
  float* gradient = nullptr;  // [layout().flat_size()], overwritten
  double loss = 0;            // nats, summed over targets
};

// Takes rows of text through the network and back. What comes out for a row
// does not depend on which rows go along, nor a grain's sums on other grains.
// Keeps its work space, so that a pass allocates nothing once there has been
// one of its size; for one thread at a time.
class NetworkPass {
 public:
  // `weights` is not owned and outlives it.
  explicit NetworkPass(const NetworkWeights* weights);

  // The loss of the rows, nats summed over targets.
  double Loss(const PassInput& input);

  // Those of the grains, which are neighbours and make up all rows, and their
  // gradients. No gradient goes through the state that the rows begin with.
  void LossAndGradient(const PassInput& input, absl::Span<PassGrain> grains);

 private:
  // A layer on its way through time; index (t, r) is at t * R + r.
  struct Layer {
    AlignedArray<float> hidden;   // [T + 1, R, U], first the state before
    AlignedArray<float> cell;     // the same; LSTM
    AlignedArray<float> factors;  // hidden as left factors; bf16
    AlignedArray<float> gates;    // [T, R, 4 * U]
    // What the layer puts out, as left factors, where dropout makes it another
    // than hidden, of the last layer a block alone: [.., R, U].
    AlignedArray<float> output;
    // On the way back. Gradients of gates take the gates' places, or in bf16
    // are left factors, of a block's times and of the one after.
    AlignedArray<float> carried;           // [R, U]
    AlignedArray<float> gradient_factors;  // [.., R, 4 * U]; bf16
  };
  // Sums of a grain that find their places in the gradient at the end.
  struct Sums {
    std::vector<int32_t> symbols;  // that occur in its inputs
    std::vector<int32_t> slots;    // [V]: where in `symbols` each one is, or -1
    AlignedArray<float> table;     // [symbols, gates * U]
    AlignedArray<float> biases;    // [L, 4 * U], of gates
    AlignedArray<float> output_bias;
  };
  // Times [begin, end): what goes back through the network at once, so that it
  // is still in cache when weights' gradients are computed.
  struct Times {
    int64_t begin;
    int64_t end;
    int64_t size() const { return end - begin; }
  };

  // Forward.
  // `block_times`: how many times are computed at once.
  void Prepare(const PassInput& input, int64_t block_times);
  void BeginLayer(int layer);
  void Forward();
  void ForwardLayer(int layer);
  void EndLayer(int layer);
  // What a layer puts out, with dropout.
  void Drop(int layer, Times times);
  // The mask of a row, `index` being that of the row among those of `times`.
  float* MaskRow(int layer, int64_t index);
  void FillMask(int layer, int64_t time, int64_t row, float* mask);
  FactorRows OutputFactors(int layer, int64_t time) const;
  // The state before `time`.
  FactorRows HiddenFactors(int layer, int64_t time) const;
  // The logits at `times`, their losses, and on the way back their gradients.
  void ComputeLogits(Times times, bool backward);
  double SumOfLosses(int64_t begin, int64_t end) const;

  // Backward, network_gradient.cc. The gradient of what a layer puts out is in
  // output_gradient_, and is followed there by that of the layer below.
  void BeginSums(PassGrain& grain, Sums& sums);
  void ReserveForSymbols(const PassGrain& grain, Sums& sums);
  // Gradients of a block's logits as left factors.
  FactorRows LogitFactors() const;
  void BackwardLogits(Times times);
  void BackwardLayer(int layer, Times times,
                     absl::Span<const PassGrain> grains);
  void BackwardInput(int layer, Times times);
  void MultiplyByMask(int layer, Times times, float* rows);
  void AddOutputGradients(Times times, const PassGrain& grain, Sums& sums);
  void AddLayerGradients(int layer, Times times, const PassGrain& grain);
  // Adds a time's gradients of gates, [R, 4 * U], to biases and to the table.
  void AddGateGradients(int layer, int64_t time, const float* gradients,
                        const PassGrain& grain, Sums& sums);
  // Those of a time of the block, or of the one after it, as left factors, from
  // gate `slot` on.
  FactorRows GateGradientFactors(int layer, int64_t time, int slot) const;
  void FinishSums(const PassGrain& grain, Sums& sums);
  void FinishBiases(int layer, const PassGrain& grain, const Sums& sums);
  // Calls f(time, row) for a grain's rows in the order of its sums.
  template <typename F>
  void ForEachRow(Times times, const PassGrain& grain, const F& f) const;

  bool IsLstm() const { return weights_.config().rnn_type == RnnType::kLstm; }
  bool IsBf16() const { return arithmetic_.precision == Precision::kBf16; }
  bool Drops() const {
    return input_.dropout != nullptr && input_.dropout->rate > 0;
  }
  int last_layer() const { return weights_.config().num_layers - 1; }
  // Elements of left factors that hold so many numbers.
  int64_t FactorSize(int64_t numbers) const {
    return numbers / NumbersPerElement(arithmetic_.precision);
  }
  Layer& At(int layer) { return layers_[layer]; }

  const NetworkWeights& weights_;
  const Arithmetic arithmetic_;
  const int64_t units_;       // U
  const int64_t gate_units_;  // gates * U

  PassInput input_;
  std::vector<DropoutNumbers> dropout_;  // one a layer, if there is dropout
  Times block_ = {0, 0};                 // that is being computed
  std::vector<Layer> layers_;
  std::vector<Sums> sums_;            // one a grain
  AlignedArray<double> losses_;       // [T, R]
  std::vector<const float*> inputs_;  // [R]
  // Of a block, [.., R, ..].
  std::vector<int32_t> targets_;
  AlignedArray<float> logits_;
  AlignedArray<float> logit_factors_;
  AlignedArray<float> output_gradient_;  // [.., R, U]
  AlignedArray<float> gate_gradients_;   // of a time, [R, 4 * U]; bf16
  // Masks of the last layer, which the way back needs soon; and one of others,
  // which are drawn again.
  AlignedArray<float> masks_;    // [.., R, U]
  AlignedArray<float> mask_;     // [U]
  AlignedArray<float> dropped_;  // [U]; bf16
  OuterProduct outer_;
  OuterProduct outer_fp32_;
  std::vector<const float*> left_rows_;
  std::vector<const float*> right_rows_;
  AlignedArray<float> embedding_gradient_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_NETWORK_PASS_H_
