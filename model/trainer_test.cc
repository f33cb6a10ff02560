#include "model/trainer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/thread_pool.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "data/epoch_plan.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/checkpoint.h"
#include "model/checkpoint_store.h"
#include "model/config.h"
#include "model/kernels/arithmetic.h"
#include "model/learning_rate.h"
#include "model/loss.h"
#include "model/model_snapshot.h"
#include "model/optimizer.h"
#include "model/parameter_layout.h"
#include "model/rnn_state.h"
#include "model/train_observer.h"
#include "model/train_progress.h"
#include "model/train_state.h"
#include "model/trainer_harness.h"
#include "model/training_plan.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Writes down what it is told.
class Notes : public TrainObserver {
 public:
  void OnStart(const RunPlan& plan) override {
    events.push_back(absl::StrCat("start of ", plan.total_steps));
  }
  void OnStep(const StepReport& report) override {
    steps.push_back(report);
    if (on_step) on_step(report.step);
    if (report.step == throwing_step) throw std::bad_alloc();
  }
  void OnTrain(const TrainReport& report) override {
    events.push_back(absl::StrCat("train ", report.step));
    reports.push_back(report);
    records.push_back(absl::StrFormat("train %d %d %a %a %a", report.step,
                                      report.epoch, report.loss,
                                      report.grad_norm, report.learning_rate));
  }
  void OnValidation(const ValidationReport& report) override {
    events.push_back(absl::StrCat("validation ", report.step));
    validations.push_back(report);
    records.push_back(absl::StrFormat("validation %d %d %a %d", report.step,
                                      report.epoch, report.loss, report.best));
  }
  void OnSample(const SampleReport& report) override {
    events.push_back(absl::StrCat("sample ", report.step));
    texts.push_back(report.text);
    records.push_back(absl::StrCat("sample ", report.step, " ", report.text));
  }
  void OnCheckpoint(const CheckpointReport& report) override {
    events.push_back(absl::StrCat("checkpoint ", report.step));
  }
  void OnEnd(const EndReport& report) override {
    events.push_back(absl::StrCat("end ", report.step));
    reason = report.reason;
  }

  RecordSizes Records() const override {
    return {static_cast<int64_t>(records.size()), 0};
  }

  int64_t throwing_step = -1;
  std::function<void(int64_t)> on_step;
  std::vector<std::string> events;
  // What a run's files tell, without times; a run that goes on cuts it.
  std::vector<std::string> records;
  std::vector<StepReport> steps;
  std::vector<TrainReport> reports;
  std::vector<ValidationReport> validations;
  std::vector<std::string> texts;
  std::string reason;
};

// Keeps checkpoints in memory; fails at the step it is told to fail at.
class MemoryStore : public CheckpointStore {
 public:
  absl::StatusOr<std::string> Save(const Checkpoint& checkpoint) override {
    if (before_save) before_save();
    const int64_t step = checkpoint.progress.step;
    if (step == throwing_step) throw std::bad_alloc();
    if (step == failing_step) return absl::ResourceExhaustedError("disk full");
    steps.push_back(step);
    checkpoints.push_back(checkpoint);
    return absl::StrCat("step ", step);
  }

  int64_t failing_step = -1;
  int64_t throwing_step = -1;
  std::function<void()> before_save;
  std::vector<int64_t> steps;
  std::vector<Checkpoint> checkpoints;
};

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() : corpus_(SnippetCorpus(Encoding::kUtf8)) {
    options_.model.vocab_size = corpus_->vocab().size();
    options_.model.embedding_dim = 5;
    options_.model.hidden_dim = 11;
    // 330 characters to train on: 32 chunks, 4 steps an epoch.
    options_.training.seq_len = 10;
    options_.training.batch_size = 8;
    options_.training.num_epochs = 2;
    options_.training.log_every = 3;
    options_.training.sample_every = 0;
    options_.sampling.max_generate = 20;
    options_.kernels = Arithmetic{BestIsa()};
  }

  absl::Status Train(int threads = 1) {
    state_ = FirstState(options_);
    return Continue(threads);
  }

  // Trains from where the state is.
  absl::Status Continue(int threads = 1) {
    return RunTrainer(options_, *corpus_, threads, notes_, store_, state_,
                      wish_);
  }

  std::unique_ptr<Corpus> corpus_;
  Trainer::Options options_;
  Notes notes_;
  MemoryStore store_;
  TrainState state_;
  std::function<Wish()> wish_ = [] { return Wish::kNone; };
};

