// The programs on a GPU, against the same on the CPU. Tagged `gpu`: run it by
// hand, with --config=cuda, on a machine that has one.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class GpuTest : public testing::TestWithParam<const char*> {
 protected:
  GpuTest() { workplace_.Write("text.txt", PlainText(100)); }

  // Standard output of a program that succeeds on `device`.
  std::string Run(absl::string_view program, const std::string& device,
                  std::vector<std::string> flags) const {
    flags.push_back(absl::StrCat("--device=", device));
    const SubprocessResult result = workplace_.Run(program, std::move(flags));
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
    EXPECT_THAT(result.stderr_text, HasSubstr(device));
    return result.stdout_text;
  }

  // Trains without dropout, whose masks are a device's own, for 48 steps.
  void Train(const std::string& device, const std::string& run_dir) const {
    Run("train", device,
        {"--data_path=text.txt", absl::StrCat("--run_dir=", run_dir),
         absl::StrCat("--rnn_type=", GetParam()), "--embedding_dim=8",
         "--hidden_dim=16", "--num_layers=2", "--dropout=0", "--batch_size=16",
         "--seq_len=16", "--num_epochs=4"});
  }

  // The validation loss of the best model of `run_dir`.
  double Evaluate(const std::string& device, const std::string& run_dir) const {
    const json found =
        json::parse(Run("evaluate", device,
                        {"--json", "--data_path=text.txt",
                         absl::StrCat("--checkpoint=", run_dir)}),
                    nullptr, false);
    return found.is_object() ? found["loss"].get<double>() : 0;
  }

  const Workplace workplace_;
};

TEST_P(GpuTest, LearnsWhatTheCpuLearns) {
  Train("cpu", "on_cpu");
  Train("cuda:0", "on_gpu");
  const double on_cpu = Evaluate("cpu", "on_cpu");
  EXPECT_GT(on_cpu, 0);
  EXPECT_NEAR(Evaluate("cuda:0", "on_gpu"), on_cpu, 0.02 * on_cpu);
}

// One model, two devices: cuDNN rounds products to TensorFloat-32.
TEST_P(GpuTest, EvaluatesAndSamplesAsTheCpuDoes) {
  Train("cpu", "run");
  const double on_cpu = Evaluate("cpu", "run");
  EXPECT_NEAR(Evaluate("cuda:0", "run"), on_cpu, 1e-2 * on_cpu);
  const std::vector<std::string> flags = {"--checkpoint=run", "--prompt=the",
                                          "--temperature=0",
                                          "--max_generate=20"};
  EXPECT_EQ(Run("sample", "cuda:0", flags), Run("sample", "cpu", flags));
}

// A mask is a function of the seed and the step there too.
TEST_P(GpuTest, DropsTheSameUnitsWheneverAStepIsRepeated) {
  const auto first_loss = [&](const std::string& run_dir,
                              const std::string& dropout) {
    Run("train", "cuda:0",
        {"--data_path=text.txt", "--run_dir=" + run_dir, "--dropout=" + dropout,
         absl::StrCat("--rnn_type=", GetParam()), "--max_steps=1",
         "--log_every=1"});
    const std::string metrics = workplace_.Read(run_dir + "/metrics.jsonl");
    const json first =
        json::parse(metrics.substr(0, metrics.find('\n')), nullptr, false);
    return first.is_object() ? first["loss"].get<double>() : 0;
  };
  const double loss = first_loss("one", "0.5");
  EXPECT_GT(loss, 0);
  EXPECT_NEAR(first_loss("two", "0.5"), loss, 1e-4);
  EXPECT_NE(first_loss("three", "0"), loss);
}

INSTANTIATE_TEST_SUITE_P(Networks, GpuTest, testing::Values("GRU", "LSTM"));

}  // namespace
}  // namespace charrnn
