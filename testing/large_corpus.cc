// Prints what a corpus of 4.2 GB takes of a memory of 512 MB, and of time,
// beside one of 10 MB:
//
//   ./bazelw run //testing:large_corpus

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "testing/corpus_journey.h"

namespace charrnn {
namespace {

constexpr double kMegabyte = 1e6;

void Print(const std::string& what, const LimitedRun& run,
           const std::string& rate) {
  CHARRNN_CHECK(run.exit_code == 0) << what << ": " << run.stderr_text;
  const auto megabytes = [](int64_t bytes) {
    return static_cast<double>(bytes) / kMegabyte;
  };
  absl::PrintF("  %-18s %7.1f s  %-18s %7.1f %10.1f %9.1f %7.1f  %s\n", what,
               run.wall_s, rate, megabytes(run.peak.total()),
               megabytes(run.peak.anonymous), megabytes(run.peak.libtorch),
               megabytes(run.peak.files),
               run.limited ? "" : "(" + run.note + ")");
  std::fflush(stdout);
}

void Measure(int64_t text_bytes, int64_t limit_bytes) {
  CorpusJourney::Options options;
  options.text_bytes = text_bytes;
  options.limit_bytes = limit_bytes;
  options.train_flags = {"--embedding_dim=32", "--hidden_dim=64",
                         "--batch_size=128", "--seq_len=128"};
  options.first_steps = 200;
  options.last_steps = 400;
  // A million characters to validate with, or a tenth of a small text.
  options.val_fraction =
      text_bytes < 100'000'000 ? 0.1 : 1e6 / static_cast<double>(text_bytes);
  CorpusJourney journey(options);
  absl::PrintF(
      "%.0f MB of text, %.0f MB of memory\n"
      "  %-18s %9s  %-18s %7s %10s %9s %7s\n",
      static_cast<double>(text_bytes) / kMegabyte,
      static_cast<double>(limit_bytes) / kMegabyte, "", "",
      "resident at most, MB:", "all", "anonymous", "LibTorch", "files");
  const LimitedRun prepared = journey.Prepare();
  Print("prepare", prepared,
        absl::StrFormat("%.0f MB/s", static_cast<double>(text_bytes) /
                                         kMegabyte / prepared.wall_s));
  const auto rate = [&] {
    return absl::StrFormat("%.0f characters/s",
                           journey.TrainedCharsPerSecond());
  };
  const LimitedRun trained = journey.Train();
  Print("train, 200 steps", trained, rate());
  Print("evaluate", journey.Evaluate(), "");
  const LimitedRun resumed = journey.Resume();
  Print("resume, 200 more", resumed, rate());
}

}  // namespace
}  // namespace charrnn

// The size of the large text in megabytes may be given.
int main(int argc, char** argv) {
  int64_t megabytes = 4200;
  if (argc > 1) CHARRNN_CHECK(absl::SimpleAtoi(argv[1], &megabytes));
  constexpr int64_t kLimit = 512'000'000;
  charrnn::Measure(10'000'000, kLimit);
  charrnn::Measure(megabytes * 1'000'000, kLimit);
  return 0;
}