TEST_F(TrainerTest, DoesWhatIsDueInTheDocumentedOrder) {
  options_.training.sample_every = 4;
  options_.training.save_every = 3;
  ASSERT_THAT(Train(), IsOk());
  // A checkpoint is told once it is written, while the next steps are trained.
  std::vector<std::string> order;
  std::vector<std::string> checkpoints;
  for (const std::string& event : notes_.events) {
    const bool saved = absl::StartsWith(event, "checkpoint");
    (saved ? checkpoints : order).push_back(event);
  }
  EXPECT_THAT(order, ElementsAre("start of 8", "train 3", "sample 4",
                                 "validation 4", "train 6", "train 8",
                                 "sample 8", "validation 8", "end 8"));
  EXPECT_THAT(checkpoints, ElementsAre("checkpoint 3", "checkpoint 4",
                                       "checkpoint 6", "checkpoint 8"));
  EXPECT_THAT(notes_.steps, SizeIs(8));
  EXPECT_THAT(notes_.texts, SizeIs(2));
  EXPECT_EQ(notes_.reason, "finished");
}

TEST_F(TrainerTest, ARunThatEndsWithinAnEpochIsValidatedAndSaved) {
  options_.training.max_steps = 6;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_THAT(store_.steps, ElementsAre(4, 6));
  EXPECT_THAT(notes_.validations, SizeIs(2));
}

TEST_F(TrainerTest, Learns) {
  options_.training.num_epochs = 40;
  options_.training.learning_rate = 1e-2;
  ASSERT_THAT(Train(2), IsOk());
  EXPECT_GT(notes_.steps.front().loss, 3.5);
  EXPECT_LT(notes_.steps.back().loss, 2.4);
}

TEST_F(TrainerTest, AReportIsTheMeanOfTheStepsSinceTheLastAcrossEpochs) {
  ASSERT_THAT(Train(), IsOk());
  ASSERT_THAT(notes_.reports, SizeIs(3));
  for (int report = 0; report < 2; ++report) {
    double sum = 0;
    for (int i = 0; i < 3; ++i) sum += notes_.steps[3 * report + i].loss;
    EXPECT_NEAR(notes_.reports[report].loss, sum / 3, 1e-12);
  }
  EXPECT_EQ(notes_.reports[1].epoch, 2);
  EXPECT_GT(notes_.reports[1].chars_per_s, 0);
}

TEST_F(TrainerTest, TheLastStepsAreReportedToo) {
  ASSERT_THAT(Train(), IsOk());
  EXPECT_EQ(notes_.reports.back().step, 8);
}

TEST_F(TrainerTest, TheLearningRateFollowsTheScheduleOfAllEpochs) {
  options_.training.log_every = 1;
  options_.training.warmup_steps = 2;
  options_.training.lr_schedule = LrSchedule::kCosine;
  options_.training.max_steps = 5;  // of 8
  ASSERT_THAT(Train(), IsOk());
  ASSERT_THAT(notes_.reports, SizeIs(5));
  for (int step = 0; step < 5; ++step) {
    EXPECT_EQ(notes_.reports[step].learning_rate,
              LearningRate(options_.training, step, 8));
    EXPECT_GT(notes_.reports[step].grad_norm, 0);
  }
}

