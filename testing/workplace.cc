#include "testing/workplace.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "testing/subprocess.h"

namespace charrnn {

namespace fs = std::filesystem;

std::string Workplace::Path(absl::string_view name) const {
  return directory_.File(name);
}

void Workplace::Write(absl::string_view name,
                      absl::string_view contents) const {
  const fs::path path = Path(name);
  fs::create_directories(path.parent_path());
  if (!path.has_filename()) return;
  std::ofstream file(path, std::ios::binary);
  file.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  file.close();
  EXPECT_TRUE(file) << "cannot write " << path;
}

std::string Workplace::Read(absl::string_view name) const {
  std::ifstream file(Path(name), std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  EXPECT_TRUE(file) << "cannot read " << Path(name);
  return contents.str();
}

std::vector<std::string> Workplace::List() const {
  std::vector<std::string> names;
  for (const auto& entry :
       fs::recursive_directory_iterator(directory_.path())) {
    if (entry.is_directory() && !entry.is_symlink()) continue;
    names.push_back(entry.path().lexically_relative(directory_.path()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Workplace::Checkpoints(
    absl::string_view run_dir) const {
  const std::string prefix = absl::StrCat(run_dir, "/checkpoints/step-");
  std::vector<std::string> checkpoints;
  for (const std::string& name : List()) {
    // Written last; what is not finished, or being deleted, has another name.
    if (absl::StartsWith(name, prefix) &&
        absl::EndsWith(name, "/MANIFEST.json") &&
        !absl::StrContains(name, ".unfinished/") &&
        !absl::StrContains(name, ".deleted/")) {
      checkpoints.push_back(fs::path(name).parent_path().filename());
    }
  }
  return checkpoints;
}

std::map<std::string, std::string> Workplace::Snapshot() const {
  std::map<std::string, std::string> snapshot;
  for (const auto& entry :
       fs::recursive_directory_iterator(directory_.path())) {
    const std::string name = entry.path().lexically_relative(directory_.path());
    if (entry.is_symlink()) {
      snapshot[name] = fs::read_symlink(entry.path());
    } else {
      snapshot[name] = entry.is_directory() ? "" : Read(name);
    }
  }
  return snapshot;
}

SubprocessOptions Workplace::Here(std::vector<std::string> arguments) const {
  SubprocessOptions options;
  options.arguments = std::move(arguments);
  options.working_directory = directory_.path();
  return options;
}

SubprocessResult Workplace::Run(absl::string_view program,
                                std::vector<std::string> arguments) const {
  return Run(program, Here(std::move(arguments)));
}

SubprocessResult Workplace::Run(absl::string_view program,
                                const SubprocessOptions& options) const {
  absl::StatusOr<SubprocessResult> result =
      RunSubprocess(RunfilePath(absl::StrCat("cmd/", program)), options);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : SubprocessResult();
}

std::string PlainText(int lines) {
  constexpr absl::string_view kWords[] = {
      "the", "cat",  "sat", "on",   "a",    "mat",  "and", "dog",
      "ran", "away", "far", "from", "home", "with", "him", "two"};
  std::string text;
  uint32_t state = 1;
  for (int line = 0; line < lines; ++line) {
    for (int word = 0; word < 8; ++word) {
      // Knuth's linear congruential generator; its high bits are the good ones.
      state = state * 1664525 + 1013904223;
      absl::StrAppend(&text, word == 0 ? "" : " ", kWords[state >> 28]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace charrnn
