// What streams are for: a text that only memory predicts, longer than a chunk.

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "testing/long_memory_source.h"
#include "testing/run_outcome.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

constexpr int kSeqLen = 8;

class LongMemoryTest : public testing::TestWithParam<const char*> {
 protected:
  LongMemoryTest() : text_(source_.Generate(400'000, /*seed=*/3)) {
    workplace_.Write("text.txt", text_);
  }

  // The validation loss of a model that was trained in `data_order`.
  double Learn(const std::string& data_order) const {
    const SubprocessResult result = workplace_.Run(
        "train",
        {"--data_path=text.txt", absl::StrCat("--rnn_type=", GetParam()),
         absl::StrCat("--data_order=", data_order),
         absl::StrCat("--run_dir=", data_order), "--embedding_dim=4",
         "--hidden_dim=16", absl::StrCat("--seq_len=", kSeqLen),
         "--batch_size=64", "--num_epochs=3", "--dropout=0",
         "--learning_rate=1e-2", "--lr_schedule=cosine", "--sample_every=0",
         "--val_fraction=0.2"});
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    const std::vector<double> losses = ValidationLosses(workplace_, data_order);
    EXPECT_EQ(losses.size(), 3);
    return losses.empty() ? 0 : losses.back();
  }

  const LongMemorySource source_ = {};
  const std::string text_;
  const Workplace workplace_;
};

TEST_P(LongMemoryTest, StreamsLearnWhatNoModelCanThatForgets) {
  const double forgetful = source_.ForgetfulLoss(
      text_.substr(text_.size() - text_.size() / 5), kSeqLen);
  const double shuffled = Learn("shuffled");
  const double streams = Learn("streams");
  std::printf(
      "%s: shuffled %.4f, streams %.4f nats; with all the text before %.4f, "
      "with %d characters %.4f\n",
      GetParam(), shuffled, streams, source_.EntropyRate(), kSeqLen, forgetful);
  // The bound is of the mean; a text strays a little from it.
  EXPECT_GT(shuffled, forgetful - 0.005);
  EXPECT_LT(streams, forgetful - 0.015);
}

INSTANTIATE_TEST_SUITE_P(Networks, LongMemoryTest,
                         testing::Values("GRU", "LSTM"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace charrnn