TEST_F(TrainerTest, AStepIsOneUpdateByTheGradientOfTheWholeBatch) {
  options_.model.dropout = 0.3;
  options_.training.max_steps = 1;
  ASSERT_THAT(Train(2), IsOk());

  // The same without trainer, reader or grains.
  const ParameterLayout layout(options_.model);
  TrainState expected = *TrainState::Initial(layout, 42, "cpu");
  const CharRnn model(options_.model, expected.parameters);
  const ChunkIndex chunks =
      *MakeTrainingPlan(options_.training, 347)->batches.chunks();
  const EpochPlan order(chunks.num_chunks(), 42, 0);
  std::vector<int32_t> inputs(80);
  std::vector<int32_t> targets(80);
  for (int64_t row = 0; row < 8; ++row) {
    const int64_t offset = chunks.offset(order.Chunk(row));
    EXPECT_THAT(
        corpus_->Read(offset, absl::MakeSpan(inputs).subspan(10 * row, 10)),
        IsOk());
    EXPECT_THAT(corpus_->Read(offset + 1,
                              absl::MakeSpan(targets).subspan(10 * row, 10)),
                IsOk());
  }
  const at::Tensor gradient = at::zeros({layout.flat_size()});
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const double loss,
      LossAndGradient(model, {8, 10, inputs, targets},
                      {/*seed=*/42, /*step=*/0, /*rate=*/0.3, /*first_row=*/0},
                      gradient));
  ThreadPool pool(1);
  ASSERT_THAT(Optimizer(1, &pool).Update(gradient, 80, 2e-3, expected), IsOk());
  EXPECT_NEAR(notes_.steps.front().loss, loss / 80, 1e-5);
  EXPECT_TRUE(at::allclose(state_.exp_avg, expected.exp_avg, 1e-3, 1e-7));
}

TEST_F(TrainerTest, ARunGoesOnFromAStateAsIfItHadNeverStopped) {
  ASSERT_THAT(Train(), IsOk());
  const TrainState expected = state_;
  options_.training.max_steps = 5;  // within the second epoch
  ASSERT_THAT(Train(), IsOk());
  options_.training.max_steps = 0;
  ASSERT_THAT(Continue(), IsOk());
  EXPECT_EQ(state_.progress.step, 8);
  EXPECT_TRUE(at::equal(state_.parameters, expected.parameters));
  EXPECT_TRUE(at::equal(state_.exp_avg_sq, expected.exp_avg_sq));
}

// What is to be the same after a run that was interrupted.
struct Outcome {
  std::vector<float> parameters;
  std::vector<float> exp_avg;
  std::vector<float> exp_avg_sq;
  std::vector<float> streams;
  std::string progress;
  std::vector<std::string> records;

  friend bool operator==(const Outcome& a, const Outcome& b) {
    return a.parameters == b.parameters && a.exp_avg == b.exp_avg &&
           a.exp_avg_sq == b.exp_avg_sq && a.streams == b.streams &&
           a.progress == b.progress && a.records == b.records;
  }
};

class ResumeTest : public TrainerTest,
                   public testing::WithParamInterface<DataOrder> {
 protected:
  ResumeTest() {
    options_.training.data_order = GetParam();
    options_.model.dropout = 0.2;
    options_.training.lr_schedule = LrSchedule::kCosine;
    options_.training.warmup_steps = 3;
    options_.training.sample_every = 4;
    options_.sampling.max_generate = 4;
  }

  int64_t StepsPerEpoch() const {
    return MakeTrainingPlan(options_.training, corpus_->size())
        ->steps_per_epoch;
  }

  Outcome Result() const {
    const Checkpoint& last = store_.checkpoints.back();
    TrainProgress progress = last.progress;
    progress.wall_s = progress.training_s = 0;
    return {last.model.parameters, last.exp_avg,     last.exp_avg_sq,
            last.streams.hidden,   ToJson(progress), notes_.records};
  }

  // Goes on from a checkpoint as a new process would.
  absl::Status Resume(const Checkpoint& checkpoint) {
    const auto kept =
        notes_.records.begin() + checkpoint.progress.records.metrics;
    notes_.records.erase(kept, notes_.records.end());
    state_ = *TrainState::FromCheckpoint(checkpoint, "cpu");
    return Continue();
  }
};

