// What is infinite in a network that writes does what the formulas make of it,
// as in NetworkPass: padding is not noticed.

#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/kernels/aligned_array.h"
#include "model/kernels/each_arithmetic.h"
#include "model/kernels/reference_pass.h"
#include "model/kernels/row_math.h"
#include "model/kernels/step_network.h"

namespace charrnn {
namespace {

class StepNetworkNotFiniteTest : public EachArithmeticTest {
 protected:
  // The loss of the one row of an example, read symbol by symbol.
  double LossByStep(const PassExample& example, const StepWeights& weights) {
    StepNetwork network(&weights, /*rows=*/1);
    double sum = 0;
    for (int64_t time = 0; time < example.seq_len; ++time) {
      const float* const logits = network.Step({example.inputs[time]});
      const int64_t columns = network.logits_stride();
      AlignedArray<float> copy =
          Aligned(absl::MakeConstSpan(logits, static_cast<size_t>(columns)));
      double loss = 0;
      CrossEntropy(arithmetic(), {example.targets[time]},
                   example.config.vocab_size, columns, /*gradient=*/false,
                   copy.data(), &loss);
      sum += loss;
    }
    return sum;
  }
};

TEST_P(StepNetworkNotFiniteTest, AnInfiniteEmbeddingSaturatesGates) {
  for (const RnnType type : {RnnType::kGru, RnnType::kLstm}) {
    for (const int hidden : {16, 17, 36}) {
      for (const int layers : {1, 2}) {
        PassExample example =
            MakeExample(MakeConfig(type, hidden, layers, /*vocab_size=*/7,
                                   /*embedding_dim=*/5),
                        /*rows=*/1, /*seq_len=*/12, /*has_state=*/false);
        example.flat[int64_t{example.inputs[3]} * 5 + 2] =
            std::numeric_limits<float>::infinity();
        const double expected = Reference(example).loss;
        ASSERT_TRUE(std::isfinite(expected));
        const StepWeights weights(example.config, arithmetic(),
                                  example.flat.data());
        EXPECT_NEAR(LossByStep(example, weights), expected,
                    (IsBf16() ? 0.02 : 1e-5) * expected)
            << RnnTypeName(type) << " of " << hidden << ", " << layers;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, StepNetworkNotFiniteTest,
                         testing::ValuesIn(AllArithmetics()), ArithmeticName);

}  // namespace
}  // namespace charrnn
