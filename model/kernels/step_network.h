#ifndef CHARRNN_MODEL_KERNELS_STEP_NETWORK_H_
#define CHARRNN_MODEL_KERNELS_STEP_NETWORK_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/config.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/network_weights.h"
#include "model/kernels/packed_matrix.h"
#include "model/kernels/quantized_product.h"

namespace charrnn {

// The weights of a network that reads a symbol at a time, packed once and then
// read by all threads.
class StepWeights {
 public:
  // Takes the weights in `flat`, [ParameterLayout(config).flat_size()], as they
  // are now. This machine can compute with `arithmetic`.
  StepWeights(const ModelConfig& config, const Arithmetic& arithmetic,
              const float* flat);

  const ModelConfig& config() const { return network_.config(); }
  const Arithmetic& arithmetic() const { return arithmetic_; }

 private:
  friend class StepNetwork;

  // A right factor in the precision that is computed in: one of both.
  struct Factor {
    const PackedMatrix* packed;
    std::vector<QuantizedMatrix> quantized;  // none or one
  };
  Factor MakeFactor(const PackedMatrix& matrix) const;

  const Arithmetic arithmetic_;
  NetworkWeights network_;
  std::vector<Factor> hidden_;  // one a layer
  std::vector<Factor> input_;   // one a layer but the first
  Factor output_;
};

// Rows of text that are read side by side, a symbol at a time: what a network
// is while it writes. What comes out for a row does not depend on the rows
// beside it. A step allocates nothing. For one thread at a time.
//
//   const StepWeights weights(config, {BestIsa(), Precision::kFp32}, flat);
//   StepNetwork network(&weights, /*rows=*/1);
//   network.Begin(prompt);
//   while (..) symbol = Draw(network.Step({symbol}));
class StepNetwork {
 public:
  // `weights` is not owned and outlives it.
  StepNetwork(const StepWeights* weights, int64_t rows);

  // Every row has read `prompt`, perhaps nothing, and nothing else.
  void Begin(absl::Span<const int32_t> prompt);

  // Row r reads symbols[r]. Returns the logits of what follows, rows of
  // logits_stride() of which the first V count, valid until the next call.
  const float* Step(absl::Span<const int32_t> symbols);
  int64_t logits_stride() const { return weights_.network_.classes(); }

 private:
  // A layer's state. Factors are the hidden state as rows of a left factor,
  // with what a step is in each of them; in fp32 it is `hidden` itself.
  struct Layer {
    AlignedArray<float> hidden;  // [rows, U]
    AlignedArray<float> cell;    // the same; LSTM
    AlignedArray<float> factors;
    AlignedArray<float> scales;  // [rows]; int8
  };

  // The first `rows` rows read `times` symbols each, symbols[time * rows + r].
  void Advance(const int32_t* symbols, int64_t times, int64_t rows);
  void AdvanceLayer(int layer, int64_t times, int64_t rows);
  // Factors of the state that a layer has now.
  void MakeFactors(Layer& layer, int64_t rows) const;
  // What a layer has put out, as left factor of the next product.
  const float* Factors(const Layer& layer) const {
    return weights_.arithmetic_.precision == Precision::kFp32
               ? layer.hidden.data()
               : layer.factors.data();
  }
  void Multiply(const StepWeights::Factor& right, int64_t rows,
                const float* left, const float* scales, const float* bias,
                float* output, int64_t output_stride) const;

  const StepWeights& weights_;
  const int64_t rows_;
  const int64_t units_;        // U
  const int64_t factor_size_;  // elements of a row of a left factor
  std::vector<Layer> layers_;
  // Work space for as many rows as are read side by side or one after another.
  std::vector<const float*> inputs_;
  AlignedArray<float> gates_;    // [.., 4 * U]
  AlignedArray<float> sums_;     // [rows, gates * U]
  AlignedArray<float> outputs_;  // left factors, time after time
  AlignedArray<float> output_scales_;
  AlignedArray<float> logits_;  // [rows, V padded]
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_STEP_NETWORK_H_
