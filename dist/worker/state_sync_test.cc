#include "dist/worker/state_sync.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "dist/collective/collective.h"
#include "dist/collective/thread_group.h"
#include "dist/probe.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/train_progress.h"
#include "model/train_state.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

TrainState State(double value, int64_t step) {
  TrainState state;
  state.parameters = at::full({1000}, value, at::kFloat);
  state.exp_avg = at::full({1000}, value + 1, at::kFloat);
  state.exp_avg_sq = at::full({1000}, value + 2, at::kFloat);
  state.progress.step = step;
  state.progress.due = true;
  state.progress.best_loss = 1.25 + value;
  return state;
}

// With three streams of an LSTM of two layers.
TrainState StateWithStreams(double value, int64_t step) {
  TrainState state = State(value, step);
  state.streams.hidden = at::full({2, 3, 4}, value + 3, at::kFloat);
  state.streams.cell = at::full({2, 3, 4}, value + 4, at::kFloat);
  return state;
}

bool Same(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() == b.defined() && (!a.defined() || at::equal(a, b));
}

bool Same(const TrainState& a, const TrainState& b) {
  return at::equal(a.parameters, b.parameters) &&
         at::equal(a.exp_avg, b.exp_avg) &&
         at::equal(a.exp_avg_sq, b.exp_avg_sq) &&
         Same(a.streams.hidden, b.streams.hidden) &&
         Same(a.streams.cell, b.streams.cell) &&
         ToJson(a.progress) == ToJson(b.progress);
}

TEST(StateSyncTest, AllGetTheStateOfTheSource) {
  RunAsGroup(3, kLong, [](Collective& group) {
    // One has none, one an older one.
    std::optional<TrainState> state;
    if (group.rank() == 1) state = State(7, 12);
    if (group.rank() == 2) state = State(5, 11);
    ASSERT_THAT(SyncState(group, 1, "cpu", absl::OkStatus(), state), IsOk());
    ASSERT_TRUE(state.has_value());
    EXPECT_TRUE(Same(*state, State(7, 12)));
  });
}

TEST(StateSyncTest, WhatStreamsRememberIsPartOfTheState) {
  RunAsGroup(3, kLong, [](Collective& group) {
    std::optional<TrainState> state;
    if (group.rank() == 1) state = StateWithStreams(7, 12);
    if (group.rank() == 2) {
      // The same but for what one stream remembers.
      state = StateWithStreams(7, 12);
      state->streams.cell.select(1, 2).fill_(0);
    }
    ASSERT_THAT(SyncState(group, 1, "cpu", absl::OkStatus(), state), IsOk());
    EXPECT_TRUE(Same(*state, StateWithStreams(7, 12)));
  });
}

TEST(StateSyncTest, WhoHasTheSameKeepsItsOwnTimes) {
  RunAsGroup(2, kLong, [](Collective& group) {
    std::optional<TrainState> state = State(7, 12);
    state->progress.wall_s = group.rank();
    const at::Tensor before = state->parameters;
    ASSERT_THAT(SyncState(group, 0, "cpu", absl::OkStatus(), state), IsOk());
    EXPECT_EQ(state->progress.wall_s, group.rank());
    EXPECT_TRUE(state->parameters.is_same(before));
  });
}

TEST(StateSyncTest, AnErrorOfTheSourceIsToldToAll) {
  RunAsGroup(2, kLong, [](Collective& group) {
    std::optional<TrainState> state;
    const absl::Status own = group.rank() == 0
                                 ? absl::DataLossError("the disk is broken")
                                 : absl::OkStatus();
    const absl::Status told = SyncState(group, 0, "cpu", own, state);
    EXPECT_THAT(std::string(told.message()), HasSubstr("the disk is broken"));
    EXPECT_EQ(told.code(), group.rank() == 0 ? absl::StatusCode::kDataLoss
                                             : absl::StatusCode::kUnavailable);
    EXPECT_FALSE(state.has_value());
  });
}

TEST(StateSyncTest, ASourceThatDiesLeavesTheOthersWhatTheyHad) {
  RunAsGroup(3, kLong, [](Collective& group) {
    std::optional<TrainState> state = State(group.rank(), 10 + group.rank());
    const Probe dies = [](const char* point) {
      return absl::string_view(point) == "in a sync, as its source"
                 ? absl::InternalError("dies")
                 : absl::OkStatus();
    };
    const absl::Status synced =
        SyncState(group, 2, "cpu", absl::OkStatus(), state, dies);
    EXPECT_FALSE(synced.ok());
    EXPECT_TRUE(Same(*state, State(group.rank(), 10 + group.rank())));
  });
}

}  // namespace
}  // namespace charrnn
