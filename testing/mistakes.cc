#include "testing/mistakes.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

void ExpectOneRefused(const Mistake& mistake) {
  const Workplace workplace;
  WriteGoodFiles(workplace);
  for (const auto& [name, contents] : mistake.files) {
    workplace.Write(name, contents);
  }
  if (mistake.prepare) mistake.prepare(workplace);
  const auto before = workplace.Snapshot();
  std::vector<std::string> arguments = GoodFlags(mistake.program);
  arguments.insert(arguments.end(), mistake.arguments.begin(),
                   mistake.arguments.end());
  SubprocessOptions options = workplace.Here(std::move(arguments));
  options.environment = mistake.environment;
  const SubprocessResult result = workplace.Run(mistake.program, options);

  SCOPED_TRACE(testing::PrintToString(mistake.arguments) + " " +
               testing::PrintToString(mistake.environment) + "\n" +
               result.stderr_text);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.stdout_text, "");
  EXPECT_THAT(result.stderr_text, StartsWith(mistake.program + ": "));
  EXPECT_TRUE(absl::EndsWith(result.stderr_text, "\n"));
  EXPECT_EQ(
      std::count(result.stderr_text.begin(), result.stderr_text.end(), '\n'),
      1);
  for (const std::string& part : mistake.told) {
    EXPECT_THAT(result.stderr_text, HasSubstr(part));
  }
  for (const char* trace : {"frame #", "terminate called", "what():"}) {
    EXPECT_THAT(result.stderr_text, Not(HasSubstr(trace)));
  }
  for (const auto& [name, contents] : workplace.Snapshot()) {
    // Holds the number of whoever was last to look.
    if (absl::EndsWith(name, "/.lock")) continue;
    EXPECT_TRUE(before.count(name) && before.at(name) == contents)
        << name << " has changed";
  }
  EXPECT_EQ(workplace.Snapshot().size(), before.size());
}

}  // namespace

std::vector<std::string> GoodFlags(absl::string_view program) {
  if (program == "sample") {
    return {"--checkpoint=model.safetensors", "--max_generate=1"};
  }
  if (program == "export") {
    return {"--checkpoint=model.safetensors", "--output=out.safetensors"};
  }
  if (program == "evaluate") {
    return {"--checkpoint=model.safetensors", "--data_path=text.txt"};
  }
  if (program == "prepare") return {"--output=set", "text.txt"};
  if (program == "coordinator") {
    return {"--listen=127.0.0.1:0", "--run_dir=run"};
  }
  std::vector<std::string> flags = {"--data_path=text.txt", "--run_dir=run",
                                    "--embedding_dim=4",    "--hidden_dim=4",
                                    "--batch_size=16",      "--seq_len=16",
                                    "--max_steps=1"};
  if (program == "train_dist") {
    flags.insert(flags.end(), {"--nproc_per_node=1", "--threads=1"});
  }
  return flags;
}

const std::string& GoodText() {
  static const auto* const text = new std::string(PlainText(30));
  return *text;
}

const std::string& GoodModel() {
  static const auto* const model = [] {
    const Workplace workplace;
    workplace.Write("text.txt", GoodText());
    workplace.Run("train", GoodFlags("train"));
    return new std::string(workplace.Read("run/best/model.safetensors"));
  }();
  return *model;
}

void WriteGoodFiles(const Workplace& workplace) {
  workplace.Write("text.txt", GoodText());
  workplace.Write("model.safetensors", GoodModel());
}

void ExpectRefused(const std::vector<Mistake>& mistakes) {
  GoodModel();  // before there are threads
  ThreadPool pool(2);
  pool.ParallelFor(static_cast<int64_t>(mistakes.size()),
                   [&](int64_t i) { ExpectOneRefused(mistakes[i]); });
}

}  // namespace charrnn
