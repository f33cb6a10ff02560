#include "dist/coordinator/durable_state.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "dist/coordinator/membership.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;

// Two hosts of which one is leaving, in a generation of two members.
DurableState State() {
  DurableState state;
  state.instruction_set = "avx2";
  Membership::Durable& membership = state.membership;
  membership.hosts = {
      {"id-a", "alpha", 2, false, {3, 1}, {false, true}, {2, 5}},
      {"id-b", "beta", 1, true, {0}, {false}, {0}}};
  membership.generation = 7;
  membership.running = true;
  membership.members = {{{"id-a", 0}, 3}, {{"id-a", 1}, 1}};
  membership.source_rank = 1;
  membership.committed_step_at_forming = 320;
  membership.stop = true;
  membership.first_error = "alpha/1: \"no\"\nline";
  return state;
}

// A line that names `part`.
auto Refuses(const std::string& part) {
  return StatusIs(kInvalidArgument,
                  AllOf(HasSubstr(part), Not(HasSubstr("\n"))));
}

// Reads the state with one of its values replaced.
absl::Status ReadWith(const json::json_pointer& place, const json& value) {
  json text = json::parse(ToJson(State()));
  text[place] = value;
  return DurableStateFromJson(text.dump()).status();
}

TEST(DurableStateTest, SurvivesTheWayThereAndBack) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DurableState read,
                               DurableStateFromJson(ToJson(State())));
  const Membership::Durable& membership = read.membership;
  EXPECT_EQ(read.instruction_set, "avx2");
  ASSERT_EQ(membership.hosts.size(), 2);
  const Membership::Durable::Host& alpha = membership.hosts[0];
  EXPECT_EQ(alpha.id, "id-a");
  EXPECT_EQ(alpha.name, "alpha");
  EXPECT_EQ(alpha.slots, 2);
  EXPECT_FALSE(alpha.leaving);
  EXPECT_EQ(alpha.incarnations, std::vector<int64_t>({3, 1}));
  EXPECT_EQ(alpha.dead, std::vector<bool>({false, true}));
  EXPECT_EQ(alpha.first_generations, std::vector<int64_t>({2, 5}));
  EXPECT_EQ(membership.hosts[1].id, "id-b");
  EXPECT_TRUE(membership.hosts[1].leaving);
  EXPECT_EQ(membership.generation, 7);
  EXPECT_TRUE(membership.running);
  ASSERT_EQ(membership.members.size(), 2);
  EXPECT_EQ(membership.members[1].slot.host_id, "id-a");
  EXPECT_EQ(membership.members[1].slot.local_rank, 1);
  EXPECT_EQ(membership.members[0].incarnation, 3);
  EXPECT_EQ(membership.source_rank, std::optional<int>(1));
  EXPECT_EQ(membership.committed_step_at_forming, 320);
  EXPECT_TRUE(membership.stop);
  EXPECT_EQ(membership.ended, JobState::kForming);
  EXPECT_EQ(membership.first_error, "alpha/1: \"no\"\nline");
  EXPECT_EQ(ToJson(read), ToJson(State()));
}

TEST(DurableStateTest, AJobWithoutAnybodySurvivesToo) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DurableState read,
                               DurableStateFromJson(ToJson({})));
  EXPECT_TRUE(read.membership.hosts.empty());
  EXPECT_TRUE(read.membership.members.empty());
  EXPECT_EQ(read.membership.source_rank, std::nullopt);
  EXPECT_EQ(read.instruction_set, "");
  EXPECT_EQ(ToJson(read), ToJson({}));
}

TEST(DurableStateTest, EachWayInWhichAJobEndsSurvives) {
  for (const JobState ended : {JobState::kForming, JobState::kFinished,
                               JobState::kStopped, JobState::kFailed}) {
    DurableState state = State();
    state.membership.ended = ended;
    CHARRNN_ASSERT_OK_AND_ASSIGN(const DurableState read,
                                 DurableStateFromJson(ToJson(state)));
    EXPECT_EQ(read.membership.ended, ended);
  }
}

TEST(DurableStateTest, GreatNumbersSurvive) {
  DurableState state = State();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max() / 2;
  state.membership.generation = kMax;
  state.membership.committed_step_at_forming = kMax;
  state.membership.hosts[0].incarnations[0] = kMax;
  state.membership.hosts[0].first_generations[0] = kMax;
  state.membership.members[0].incarnation = kMax;
  state.membership.source_rank = std::numeric_limits<int>::max();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DurableState read,
                               DurableStateFromJson(ToJson(state)));
  EXPECT_EQ(ToJson(read), ToJson(state));
}

TEST(DurableStateTest, TextThatIsNotUtf8DoesNotSpoilTheFile) {
  DurableState state = State();
  state.membership.first_error =
      "a\xff"
      "b";
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DurableState read,
                               DurableStateFromJson(ToJson(state)));
  EXPECT_EQ(read.membership.first_error,
            "a\xef\xbf\xbd"
            "b");
}

