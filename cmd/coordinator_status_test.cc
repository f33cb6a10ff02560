#include "cmd/coordinator_status.h"

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "dist/coordinator/coordinator.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Place {
  const char* host;
  int local_rank;
};

void AddMember(wire::GetStatusResponse& status, const Place& place, int rank,
               const char* state, wire::Phase phase, int64_t step,
               double step_s) {
  auto* const member = status.add_members();
  member->set_host_name(place.host);
  member->mutable_worker()->set_host_id(absl::StrCat(place.host, "'s id"));
  member->mutable_worker()->set_local_rank(place.local_rank);
  member->set_rank(rank);
  member->set_state(state);
  member->set_phase(phase);
  member->set_step(step);
  member->set_step_s(step_s);
}

void AddGeneration(wire::GetStatusResponse& status, int64_t number,
                   int world_size, int64_t step, const char* reason) {
  auto* const generation = status.add_generations();
  generation->set_number(number);
  generation->set_world_size(world_size);
  generation->set_step(step);
  generation->set_reason(reason);
}

// Four workers of two hosts, one of which has come anew.
wire::GetStatusResponse Job() {
  wire::GetStatusResponse status;
  status.set_state(wire::RUNNING);
  status.set_run_dir("runs/twelve");
  status.set_generation(2);
  status.set_min_hosts(1);
  status.set_max_hosts(4);
  AddMember(status, {"left", 0}, -1, "joining", wire::SETUP, 0, 0);
  AddMember(status, {"right-hand", 1}, 2, "training", wire::EVALUATE, 12345,
            0.0314);
  AddMember(status, {"left", 1}, 0, "training", wire::TRAIN, 12346, 0.02);
  AddMember(status, {"right-hand", 0}, 1, "training", wire::TRAIN, 12345, 0.03);
  AddGeneration(status, 1, 4, 0, "the job begins");
  AddGeneration(status, 2, 3, 9876, "left/0 was killed");
  status.set_committed_step(12000);
  status.set_best_step(8000);
  return status;
}

TEST(CoordinatorStatusTest, TellsHowAJobStands) {
  EXPECT_EQ(StatusText(Job()),
            "job       running, generation 2, 3 workers of 2 hosts (1 to 4 "
            "wanted), step 12,346\n"
            "run       runs/twelve\n"
            "saved     step 12,000, the best one step 8,000\n"
            "\n"
            "rank  worker        state      phase         step  step time\n"
            "0     left/1        training   train       12,346  0.020 s\n"
            "1     right-hand/0  training   train       12,345  0.030 s\n"
            "2     right-hand/1  training   evaluate    12,345  0.031 s"
            "  slowest\n"
            "-     left/0        joining    setup            0\n"
            "\n"
            "generations\n"
            "  1  4 workers from step 0: the job begins\n"
            "  2  3 workers from step 9,876: left/0 was killed\n");
}

TEST(CoordinatorStatusTest, OfAJobThatNobodyHasJoinedThereIsLittle) {
  wire::GetStatusResponse status;
  status.set_run_dir("run");
  status.set_min_hosts(2);
  status.set_max_hosts(2);
  EXPECT_EQ(StatusText(status),
            "job       forming, generation 0, 0 workers of 0 hosts (2 to 2 "
            "wanted), step 0\n"
            "run       run\n");
}

TEST(CoordinatorStatusTest, AFailedJobTellsItsError) {
  wire::GetStatusResponse status = Job();
  status.set_state(wire::FAILED);
  status.set_error("left (rank 0), step 7: the loss is not a number");
  EXPECT_THAT(StatusText(status),
              HasSubstr("wanted), step 12,346\n"
                        "error     left (rank 0), step 7: the loss is not a "
                        "number\n"
                        "run       runs/twelve\n"));
  EXPECT_TRUE(absl::StartsWith(StatusText(status), "job       failed, "));
}

TEST(CoordinatorStatusTest, TheSlowestIsMarkedAmongSeveralOnly) {
  wire::GetStatusResponse status;
  AddMember(status, {"a", 0}, 0, "training", wire::TRAIN, 9, 0.5);
  AddMember(status, {"a", 1}, 1, "training", wire::TRAIN, 9, 0);
  EXPECT_THAT(StatusText(status), Not(HasSubstr("slowest")));
  status.mutable_members(1)->set_step_s(0.4);
  EXPECT_THAT(StatusText(status), HasSubstr("0.500 s  slowest\n"));
  status.mutable_members(1)->set_step_s(0.6);
  EXPECT_THAT(StatusText(status), HasSubstr("0.600 s  slowest\n"));
  EXPECT_THAT(StatusText(status), Not(HasSubstr("0.500 s  slowest")));
}

TEST(CoordinatorStatusTest, WhoHasNoRankComesLastAndIsNotCounted) {
  wire::GetStatusResponse status;
  AddMember(status, {"a", 0}, -1, "joining", wire::SETUP, 0, 0);
  AddMember(status, {"b", 0}, -1, "joining", wire::SETUP, 0, 0);
  AddMember(status, {"c", 0}, 0, "training", wire::TRAIN, 1, 0);
  const std::string text = StatusText(status);
  EXPECT_LT(text.find("c/0"), text.find("a/0"));
  EXPECT_LT(text.find("a/0"), text.find("b/0"));
  EXPECT_THAT(text, HasSubstr("1 worker of 3 hosts"));
}

TEST(CoordinatorStatusTest, TheLastTenGenerationsAreShown) {
  wire::GetStatusResponse status;
  for (int number = 1; number <= 12; ++number) {
    AddGeneration(status, number, 1, int64_t{10} * number, "again");
  }
  const std::string text = StatusText(status);
  EXPECT_THAT(text, Not(HasSubstr("\n  2  ")));
  EXPECT_THAT(text, HasSubstr("generations\n  3  1 worker from step 30: again"
                              "\n  4  "));
  EXPECT_THAT(text, HasSubstr("\n  12  1 worker from step 120: again\n"));
}

}  // namespace
}  // namespace charrnn
