// Steps that are launched before the one before has told its loss, on the CPU,
// where the numbers are those of steps that are waited for.

#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "data/corpus.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/checkpoint.h"
#include "model/checkpoint_store.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/train_observer.h"
#include "model/train_state.h"
#include "model/trainer.h"
#include "model/trainer_harness.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MemoryStore : public CheckpointStore {
 public:
  absl::StatusOr<std::string> Save(const Checkpoint& checkpoint) override {
    checkpoints.push_back(checkpoint);
    return "";
  }

  std::vector<Checkpoint> checkpoints;
};

class Notes : public TrainObserver {
 public:
  void OnStep(const StepReport& report) override {
    steps.push_back(report);
    if (on_step) on_step(report.step);
  }
  void OnTrain(const TrainReport& report) override {
    // All steps up to a report have told their losses.
    events.push_back(
        absl::StrCat("train ", report.step, " after ", steps.size()));
    reports.push_back(report);
  }
  void OnValidation(const ValidationReport& report) override {
    validation = report.loss;
  }

  std::function<void(int64_t)> on_step;
  std::vector<StepReport> steps;
  std::vector<TrainReport> reports;
  std::vector<std::string> events;
  double validation = 0;
};

class TrainerAheadTest : public testing::TestWithParam<DataOrder> {
 protected:
  TrainerAheadTest() : corpus_(SnippetCorpus(Encoding::kUtf8)) {
    options_.model.vocab_size = corpus_->vocab().size();
    options_.model.embedding_dim = 5;
    options_.model.hidden_dim = 11;
    options_.model.num_layers = 2;
    options_.model.dropout = 0.1;
    options_.training.data_order = GetParam();
    options_.training.seq_len = 9;
    options_.training.batch_size = 8;
    options_.training.num_epochs = 3;
    options_.training.log_every = 3;
    options_.training.sample_every = 0;
    options_.training.grains = 1;
  }

  absl::Status Train(bool ahead, Notes& notes) {
    state_ = FirstState(options_);
    return Continue(ahead, notes);
  }

  absl::Status Continue(bool ahead, Notes& notes) {
    options_.ahead = ahead;
    return RunTrainer(options_, *corpus_, /*threads=*/1, notes, store_, state_,
                      wish_);
  }

  std::unique_ptr<Corpus> corpus_;
  Trainer::Options options_;
  MemoryStore store_;
  TrainState state_;
  std::function<Wish()> wish_ = [] { return Wish::kNone; };
};

TEST_P(TrainerAheadTest, LossesAndWeightsAreThoseOfStepsThatAreWaitedFor) {
  Notes waited;
  ASSERT_THAT(Train(/*ahead=*/false, waited), IsOk());
  const at::Tensor weights = state_.parameters.clone();
  Notes ahead;
  ASSERT_THAT(Train(/*ahead=*/true, ahead), IsOk());
  ASSERT_GE(waited.steps.size(), 10u);
  ASSERT_EQ(ahead.steps.size(), waited.steps.size());
  for (size_t i = 0; i < waited.steps.size(); ++i) {
    EXPECT_EQ(ahead.steps[i].step, waited.steps[i].step);
    EXPECT_EQ(ahead.steps[i].epoch, waited.steps[i].epoch);
    EXPECT_EQ(ahead.steps[i].targets, waited.steps[i].targets);
    EXPECT_NEAR(ahead.steps[i].loss, waited.steps[i].loss, 1e-4);
  }
  EXPECT_EQ(ahead.events, waited.events);
  for (size_t i = 0; i < waited.reports.size(); ++i) {
    EXPECT_NEAR(ahead.reports[i].loss, waited.reports[i].loss, 1e-4);
    EXPECT_NEAR(ahead.reports[i].grad_norm, waited.reports[i].grad_norm, 1e-3);
  }
  EXPECT_NEAR(ahead.validation, waited.validation, 1e-4);
  EXPECT_TRUE(at::allclose(state_.parameters, weights, 1e-3, 1e-4));
}

TEST_P(TrainerAheadTest, AStepTellsItsLossOnceTheNextIsUnderWay) {
  options_.training.log_every = 0;
  std::vector<int64_t> done_when_told;
  Notes notes;
  notes.on_step = [&](int64_t) {
    done_when_told.push_back(state_.progress.step);
  };
  options_.training.max_steps = 3;
  ASSERT_THAT(Train(/*ahead=*/true, notes), IsOk());
  // The last one is not followed by another.
  EXPECT_THAT(done_when_told, ElementsAre(2, 3, 3));
}

TEST_P(TrainerAheadTest, WhoStopsGoesOnAsIfNothingHadBeen) {
  Notes whole;
  ASSERT_THAT(Train(/*ahead=*/true, whole), IsOk());
  const at::Tensor weights = state_.parameters.clone();
  Notes first;
  bool stop = false;
  first.on_step = [&](int64_t step) { stop = stop || step == 4; };
  wish_ = [&] { return stop ? Wish::kStop : Wish::kNone; };
  ASSERT_THAT(Train(/*ahead=*/true, first),
              StatusIs(absl::StatusCode::kCancelled));
  // What was launched when the stop came is done and counted.
  const int64_t stopped = store_.checkpoints.back().progress.step;
  EXPECT_EQ(first.steps.back().step, stopped);
  wish_ = [] { return Wish::kNone; };
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      state_, TrainState::FromCheckpoint(store_.checkpoints.back(), "cpu"));
  Notes second;
  ASSERT_THAT(Continue(/*ahead=*/true, second), IsOk());
  EXPECT_EQ(first.steps.size() + second.steps.size(), whole.steps.size());
  EXPECT_TRUE(at::equal(state_.parameters, weights));
}

TEST_P(TrainerAheadTest, ALossThatIsNotFiniteIsThatOfItsStep) {
  Notes notes;
  notes.on_step = [&](int64_t step) {
    // Step 3 is launched already; the fourth computes with it.
    if (step != 2) return;
    state_.parameters.fill_(std::numeric_limits<float>::quiet_NaN());
  };
  options_.training.log_every = 0;
  const absl::Status status = Train(/*ahead=*/true, notes);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("step 4: the loss is not finite"));
  EXPECT_EQ(notes.steps.back().step, 3);
}

TEST_P(TrainerAheadTest, LearnsInBf16) {
  options_.precision = Precision::kBf16;
  options_.training.num_epochs = 40;
  options_.training.learning_rate = 1e-2;
  Notes notes;
  ASSERT_THAT(Train(/*ahead=*/true, notes), IsOk());
  EXPECT_GT(notes.steps.front().loss, 3.3);
  EXPECT_LT(notes.steps.back().loss, 2.6);
}

INSTANTIATE_TEST_SUITE_P(Orders, TrainerAheadTest,
                         testing::Values(DataOrder::kShuffled,
                                         DataOrder::kStreams),
                         [](const testing::TestParamInfo<DataOrder>& info) {
                           return info.param == DataOrder::kStreams
                                      ? "Streams"
                                      : "Shuffled";
                         });

}  // namespace
}  // namespace charrnn
