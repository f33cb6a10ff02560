#include "testing/corpus_journey.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "testing/subprocess.h"
#include "testing/word_text.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

constexpr int kWords = 5000;  // about as many as a child knows

}  // namespace

CorpusJourney::CorpusJourney(Options options) : options_(std::move(options)) {
  const absl::Status written = WriteWords(
      workplace_.Path("text"), SyntheticWords(kWords), options_.text_bytes);
  CHARRNN_CHECK(written.ok()) << written;
}

void CorpusJourney::DropFromCache() const {
  for (const std::string& name : workplace_.List()) {
    const int fd = open(workplace_.Path(name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

LimitedRun CorpusJourney::Run(const std::string& program,
                              std::vector<std::string> flags) {
  const std::string path = RunfilePath(absl::StrCat("cmd/", program));
  // The first to use LibTorch's libraries is charged for them.
  SubprocessOptions help;
  help.arguments = {"--help"};
  CHARRNN_CHECK(RunSubprocess(path, help).ok()) << path;
  DropFromCache();
  SubprocessOptions options = workplace_.Here(
      {absl::StrCat(options_.limit_bytes), "report.json", path});
  options.arguments.insert(options.arguments.end(), flags.begin(), flags.end());
  options.deadline = absl::Hours(1);
  const absl::StatusOr<SubprocessResult> result =
      RunSubprocess(RunfilePath("testing/limited_run"), options);
  CHARRNN_CHECK(result.ok()) << result.status();
  const auto report = nlohmann::json::parse(workplace_.Read("report.json"));
  return {result->exit_code,
          result->stdout_text,
          result->stderr_text,
          report.at("limited"),
          report.at("note"),
          report.at("wall_s"),
          {report.at("anonymous"), report.at("libtorch"), report.at("files")}};
}

LimitedRun CorpusJourney::Prepare() {
  return Run("prepare",
             {"--output=set",
              absl::StrCat("--val_fraction=", options_.val_fraction), "text"});
}

LimitedRun CorpusJourney::TrainUntil(int64_t steps,
                                     std::vector<std::string> more) {
  std::vector<std::string> flags = options_.train_flags;
  flags.insert(flags.end(), {"--sample_every=0", "--log_every=100",
                             absl::StrCat("--max_steps=", steps)});
  flags.insert(flags.end(), more.begin(), more.end());
  return Run("train", std::move(flags));
}

LimitedRun CorpusJourney::Train() {
  return TrainUntil(options_.first_steps, {"--data_path=set", "--run_dir=run"});
}

LimitedRun CorpusJourney::Evaluate() {
  return Run("evaluate", {"--checkpoint=run", "--data_path=set", "--json"});
}

LimitedRun CorpusJourney::Resume() {
  return TrainUntil(options_.last_steps,
                    {"--data_path=set", "--run_dir=run", "--resume"});
}

LimitedRun CorpusJourney::TrainOnTheText() {
  return TrainUntil(options_.first_steps,
                    {"--data_path=text", "--run_dir=text_run",
                     absl::StrCat("--val_fraction=", options_.val_fraction)});
}

double CorpusJourney::TrainedCharsPerSecond() const {
  const std::string metrics = workplace_.Read("run/metrics.jsonl");
  double rate = 0;
  for (const absl::string_view line :
       absl::StrSplit(metrics, '\n', absl::SkipEmpty())) {
    const auto record = nlohmann::json::parse(line);
    if (record.at("event") == "train") rate = record.at("chars_per_s");
  }
  return rate;
}

}  // namespace charrnn