TEST_P(ResumeTest, FromAnyStepIsAsIfTheRunHadNeverEnded) {
  options_.training.save_every = 1;
  ASSERT_THAT(Train(), IsOk());
  const Outcome expected = Result();
  const std::vector<std::string> records = notes_.records;
  const std::vector<Checkpoint> checkpoints = store_.checkpoints;
  ASSERT_THAT(checkpoints, SizeIs(2 * StepsPerEpoch()));
  for (const Checkpoint& checkpoint : checkpoints) {
    if (&checkpoint == &checkpoints.back()) break;
    notes_.records = records;
    ASSERT_THAT(Resume(checkpoint), IsOk());
    EXPECT_TRUE(Result() == expected) << checkpoint.progress.step;
  }
}

TEST_P(ResumeTest, AfterAStopAtAnyMomentIsAsIfTheRunHadNeverEnded) {
  ASSERT_THAT(Train(), IsOk());
  const Outcome expected = Result();
  bool stopped = true;
  int num_stops = 0;
  int num_due = 0;
  for (; stopped; ++num_stops) {
    notes_ = Notes();
    store_.steps.clear();
    store_.checkpoints.clear();
    // Told to stop at one of the moments at which the trainer asks.
    std::atomic<int> asked{0};
    wish_ = [&] { return asked++ >= num_stops ? Wish::kStop : Wish::kNone; };
    const absl::Status status = Train();
    stopped = !status.ok();
    if (!stopped) break;
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled,
                                 HasSubstr("--resume goes on")));
    ASSERT_THAT(store_.checkpoints, Not(IsEmpty()));
    const Checkpoint checkpoint = store_.checkpoints.back();
    EXPECT_EQ(checkpoint.progress.step, state_.progress.step);
    num_due += checkpoint.progress.due;
    wish_ = [] { return Wish::kNone; };
    ASSERT_THAT(Resume(checkpoint), IsOk());
    EXPECT_TRUE(Result() == expected)
        << num_stops << ", step " << checkpoint.progress.step;
  }
  // Once a step, and within texts of four characters and validations.
  EXPECT_GE(num_stops, 16);
  EXPECT_EQ(num_due, num_stops);
}

TEST_P(ResumeTest, ARunThatHasEndedGoesOnWithMoreSteps) {
  ASSERT_THAT(Train(), IsOk());
  const std::vector<float> expected = Result().parameters;
  options_.training.max_steps = 5;
  ASSERT_THAT(Train(), IsOk());
  options_.training.max_steps = 0;
  ASSERT_THAT(Resume(store_.checkpoints.back()), IsOk());
  EXPECT_EQ(Result().parameters, expected);
}

TEST_P(ResumeTest, TimesAddUp) {
  options_.training.max_steps = 3;
  ASSERT_THAT(Train(), IsOk());
  Checkpoint checkpoint = store_.checkpoints.back();
  EXPECT_GT(checkpoint.progress.wall_s, 0);
  checkpoint.progress.wall_s = 1e6;
  options_.training.max_steps = 0;
  ASSERT_THAT(Resume(checkpoint), IsOk());
  EXPECT_GT(notes_.reports.back().wall_s, 1e6);
  EXPECT_GT(store_.checkpoints.back().progress.wall_s, 1e6);
}

INSTANTIATE_TEST_SUITE_P(DataOrders, ResumeTest,
                         testing::Values(DataOrder::kShuffled,
                                         DataOrder::kStreams),
                         [](const auto& info) {
                           return std::string(DataOrderName(info.param));
                         });

