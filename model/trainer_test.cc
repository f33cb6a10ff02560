#include "model/trainer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "data/chunk_index.h"
#include "data/corpus.h"
#include "data/epoch_plan.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/model_snapshot.h"
#include "model/checkpoint_store.h"
#include "model/config.h"
#include "model/gradient_reducer.h"
#include "model/learning_rate.h"
#include "model/loss.h"
#include "model/optimizer.h"
#include "model/parameter_layout.h"
#include "model/torch_threads.h"
#include "model/train_observer.h"
#include "model/train_state.h"
#include "model/training_plan.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Writes down what it is told.
class Notes : public TrainObserver {
 public:
  void OnStart(const RunPlan& plan) override {
    events.push_back(absl::StrCat("start of ", plan.total_steps));
  }
  void OnStep(const StepReport& report) override {
    steps.push_back(report);
    if (report.step == throwing_step) throw std::bad_alloc();
  }
  void OnTrain(const TrainReport& report) override {
    events.push_back(absl::StrCat("train ", report.step));
    reports.push_back(report);
  }
  void OnValidation(const ValidationReport& report) override {
    events.push_back(absl::StrCat("validation ", report.step));
    validations.push_back(report);
  }
  void OnSample(const SampleReport& report) override {
    events.push_back(absl::StrCat("sample ", report.step));
    texts.push_back(report.text);
  }
  void OnCheckpoint(const CheckpointReport& report) override {
    events.push_back(absl::StrCat("checkpoint ", report.step));
  }
  void OnEnd(const EndReport& report) override {
    events.push_back(absl::StrCat("end ", report.step));
    reason = report.reason;
  }

  int64_t throwing_step = -1;
  std::vector<std::string> events;
  std::vector<StepReport> steps;
  std::vector<TrainReport> reports;
  std::vector<ValidationReport> validations;
  std::vector<std::string> texts;
  std::string reason;
};

// Keeps models in memory; fails at the steps it is told to fail at.
class MemoryStore : public CheckpointStore {
 public:
  absl::StatusOr<std::string> Save(int64_t step, absl::string_view model,
                                   bool best) override {
    if (step == failing_step) return absl::ResourceExhaustedError("disk full");
    steps.push_back(step);
    models.emplace_back(model);
    if (best) best_step = step;
    return absl::StrCat("step ", step);
  }

  int64_t failing_step = -1;
  int64_t best_step = -1;
  std::vector<int64_t> steps;
  std::vector<std::string> models;
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
  }

  absl::Status Train(int threads = 1) {
    state_ = *TrainState::Initial(ParameterLayout(options_.model),
                                  options_.training.seed, "cpu");
    return Continue(threads);
  }

  // Trains from where the state is.
  absl::Status Continue(int threads = 1) {
    const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(threads);
    LocalReducer reducer(pool.get());
    const absl::StatusOr<TrainingPlan> plan =
        MakeTrainingPlan(options_.training, corpus_->size());
    if (!plan.ok()) return plan.status();
    return Trainer(options_, *plan,
                   {corpus_.get(), pool.get(), &reducer, &notes_, &store_,
                    Clock::Real()},
                   &state_)
        .Run();
  }

  std::unique_ptr<Corpus> corpus_;
  Trainer::Options options_;
  Notes notes_;
  MemoryStore store_;
  TrainState state_;
};

TEST_F(TrainerTest, DoesWhatIsDueInTheDocumentedOrder) {
  options_.training.sample_every = 4;
  options_.training.save_every = 3;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_THAT(notes_.events,
              ElementsAre("start of 8", "train 3", "checkpoint 3", "sample 4",
                          "validation 4", "checkpoint 4", "train 6",
                          "checkpoint 6", "train 8", "sample 8", "validation 8",
                          "checkpoint 8", "end 8"));
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
  const ChunkIndex chunks = MakeTrainingPlan(options_.training, 347)->training;
  const EpochPlan order(chunks.num_chunks(), 42, 0);
  std::vector<int32_t> inputs(80);
  std::vector<int32_t> targets(80);
  for (int64_t row = 0; row < 8; ++row) {
    const int64_t offset = chunks.offset(order.Chunk(row));
    corpus_->Read(offset, absl::MakeSpan(inputs).subspan(10 * row, 10));
    corpus_->Read(offset + 1, absl::MakeSpan(targets).subspan(10 * row, 10));
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
  EXPECT_EQ(state_.step, 8);
  EXPECT_TRUE(at::equal(state_.parameters, expected.parameters));
  EXPECT_TRUE(at::equal(state_.exp_avg_sq, expected.exp_avg_sq));
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
    if (report.best) {
      lowest = report.loss;
      lowest_step = report.step;
    }
  }
  EXPECT_EQ(store_.best_step, lowest_step);
  EXPECT_EQ(state_.best_loss, lowest);
}

TEST_F(TrainerTest, WithNothingHeldOutTheNewestIsTheBest) {
  options_.training.val_fraction = 0;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_THAT(notes_.validations, IsEmpty());
  EXPECT_EQ(store_.best_step, store_.steps.back());
  EXPECT_EQ(state_.best_loss, std::numeric_limits<double>::infinity());
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
  for (const std::string& model : store_.models) {
    const absl::StatusOr<ModelSnapshot> snapshot = DecodeModel(model);
    ASSERT_THAT(snapshot, IsOk());
    for (const float weight : snapshot->parameters) {
      ASSERT_TRUE(std::isfinite(weight));
    }
  }
}

TEST_F(TrainerTest, AFailedSaveIsMadeUpForByTheNextOne) {
  store_.failing_step = 4;
  ASSERT_THAT(Train(), IsOk());
  EXPECT_THAT(store_.steps, ElementsAre(8));
  EXPECT_EQ(store_.best_step, 8);
}

TEST_F(TrainerTest, AFailureToSaveTheLastCheckpointIsTheRunsFailure) {
  store_.failing_step = 8;
  EXPECT_THAT(Train(), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(TrainerTest, TheModelSavedIsTheModelTrained) {
  ASSERT_THAT(Train(), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot model,
                               DecodeModel(store_.models.back()));
  const at::Tensor parameters = state_.parameters;
  EXPECT_EQ(model.parameters,
            std::vector<float>(
                parameters.const_data_ptr<float>(),
                parameters.const_data_ptr<float>() + parameters.numel()));
  EXPECT_EQ(model.data.seq_len, 10);
  EXPECT_EQ(model.vocab, corpus_->vocab());
}

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
