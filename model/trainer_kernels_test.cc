// Training by fused kernels beside training by LibTorch's operators.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/thread_pool.h"
#include "data/corpus.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/char_rnn.h"
#include "model/checkpoint.h"
#include "model/checkpoint_store.h"
#include "model/computation.h"
#include "model/config.h"
#include "model/evaluator.h"
#include "model/kernels/arithmetic.h"
#include "model/kernels/each_arithmetic.h"
#include "model/torch_threads.h"
#include "model/train_observer.h"
#include "model/train_state.h"
#include "model/trainer.h"
#include "model/trainer_harness.h"
#include "model/training_plan.h"
#include "testing/allocations.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

class NoStore : public CheckpointStore {
 public:
  absl::StatusOr<std::string> Save(const Checkpoint&) override { return ""; }
};

class Curve : public TrainObserver {
 public:
  Curve() {
    losses.reserve(kMaxSteps);
    allocations.reserve(kMaxSteps);
  }
  void OnStep(const StepReport& report) override {
    losses.push_back(report.loss);
    allocations.push_back(NumAllocations());
  }
  void OnValidation(const ValidationReport& report) override {
    validation = report.loss;
  }

  static constexpr size_t kMaxSteps = 1000;
  std::vector<double> losses;
  std::vector<int64_t> allocations;  // all that there were before
  double validation = 0;
};

struct Case {
  RnnType type;
  int layers;
  DataOrder order;
};

class TrainerKernelsTest : public testing::TestWithParam<Case> {
 protected:
  TrainerKernelsTest() : corpus_(SnippetCorpus(Encoding::kUtf8)) {
    options_.model.rnn_type = GetParam().type;
    options_.model.num_layers = GetParam().layers;
    options_.model.vocab_size = corpus_->vocab().size();
    options_.model.embedding_dim = 12;
    options_.model.hidden_dim = 24;
    options_.model.dropout = 0.1;
    options_.training.data_order = GetParam().order;
    options_.training.seq_len = 10;
    options_.training.batch_size = 8;
    options_.training.num_epochs = 40;
    options_.training.learning_rate = 1e-2;
    options_.training.sample_every = 0;
    options_.training.log_every = 0;
  }

  Curve Train(const std::optional<Arithmetic>& kernels, int threads = 2) {
    options_.kernels = kernels;
    state_ = FirstState(options_);
    Curve curve;
    NoStore store;
    EXPECT_THAT(RunTrainer(options_, *corpus_, threads, curve, store, state_),
                IsOk());
    return curve;
  }

  std::string Weights() const {
    return std::string(
        static_cast<const char*>(state_.parameters.const_data_ptr()),
        state_.parameters.nbytes());
  }

  std::unique_ptr<Corpus> corpus_;
  Trainer::Options options_;
  TrainState state_;
};

std::vector<Arithmetic> AllKernels() {
  return SupportedArithmetics({Precision::kFp32, Precision::kBf16});
}

TEST_P(TrainerKernelsTest, CurvesLieBesideEachOther) {
  const Curve plain = Train(std::nullopt);
  ASSERT_LT(plain.losses.back(), 2.4);
  for (const Arithmetic& kernels : AllKernels()) {
    SCOPED_TRACE(NameOf(kernels));
    const Curve fused = Train(kernels);
    ASSERT_EQ(fused.losses.size(), plain.losses.size());
    // Rounding differs, and training magnifies it step after step.
    const double tolerance =
        kernels.precision == Precision::kBf16 ? 0.05 : 2e-3;
    for (size_t i = 0; i < plain.losses.size(); ++i) {
      ASSERT_NEAR(fused.losses[i], plain.losses[i], tolerance) << "step " << i;
    }
    EXPECT_NEAR(fused.validation, plain.validation, 2 * tolerance);
  }
}

TEST_P(TrainerKernelsTest, ValidationIsInFp32WhateverTrainingIsIn) {
  options_.training.num_epochs = 2;
  const std::unique_ptr<ThreadPool> pool = MakeTorchThreadPool(2);
  for (const Arithmetic& kernels : AllKernels()) {
    const Curve curve = Train(kernels);
    const CharRnn model(options_.model, state_.parameters);
    Computation fp32(&model, Arithmetic{kernels.isa, Precision::kFp32});
    fp32.TakeWeights(*pool);
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const Evaluation evaluation,
        Evaluate(
            fp32, *corpus_,
            MakeTrainingPlan(options_.training, corpus_->size())->validation,
            *pool));
    EXPECT_EQ(curve.validation, evaluation.loss()) << IsaName(kernels.isa);
  }
}

TEST_P(TrainerKernelsTest, WeightsAreTheSameForAnyThreads) {
  for (const Arithmetic& kernels : AllKernels()) {
    SCOPED_TRACE(NameOf(kernels));
    Train(kernels, 1);
    const std::string weights = Weights();
    for (const int threads : {2, 3, 8}) {
      Train(kernels, threads);
      EXPECT_EQ(Weights(), weights) << threads << " threads";
    }
  }
}

TEST_P(TrainerKernelsTest, AStepAllocatesNothing) {
  if (GetParam().order == DataOrder::kStreams) {
    GTEST_SKIP() << "the streams' states are new tensors each step";
  }
  // One long epoch: at an epoch's end there are validation and a checkpoint,
  // which is written beside the steps that follow.
  options_.training.num_epochs = 1;
  options_.training.overlap_step = 1;
  for (const int threads : {1, 2}) {
    const Curve curve = Train(Arithmetic{BestIsa()}, threads);
    ASSERT_GE(curve.losses.size(), 30u);
    // The first ones allocate what all of them need; but for the work space of
    // a thread that has come too late to do anything in these.
    int allocating = 0;
    for (size_t step = 3; step + 1 < curve.losses.size(); ++step) {
      if (curve.allocations[step] != curve.allocations[step - 1]) ++allocating;
    }
    EXPECT_LT(allocating, threads);
  }
}

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  return absl::StrCat(
      RnnTypeName(info.param.type), info.param.layers,
      info.param.order == DataOrder::kStreams ? "Streams" : "Shuffled");
}

INSTANTIATE_TEST_SUITE_P(
    Networks, TrainerKernelsTest,
    testing::Values(Case{RnnType::kGru, 1, DataOrder::kShuffled},
                    Case{RnnType::kGru, 2, DataOrder::kStreams},
                    Case{RnnType::kLstm, 1, DataOrder::kStreams},
                    Case{RnnType::kLstm, 2, DataOrder::kShuffled}),
    CaseName);

}  // namespace
}  // namespace charrnn
