// The main function of a fuzz target without libFuzzer, so that every compiler
// has one and every `bazel test` tries the target:
//
//   x_fuzz_test -seed_inputs=SEED,SEED,... [SEED...]
//
// A seed is a file. The target gets each as it is, then cut off at each place,
// then with each of its bits flipped, always the same and in the same order. Of
// libFuzzer's flags only this one counts here.

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace charrnn {
namespace {

// Of a longer seed only so many bytes at either end are cut off and flipped:
// formats have their headers and directories there, and a replay of a dozen
// seeds is to take no more than a second or two.
constexpr size_t kMaxEnd = 1024;

// The input at hand, as a person is told of it.
std::string& Current() {
  static auto& current = *new std::string;
  return current;
}

void TellCurrent(int /*signal*/) {
  WriteToStderr(absl::StrCat("fuzz_replay: it failed on ", Current(), "\n"));
}

void Try(absl::string_view input, std::string name) {
  Current() = std::move(name);
  // Memory of just this size, so that the address sanitizer sees each byte
  // that is read behind it.
  const auto copy = std::make_unique<uint8_t[]>(input.size());
  std::copy(input.begin(), input.end(), copy.get());
  LLVMFuzzerTestOneInput(copy.get(), input.size());
}

void Replay(absl::string_view path, const std::string& seed) {
  Try(seed, std::string(path));
  const auto is_near_an_end = [&](size_t place) {
    return place < kMaxEnd || seed.size() - place <= kMaxEnd;
  };
  for (size_t i = 0; i < seed.size(); ++i) {
    if (!is_near_an_end(i)) continue;
    Try(absl::string_view(seed).substr(0, i),
        absl::StrCat("the first ", i, " bytes of ", path));
  }
  std::string flipped = seed;
  for (size_t i = 0; i < seed.size(); ++i) {
    if (!is_near_an_end(i)) continue;
    for (int bit = 0; bit < 8; ++bit) {
      flipped[i] = static_cast<char>(seed[i] ^ 1 << bit);
      Try(flipped,
          absl::StrCat(path, " with bit ", bit, " of byte ", i, " flipped"));
    }
    flipped[i] = seed[i];
  }
}

std::vector<std::string> SeedPaths(int argc, char** argv) {
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "-seed_inputs=")) {
      for (const absl::string_view path :
           absl::StrSplit(argument, ',', absl::SkipEmpty())) {
        paths.emplace_back(path);
      }
    } else if (!absl::StartsWith(argument, "-")) {
      paths.emplace_back(argument);
    }
  }
  return paths;
}

int Run(const std::vector<std::string>& paths) {
  if (paths.empty()) {
    CHARRNN_LOG(ERROR) << "fuzz_replay: there are no seeds";
    return 1;
  }
  for (const std::string& path : paths) {
    const absl::StatusOr<std::string> seed = FileSystem::Real()->ReadFile(path);
    if (!seed.ok()) {
      CHARRNN_LOG(ERROR) << "fuzz_replay: " << seed.status().message();
      return 1;
    }
    Replay(path, *seed);
  }
  return 0;
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  std::signal(SIGABRT, charrnn::TellCurrent);
  return charrnn::Run(charrnn::SeedPaths(argc, argv));
}