// A member that is not as it has to be is named, whatever it is instead.
TEST(DurableStateTest, EachMemberIsMissedAndOfItsType) {
  const json good = json::parse(ToJson(State()));
  for (const char* where : {"", "/hosts/0", "/members/0"}) {
    const json::json_pointer place(where);
    for (const auto& entry : good[place].items()) {
      const std::string& name = entry.key();
      // That of another file is told in words of its own.
      const std::string told = name == "format" ? "format" : "'" + name + "'";
      json bad = good;
      bad[place].erase(name);
      EXPECT_THAT(DurableStateFromJson(bad.dump()), Refuses(told)) << name;
      for (const json& value :
           {json(), json(true), json(1), json(-2), json(1.5), json("text"),
            json::array(), json::array({json::array()}), json::object()}) {
        if (value.type() == entry.value().type() ||
            (value.is_number_integer() && entry.value().is_number_integer() &&
             value >= 0) ||
            (value.is_array() && entry.value().is_array())) {
          continue;
        }
        bad[place][name] = value;
        EXPECT_THAT(DurableStateFromJson(bad.dump()),
                    StatusIs(kInvalidArgument))
            << name << ": " << value;
      }
      bad[place][name] = good[place][name];
      bad[place]["another"] = 1;
      EXPECT_THAT(DurableStateFromJson(bad.dump()), Refuses("another"));
    }
  }
}

TEST(DurableStateTest, NumbersOutOfRangeAreRefused) {
  constexpr uint64_t kTooGreat = uint64_t{1} << 62;
  constexpr uint64_t kWraps = std::numeric_limits<uint64_t>::max();
  const std::pair<const char*, std::vector<json>> bad[] = {
      {"/generation", {-1, kTooGreat, kWraps}},
      {"/source_rank", {-2, int64_t{1} << 31, kTooGreat, kWraps}},
      {"/committed_step_at_forming", {-1, kTooGreat, kWraps}},
      {"/hosts/0/slots", {-1, 0, 1, 3, int64_t{1} << 32, kWraps}},
      {"/hosts/0/incarnations/0", {-1, kTooGreat, kWraps, 1.5, "3", json()}},
      {"/hosts/0/dead/1", {0, "false", json()}},
      {"/hosts/0/first_generations/1", {-1, kTooGreat, kWraps, json()}},
      {"/members/0/local_rank", {-1, int64_t{1} << 32, kWraps}},
      {"/members/0/incarnation", {-1, kTooGreat, kWraps}},
  };
  for (const auto& [place, values] : bad) {
    for (const json& value : values) {
      EXPECT_THAT(ReadWith(json::json_pointer(place), value),
                  StatusIs(kInvalidArgument))
          << place << ": " << value;
    }
  }
}

TEST(DurableStateTest, ListsThatDoNotFitTheSlotsAreRefused) {
  for (const char* list : {"incarnations", "dead", "first_generations"}) {
    const json::json_pointer place(absl::StrCat("/hosts/0/", list));
    EXPECT_THAT(ReadWith(place, json::array()), Refuses("slots")) << list;
    json longer = json::parse(ToJson(State()))[place];
    longer.push_back(longer[0]);
    EXPECT_THAT(ReadWith(place, longer), Refuses("slots")) << list;
  }
}

TEST(DurableStateTest, AHostIsThereOnce) {
  EXPECT_THAT(ReadWith(json::json_pointer("/hosts/1/id"), "id-a"),
              Refuses("hosts"));
}

TEST(DurableStateTest, AnotherFormatOrEndIsRefused) {
  EXPECT_THAT(ReadWith(json::json_pointer("/format"), "charrnn.coordinator.2"),
              Refuses("charrnn.coordinator.1"));
  EXPECT_THAT(ReadWith(json::json_pointer("/ended"), "running"),
              Refuses("ended"));
}

TEST(DurableStateTest, EveryTruncationIsRefused) {
  const std::string text = ToJson(State());
  // Behind the last brace there is a newline only.
  for (size_t size = 0; size + 1 < text.size(); ++size) {
    EXPECT_THAT(DurableStateFromJson(text.substr(0, size)),
                StatusIs(kInvalidArgument))
        << size;
  }
  EXPECT_THAT(DurableStateFromJson(text + text), StatusIs(kInvalidArgument));
}

TEST(DurableStateTest, WhatIsNoObjectIsRefused) {
  for (const char* text : {"", "null", "7", "[]", "\"x\"", "{}", "{\"a\":1"}) {
    EXPECT_THAT(DurableStateFromJson(text), StatusIs(kInvalidArgument)) << text;
  }
  for (const json& value : {json(), json(1), json::array(), json("x")}) {
    EXPECT_THAT(ReadWith(json::json_pointer("/hosts/0"), value),
                StatusIs(kInvalidArgument));
    EXPECT_THAT(ReadWith(json::json_pointer("/members/0"), value),
                StatusIs(kInvalidArgument));
  }
}

TEST(DurableStateTest, NestingWithoutEndIsRefused) {
  const std::string deep =
      std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(DurableStateFromJson(deep), StatusIs(kInvalidArgument));
}

}  // namespace
}  // namespace charrnn