TEST_F(TrainerTest, TrainingGoesOnWhileACheckpointIsWritten) {
  options_.training.save_every = 1;
  std::promise<void> goes_on;
  int saves = 0;
  notes_.on_step = [&](int64_t step) {
    if (step == 2) goes_on.set_value();
  };
  store_.before_save = [&] {
    // The first one is done only once the second step has been trained.
    if (saves++ == 0) {
      EXPECT_EQ(goes_on.get_future().wait_for(std::chrono::seconds(30)),
                std::future_status::ready);
    }
  };
  ASSERT_THAT(Train(), IsOk());
  EXPECT_THAT(store_.steps, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(TrainerTest, ABestModelThatWasNotSavedIsNotTheBest) {
  options_.training.num_epochs = 6;
  options_.training.learning_rate = 0.05;  // overfits soon
  ASSERT_THAT(Train(), IsOk());
  const int64_t best = store_.checkpoints.back().progress.best_step;
  notes_ = Notes();
  store_ = MemoryStore();
  store_.failing_step = best;
  ASSERT_THAT(Train(), IsOk());
  const TrainProgress progress = store_.checkpoints.back().progress;
  EXPECT_NE(progress.best_step, best);
  EXPECT_THAT(store_.steps, Contains(progress.best_step));
}

TEST_F(TrainerTest, BestIsTheLowestValidationLoss) {
  options_.training.num_epochs = 6;
  options_.training.learning_rate = 0.05;  // overfits soon
  ASSERT_THAT(Train(), IsOk());
  double lowest = std::numeric_limits<double>::infinity();
  int64_t lowest_step = 0;
  for (const ValidationReport& report : notes_.validations) {
    EXPECT_EQ(report.best, report.loss < lowest);
    EXPECT_EQ(report.chars, 10);  // 17 held out: one chunk of ten
    EXPECT_EQ(report.bytes, 10);
    if (report.best) {
      lowest = report.loss;
      lowest_step = report.step;
    }
  }
  EXPECT_EQ(store_.checkpoints.back().progress.best_step, lowest_step);
  EXPECT_EQ(state_.progress.best_loss, lowest);
}

TEST_F(TrainerTest, WithNothingHeldOutTheNewestIsTheBest) {
  options_.training.val_fraction = 0;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_THAT(notes_.validations, IsEmpty());
  EXPECT_EQ(store_.checkpoints.back().progress.best_step, store_.steps.back());
  EXPECT_EQ(state_.progress.best_loss, std::numeric_limits<double>::infinity());
}

TEST_F(TrainerTest, StopsOnceTheLossIsLowEnough) {
  options_.training.num_epochs = 1000;
  options_.training.stop_loss = 3.6;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_LT(notes_.steps.back().loss, 3.6);
  EXPECT_GE(notes_.steps[notes_.steps.size() - 2].loss, 3.6);
  EXPECT_EQ(store_.steps.back(), notes_.steps.back().step);
  EXPECT_EQ(notes_.reason, "finished with a step's loss below 3.6");
}

TEST_F(TrainerTest, AnExceptionEndsTheRunAsAnErrorDoes) {
  notes_.throwing_step = 3;
  EXPECT_THAT(Train(), StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("training: out of memory")));
  EXPECT_THAT(notes_.reason, HasSubstr("out of memory"));
}

TEST_F(TrainerTest, AnExplodingRunStopsAtTheStepAndKeepsItsCheckpoints) {
  options_.training.learning_rate = 1e38;  // weights overflow
  options_.training.grad_clip = 0;
  options_.training.save_every = 1;
  const absl::Status status = Train();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss,
                               HasSubstr("is not finite")));
  const int64_t failed_step = static_cast<int64_t>(notes_.steps.size()) + 1;
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("step ", failed_step)));
  EXPECT_THAT(notes_.reason, HasSubstr("is not finite"));
  ASSERT_THAT(store_.steps, SizeIs(failed_step - 1));
  // Never one that holds what is not finite.
  for (const Checkpoint& checkpoint : store_.checkpoints) {
    for (const float weight : checkpoint.model.parameters) {
      ASSERT_TRUE(std::isfinite(weight));
    }
  }
}

