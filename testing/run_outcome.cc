#include "testing/run_outcome.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

using nlohmann::json;

json Object(absl::string_view text) {
  json object = json::parse(std::string(text), nullptr, false);
  EXPECT_TRUE(object.is_object()) << text;
  return object;
}

// A JSON object without what a clock has said, nor how many digits that has,
// and where it was.
std::string WithoutTimes(json object) {
  for (const char* key :
       {"chars_per_s", "metrics_bytes", "training_s", "wall_s", "path"}) {
    object.erase(key);
  }
  return object.dump();
}

std::vector<json> Metrics(const Workplace& workplace,
                          absl::string_view run_dir) {
  std::vector<json> metrics;
  for (const absl::string_view line :
       absl::StrSplit(workplace.Read(absl::StrCat(run_dir, "/metrics.jsonl")),
                      '\n', absl::SkipEmpty())) {
    metrics.push_back(Object(line));
  }
  return metrics;
}

// The losses of the records of `event`, nats per character.
std::vector<double> LossesOf(absl::string_view event,
                             const Workplace& workplace,
                             absl::string_view run_dir) {
  std::vector<double> losses;
  for (const json& line : Metrics(workplace, run_dir)) {
    if (line.value("event", "") == event) losses.push_back(line["loss"]);
  }
  return losses;
}

}  // namespace

std::map<std::string, std::string> RunOutcome(const Workplace& workplace,
                                              absl::string_view run_dir) {
  const auto read = [&](absl::string_view name) {
    return workplace.Read(absl::StrCat(run_dir, "/", name));
  };
  std::map<std::string, std::string> outcome;
  for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
    outcome[name] = read(absl::StrCat("latest/", name));
  }
  outcome["trainer.json"] = WithoutTimes(Object(read("latest/trainer.json")));
  outcome["samples.txt"] = read("samples.txt");
  for (const json& line : Metrics(workplace, run_dir)) {
    const std::string event = line.value("event", "");
    if (event == "generation") continue;
    // A checkpoint is told of when it has been written, which may be after a
    // record that was made later.
    absl::StrAppend(
        &outcome[event == "checkpoint" ? kCheckpointRecords : "metrics.jsonl"],
        WithoutTimes(line), "\n");
  }
  const std::string prefix = absl::StrCat(run_dir, "/");
  for (const auto& [path, contents] : workplace.Snapshot()) {
    absl::string_view name = path;
    if (!absl::ConsumePrefix(&name, prefix)) continue;
    if (name == "best" || name == "latest") {
      outcome[std::string(name)] = contents;
    }
    if (absl::StartsWith(name, "checkpoints/")) outcome[std::string(name)] = "";
  }
  return outcome;
}

void ExpectSameOutcome(const std::map<std::string, std::string>& outcome,
                       const std::map<std::string, std::string>& expected) {
  for (const auto& [what, value] : expected) {
    const auto found = outcome.find(what);
    if (found == outcome.end()) {
      ADD_FAILURE() << what << " is missing";
    } else if (absl::StrContains(what, "safetensors")) {
      // Too long to be shown.
      EXPECT_TRUE(found->second == value) << what << " differs";
    } else {
      EXPECT_EQ(found->second, value) << what;
    }
  }
  for (const auto& [what, value] : outcome) {
    EXPECT_TRUE(expected.count(what) > 0) << what << " is left";
  }
}

std::vector<int64_t> RecordedSteps(const Workplace& workplace,
                                   absl::string_view run_dir) {
  std::vector<int64_t> steps;
  for (const json& line : Metrics(workplace, run_dir)) {
    if (line.value("event", "") == "train") steps.push_back(line["step"]);
  }
  return steps;
}

std::vector<double> RecordedLosses(const Workplace& workplace,
                                   absl::string_view run_dir) {
  return LossesOf("train", workplace, run_dir);
}

std::vector<double> ValidationLosses(const Workplace& workplace,
                                     absl::string_view run_dir) {
  return LossesOf("validation", workplace, run_dir);
}

}  // namespace charrnn
