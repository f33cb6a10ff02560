#include "dist/coordinator/contract.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;

// A run's config.json, less most of its settings.
json Config() {
  return json::parse(R"({
    "version": "1.0",
    "corpus": {"name": "a.txt", "chars": 9, "fingerprint": "3a-74-9"},
    "device": "cpu",
    "model": {"rnn_type": "GRU", "hidden_dim": 256, "dropout": 0.1},
    "training": {"batch_size": 128, "learning_rate": 0.002, "seed": 42},
    "sampling": {"temperature": 0.9, "top_k": 40},
    "flags": {"data_path": "a.txt", "threads": "0"},
    "typed": ["data_path"]})");
}

absl::Status Check(const json& job, const json& theirs) {
  return CheckContract(job.dump(), theirs.dump());
}

// A line that names all of it.
template <typename... Parts>
auto Refuses(const Parts&... parts) {
  return StatusIs(kFailedPrecondition,
                  AllOf(Not(HasSubstr("\n")), HasSubstr(parts)...));
}

TEST(ContractTest, EqualConfigurationsAgree) {
  EXPECT_THAT(Check(Config(), Config()), IsOk());
}

TEST(ContractTest, WhatIsAHostsOwnMayDiffer) {
  json theirs = Config();
  theirs["corpus"]["name"] = "/mnt/b.txt";
  theirs["flags"] = {{"threads", "4"}, {"run_dir", "x"}};
  theirs["typed"] = json::array();
  EXPECT_THAT(Check(Config(), theirs), IsOk());
}

TEST(ContractTest, EachSettingThatDiffersIsNamedWithBothValues) {
  const json config = Config();
  for (const char* part : {"model", "training", "sampling"}) {
    for (const auto& [name, value] : config[part].items()) {
      json theirs = Config();
      theirs[part][name] = "another";
      const std::string expected =
          value.is_string() ? value.get<std::string>() : value.dump();
      EXPECT_THAT(Check(Config(), theirs),
                  Refuses("--" + name + "=another", "the job has " + expected))
          << name;
    }
  }
}

TEST(ContractTest, ASettingThatOneSideLacksDiffers) {
  const json config = Config();
  for (const char* part : {"model", "training", "sampling"}) {
    for (const auto& entry : config[part].items()) {
      json less = Config();
      less[part].erase(entry.key());
      EXPECT_THAT(Check(Config(), less), Refuses("--" + entry.key() + "="))
          << entry.key();
      EXPECT_THAT(Check(less, Config()), Refuses("--" + entry.key() + "="))
          << entry.key();
    }
  }
}

TEST(ContractTest, AnotherVersionOfTheProgramDiffers) {
  json theirs = Config();
  theirs["version"] = "1.1";
  EXPECT_THAT(Check(Config(), theirs), Refuses("version", "1.0", "1.1"));
  theirs.erase("version");
  EXPECT_THAT(Check(Config(), theirs), Refuses("version", "1.0"));
}

TEST(ContractTest, AnotherTextDiffersWhateverItsName) {
  json theirs = Config();
  theirs["corpus"]["fingerprint"] = "3b-74-9";
  EXPECT_THAT(Check(Config(), theirs), Refuses("--data_path", "a.txt"));
  theirs["corpus"].erase("fingerprint");
  EXPECT_THAT(Check(Config(), theirs), Refuses("--data_path", "a.txt"));
}

TEST(ContractTest, TheKindOfDeviceCountsAndNotItsNumber) {
  json first = Config();
  json second = Config();
  first["device"] = "cuda:0";
  second["device"] = "cuda:7";
  EXPECT_THAT(Check(first, second), IsOk());
  EXPECT_THAT(Check(Config(), second), Refuses("--device=cuda", "cpu"));
  second.erase("device");
  EXPECT_THAT(Check(Config(), second), Refuses("--device="));
}

TEST(ContractTest, WhatIsNoConfigurationIsRefusedOnEitherSide) {
  const std::string good = Config().dump();
  std::string twice = good;
  twice.insert(1, R"("version": "1.0", )");
  for (const std::string& bad :
       {std::string(), std::string("nonsense"), std::string("[]"),
        std::string("{}"), std::string("null"), std::string("7"), twice,
        good + good, good.substr(0, good.size() - 1), good + "\xff"}) {
    EXPECT_THAT(CheckContract(good, bad), StatusIs(kInvalidArgument)) << bad;
    EXPECT_THAT(CheckContract(bad, good), StatusIs(kInvalidArgument)) << bad;
  }
}

TEST(ContractTest, APartThatIsMissingOrNoObjectIsNamed) {
  for (const char* part : {"corpus", "model", "training", "sampling"}) {
    json bad = Config();
    bad.erase(part);
    EXPECT_THAT(Check(Config(), bad),
                StatusIs(kInvalidArgument, HasSubstr(part)));
    for (const json& value :
         {json(), json(1), json("text"), json::array({1}), json(true)}) {
      bad[part] = value;
      EXPECT_THAT(Check(Config(), bad),
                  StatusIs(kInvalidArgument, HasSubstr(part)))
          << value;
      EXPECT_THAT(Check(bad, Config()),
                  StatusIs(kInvalidArgument, HasSubstr(part)))
          << value;
    }
  }
}

TEST(ContractTest, ValuesOfAnyTypeAreCompared) {
  for (const json& value : {json(), json(1), json(1.5), json(true),
                            json::array(), json::object()}) {
    json theirs = Config();
    theirs["device"] = value;
    EXPECT_THAT(Check(Config(), theirs), Refuses("--device=")) << value;
    theirs = Config();
    theirs["version"] = value;
    EXPECT_THAT(Check(Config(), theirs), Refuses("version")) << value;
  }
}

TEST(CommonInstructionSetTest, IsTheLesserOne) {
  const char* const order[] = {"baseline", "avx2", "avx512", "amx"};
  for (int a = 0; a < 4; ++a) {
    for (int b = 0; b < 4; ++b) {
      EXPECT_THAT(CommonInstructionSet(order[a], order[b]),
                  IsOkAndHolds(order[a < b ? a : b]));
    }
  }
}

TEST(CommonInstructionSetTest, RefusesANameThatIsNone) {
  for (const char* name : {"", "AVX2", "avx", "avx5120", "baseline "}) {
    EXPECT_THAT(
        CommonInstructionSet(name, "avx2"),
        StatusIs(kInvalidArgument, HasSubstr("'" + std::string(name) + "'")));
    EXPECT_THAT(CommonInstructionSet("avx2", name), StatusIs(kInvalidArgument));
  }
}

}  // namespace
}  // namespace charrnn