TEST_F(TrainerTest, AFailedSaveIsMadeUpForByTheNextOne) {
  store_.failing_step = 4;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_THAT(store_.steps, ElementsAre(8));
  EXPECT_EQ(store_.checkpoints.back().progress.best_step, 8);
}

TEST_F(TrainerTest, ASaveWithoutMemoryIsAFailedSave) {
  store_.throwing_step = 4;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_THAT(store_.steps, ElementsAre(8));
  store_.throwing_step = 8;
  EXPECT_THAT(Train(), StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("saving: out of memory")));
  EXPECT_THAT(notes_.reason, HasSubstr("out of memory"));
}

TEST_F(TrainerTest, AFailureToSaveTheLastCheckpointIsTheRunsFailure) {
  store_.failing_step = 8;
  EXPECT_THAT(Train(), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(TrainerTest, TheModelSavedIsTheModelTrained) {
  ASSERT_THAT(Train(), IsOk());
  const ModelSnapshot& model = store_.checkpoints.back().model;
  const at::Tensor parameters = state_.parameters;
  EXPECT_EQ(model.parameters,
            std::vector<float>(
                parameters.const_data_ptr<float>(),
                parameters.const_data_ptr<float>() + parameters.numel()));
  EXPECT_EQ(model.data.seq_len, 10);
  EXPECT_EQ(model.vocab, corpus_->vocab());
}

// Eight streams of 41 characters: four steps of ten and one of a single one, of
// weights that do not change, so that what they remember can be told.
class StreamsTest : public TrainerTest,
                    public testing::WithParamInterface<RnnType> {
 protected:
  StreamsTest() {
    options_.model.rnn_type = GetParam();
    options_.model.num_layers = 2;
    options_.model.dropout = 0;
    options_.training.data_order = DataOrder::kStreams;
    options_.training.learning_rate = 1e-30;
    options_.training.save_every = 1;
  }

  // What the model remembers of the first `length` characters of each stream.
  RnnState StateAfter(int64_t length) {
    const CharRnn model(options_.model, state_.parameters);
    RnnState state = model.ZeroState(8);
    std::vector<int32_t> inputs(8 * length);
    for (int64_t stream = 0; stream < 8; ++stream) {
      EXPECT_THAT(corpus_->Read(41 * stream, absl::MakeSpan(inputs).subspan(
                                                 stream * length, length)),
                  IsOk());
    }
    EXPECT_THAT(Loss(model, {8, length, inputs, inputs}, &state), IsOk());
    return state;
  }
};

TEST_P(StreamsTest, ACheckpointHoldsWhatIsRememberedOfEachStream) {
  ASSERT_THAT(Train(), IsOk());
  ASSERT_THAT(store_.checkpoints, SizeIs(10));
  for (int64_t step = 1; step <= 4; ++step) {
    const RnnState expected = StateAfter(10 * step);
    for (const int64_t epoch : {0, 1}) {
      const TrainState state = *TrainState::FromCheckpoint(
          store_.checkpoints[5 * epoch + step - 1], "cpu");
      EXPECT_TRUE(
          at::allclose(state.streams.hidden, expected.hidden, 1e-4, 1e-5));
      ASSERT_EQ(state.streams.cell.defined(), GetParam() == RnnType::kLstm);
      if (!expected.cell.defined()) continue;
      EXPECT_TRUE(at::allclose(state.streams.cell, expected.cell, 1e-4, 1e-5));
    }
  }
}

TEST_P(StreamsTest, AnEpochBeginsWithNothingRemembered) {
  ASSERT_THAT(Train(), IsOk());
  ASSERT_THAT(notes_.steps, SizeIs(10));
  for (int step = 0; step < 5; ++step) {
    EXPECT_EQ(notes_.steps[step].loss, notes_.steps[step + 5].loss);
    EXPECT_EQ(notes_.steps[step].targets, step < 4 ? 80 : 8);
  }
  const std::vector<float>& last = store_.checkpoints[4].streams.hidden;
  EXPECT_EQ(last, std::vector<float>(last.size(), 0));
}

TEST_P(StreamsTest, ValidationReadsStreamsToo) {
  options_.training.val_fraction = 0.5;
  ASSERT_THAT(Train(), IsOk());
  // 173 characters: 17 streams of ten.
  EXPECT_EQ(notes_.validations.front().chars, 170);
  EXPECT_EQ(store_.checkpoints.back().model.data.data_order,
            DataOrder::kStreams);
}

TEST_P(StreamsTest, AnotherNumberOfStreamsBeginsWithNothingRemembered) {
  options_.training.max_steps = 3;
  ASSERT_THAT(Train(), IsOk());
  options_.training.batch_size = 4;
  options_.training.max_steps = 5;
  ASSERT_THAT(Continue(), IsOk());
  EXPECT_EQ(state_.streams.hidden.size(1), 4);
  options_.training.data_order = DataOrder::kShuffled;
  options_.training.max_steps = 6;
  ASSERT_THAT(Continue(), IsOk());
  EXPECT_FALSE(state_.streams.defined());
}

INSTANTIATE_TEST_SUITE_P(Networks, StreamsTest,
                         testing::Values(RnnType::kGru, RnnType::kLstm),
                         [](const auto& info) {
                           return std::string(RnnTypeName(info.param));
                         });

// The bits of a run: its last model, and Adam's state.
class TrainerBitsTest : public TrainerTest,
                        public testing::WithParamInterface<RnnType> {
 protected:
  TrainerBitsTest() {
    options_.model.rnn_type = GetParam();
    options_.model.num_layers = 2;
    options_.model.dropout = 0.1;
    options_.training.overlap_step = 1;
    options_.training.batch_size = 100;  // grains of 12 and of 13 rows
    options_.training.max_steps = 6;     // two epochs
  }
};

TEST_P(TrainerBitsTest, AreTheSameForAnyThreadsAndPrefetch) {
  ASSERT_THAT(Train(1), IsOk());
  const TrainState expected = state_;
  for (const int threads : {1, 2, 3}) {
    for (const int prefetch : {1, 4}) {
      options_.prefetch = prefetch;
      ASSERT_THAT(Train(threads), IsOk());
      EXPECT_TRUE(at::equal(state_.parameters, expected.parameters));
      EXPECT_TRUE(at::equal(state_.exp_avg, expected.exp_avg));
      EXPECT_TRUE(at::equal(state_.exp_avg_sq, expected.exp_avg_sq));
    }
  }
}

TEST_P(TrainerBitsTest, OfStreamsAreTheSameForAnyThreads) {
  options_.training.overlap_step = 0;
  options_.training.data_order = DataOrder::kStreams;
  options_.training.seq_len = 2;
  options_.training.num_epochs = 1;
  options_.training.batch_size = 20;  // grains of two and of three streams
  options_.training.max_steps = 0;
  ASSERT_THAT(Train(1), IsOk());
  const TrainState expected = state_;
  const Checkpoint checkpoint = store_.checkpoints.back();
  for (const int threads : {2, 3}) {
    ASSERT_THAT(Train(threads), IsOk());
    EXPECT_TRUE(at::equal(state_.parameters, expected.parameters));
    EXPECT_TRUE(at::equal(state_.exp_avg_sq, expected.exp_avg_sq));
  }
}

TEST_P(TrainerBitsTest, DependOnTheSeed) {
  ASSERT_THAT(Train(), IsOk());
  const at::Tensor parameters = state_.parameters;
  options_.training.seed = 43;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_FALSE(at::equal(state_.parameters, parameters));
}

INSTANTIATE_TEST_SUITE_P(Networks, TrainerBitsTest,
                         testing::Values(RnnType::kGru, RnnType::kLstm),
                         [](const auto& info) {
                           return std::string(RnnTypeName(info.param));
                         });

}  // namespace
}  // namespace charrnn
