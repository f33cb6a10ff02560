// Measures how fast texts are prepared, and in how much memory.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "base/usable_cores.h"
#include "data/prepare.h"
#include "data/vocab.h"
#include "testing/temp_directory.h"
#include "testing/word_text.h"

namespace charrnn {
namespace {

constexpr int kRepetitions = 3;

const std::vector<std::string>& AsciiWords() {
  static const auto* const words = new std::vector<std::string>{
      "the",     "cat",  "sat",  "on",   "a",  "mat,",   "and", "Ran",
      "away.\n", "from", "home", "with", "it", "twice;", "HIM", "1984"};
  return *words;
}

const std::vector<std::string>& MixedWords() {
  static const auto* const words =
      new std::vector<std::string>{"the",
                                   "\u043A\u043E\u0442",
                                   "\u732B\u306F",
                                   "\u4E2D\u6587",
                                   "\u0441\u043E\u0431\u0430\u043A\u0430",
                                   "e\u0301a\u0308",
                                   "\U0001F600",
                                   "\U0001F469\u200D\U0001F680",
                                   "\u65E5\u672C\u8A9E\u3002\n",
                                   "home",
                                   "\u0414\u043E\u043C",
                                   "\u00FCber",
                                   "with",
                                   "\u6625\u7720\u4E0D\u89BA\u6653",
                                   "\u0438",
                                   "it.\n"};
  return *words;
}

// The most memory that this process has had resident since ForgetPeak().
double PeakMegabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    int64_t kilobytes = 0;
    if (absl::ConsumePrefix(&rest, "VmHWM:") &&
        absl::ConsumeSuffix(&rest, "kB") &&
        absl::SimpleAtoi(rest, &kilobytes)) {
      return static_cast<double>(kilobytes) * 1024 / 1e6;
    }
  }
  return 0;
}

void ForgetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }

absl::Status Measure(FileSystem& files, ThreadPool& pool,
                     const std::string& name,
                     const std::vector<std::string>& words, Encoding encoding,
                     int64_t megabytes) {
  const TempDirectory directory;
  PrepareOptions options;
  options.inputs = {directory.File("text")};
  options.output = directory.File("set");
  options.encoding = encoding;
  CHARRNN_RETURN_IF_ERROR(
      WriteWords(options.inputs.front(), words, megabytes * 1000000));
  std::vector<double> seconds;
  ForgetPeak();
  for (int i = 0; i < kRepetitions; ++i) {
    const absl::Duration start = Clock::Real()->Elapsed();
    CHARRNN_RETURN_IF_ERROR(Prepare(files, pool, options).status());
    seconds.push_back(absl::ToDoubleSeconds(Clock::Real()->Elapsed() - start));
    CHARRNN_RETURN_IF_ERROR(RemoveRecursively(files, options.output));
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("%-12s %6lld MB  %8.0f MB/s  %6.1f MB resident at most\n",
              name.c_str(), static_cast<long long>(megabytes),
              static_cast<double>(megabytes) / seconds[kRepetitions / 2],
              PeakMegabytes());
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::Status MeasureAll() {
  FileSystem& files = *FileSystem::Real();
  ThreadPool pool(NumUsableCores());
  std::printf("%d threads; writing to the disk is included; median of %d\n",
              pool.num_threads(), kRepetitions);
  for (const int64_t megabytes : {256, 1024}) {
    CHARRNN_RETURN_IF_ERROR(Measure(files, pool, "ASCII", AsciiWords(),
                                    Encoding::kUtf8, megabytes));
    CHARRNN_RETURN_IF_ERROR(Measure(files, pool, "mixed UTF-8", MixedWords(),
                                    Encoding::kUtf8, megabytes));
    CHARRNN_RETURN_IF_ERROR(Measure(files, pool, "bytes", MixedWords(),
                                    Encoding::kBytes, megabytes));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace charrnn

int main() {
  const absl::Status status = charrnn::MeasureAll();
  if (status.ok()) return 0;
  CHARRNN_LOG(ERROR) << status.message();
  return 1;
}
