// Training reaches what can be reached: on a source whose entropy is known
// exactly, the validation loss comes to within 2 % of it.

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "testing/run_outcome.h"
#include "testing/subprocess.h"
#include "testing/synthetic_corpus.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

class EntropyTest : public testing::TestWithParam<const char*> {};

TEST_P(EntropyTest, ASourceIsLearntToItsEntropy) {
  const SyntheticCorpus source;
  const Workplace workplace;
  workplace.Write("text.txt", source.Generate(200'000, /*seed=*/2));
  const SubprocessResult result = workplace.Run(
      "train",
      {"--data_path=text.txt", absl::StrCat("--rnn_type=", GetParam()),
       "--run_dir=run", "--embedding_dim=16", "--hidden_dim=32", "--seq_len=32",
       "--batch_size=64", "--num_epochs=3", "--dropout=0",
       "--learning_rate=1e-2", "--lr_schedule=cosine", "--sample_every=0",
       // A fifth held out: its own mean strays from the entropy by well under
       // one per cent.
       "--val_fraction=0.2"});
  ASSERT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_NEAR(ValidationLosses(workplace, "run").back(), source.EntropyRate(),
              0.02 * source.EntropyRate());
}

INSTANTIATE_TEST_SUITE_P(Networks, EntropyTest, testing::Values("GRU", "LSTM"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace charrnn
