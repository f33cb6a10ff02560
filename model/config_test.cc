#include "model/config.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr char kModelJson[] =
    R"({"rnn_type":"LSTM","vocab_size":65,"embedding_dim":16,)"
    R"("hidden_dim":32,"num_layers":2,"dropout":0.1})";

ModelConfig ValidModel() {
  ModelConfig config;
  config.vocab_size = 65;
  return config;
}

template <typename Message>
auto IsInvalid(const Message& message) {
  return StatusIs(absl::StatusCode::kInvalidArgument, message);
}

// The JSON of a valid model with `key` replaced.
std::string ModelJsonWith(const std::string& key, const nlohmann::json& value) {
  nlohmann::json object = nlohmann::json::parse(kModelJson);
  object[key] = value;
  return object.dump();
}

TEST(ConfigTest, ReadsNamesInAnyCase) {
  EXPECT_THAT(ParseRnnType("GRU"), IsOkAndHolds(RnnType::kGru));
  EXPECT_THAT(ParseRnnType("lstm"), IsOkAndHolds(RnnType::kLstm));
  EXPECT_THAT(ParseRnnType("rnn"),
              IsInvalid("--rnn_type=rnn: must be GRU or LSTM"));
  EXPECT_THAT(ParseLrSchedule("Cosine"), IsOkAndHolds(LrSchedule::kCosine));
  EXPECT_THAT(ParseLrSchedule("constant"), IsOkAndHolds(LrSchedule::kConstant));
  EXPECT_THAT(ParseLrSchedule(""), IsInvalid(StartsWith("--lr_schedule=:")));
}

TEST(ConfigTest, AcceptsTheDefaults) {
  EXPECT_THAT(Validate(ValidModel()), IsOk());
  EXPECT_THAT(Validate(TrainingConfig()), IsOk());
  EXPECT_THAT(Validate(DataConfig()), IsOk());
  EXPECT_THAT(Validate(SamplingConfig()), IsOk());
}

TEST(ConfigTest, NamesTheFlagTheValueAndTheRange) {
  ModelConfig model = ValidModel();
  model.dropout = 1.5;
  EXPECT_THAT(Validate(model),
              IsInvalid("--dropout=1.5: must be at least 0 and below 1"));
  TrainingConfig training;
  training.learning_rate = 0;
  EXPECT_THAT(
      Validate(training),
      IsInvalid("--learning_rate=0: must be above 0 and at most 3e+37"));
  SamplingConfig sampling;
  sampling.top_k = -1;
  EXPECT_THAT(Validate(sampling),
              IsInvalid("--top_k=-1: must be at least 0 and at most 1114112"));
}

TEST(ConfigTest, RefusesAVocabularyThatWasNeverSet) {
  EXPECT_THAT(Validate(ModelConfig()), IsInvalid(StartsWith("--vocab_size=0")));
}

TEST(ConfigTest, RefusesWhatIsNotFinite) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    ModelConfig model = ValidModel();
    model.dropout = bad;
    EXPECT_THAT(Validate(model), IsInvalid(StartsWith("--dropout=")));
    TrainingConfig training;
    training.learning_rate = bad;
    EXPECT_THAT(Validate(training), IsInvalid(StartsWith("--learning_rate=")));
    training = TrainingConfig();
    training.grad_clip = bad;
    EXPECT_THAT(Validate(training), IsInvalid(StartsWith("--grad_clip=")));
    training = TrainingConfig();
    training.val_fraction = bad;
    EXPECT_THAT(Validate(training), IsInvalid(StartsWith("--val_fraction=")));
    SamplingConfig sampling;
    sampling.temperature = bad;
    EXPECT_THAT(Validate(sampling), IsInvalid(StartsWith("--temperature=")));
    sampling = SamplingConfig();
    sampling.top_p = bad;
    EXPECT_THAT(Validate(sampling), IsInvalid(StartsWith("--top_p=")));
  }
}

TEST(ConfigTest, AcceptsTheValuesThatTurnThingsOff) {
  TrainingConfig training;
  training.overlap_step = training.max_steps = training.log_every = 0;
  training.sample_every = training.save_every = training.grad_clip = 0;
  EXPECT_THAT(Validate(training), IsOk());
  SamplingConfig sampling;
  sampling.temperature = sampling.top_k = 0;
  sampling.top_p = 1;
  EXPECT_THAT(Validate(sampling), IsOk());
}

TEST(ConfigTest, RefusesABatchThatNoMemoryHolds) {
  TrainingConfig config;
  config.seq_len = config.batch_size = 1'000'000;
  EXPECT_THAT(Validate(config),
              IsInvalid(HasSubstr("--seq_len=1000000 --batch_size=1000000")));
}

TEST(ConfigTest, WritesJsonWithTheFlagsNames) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelConfig config,
                               ModelConfigFromJson(kModelJson));
  EXPECT_EQ(config.rnn_type, RnnType::kLstm);
  EXPECT_EQ(config.hidden_dim, 32);
  EXPECT_EQ(ToJson(config), kModelJson);
}

TEST(ConfigTest, ComesBackFromJsonBitForBit) {
  TrainingConfig training;
  training.learning_rate = 0.1 + 0.2;  // has no short decimal form
  training.seed = std::numeric_limits<uint64_t>::max();
  training.lr_schedule = LrSchedule::kCosine;
  training.max_steps = 1'000'000'000'000'000;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TrainingConfig read,
                               TrainingConfigFromJson(ToJson(training)));
  EXPECT_EQ(read.learning_rate, training.learning_rate);
  EXPECT_EQ(read.seed, training.seed);
  EXPECT_EQ(read.lr_schedule, LrSchedule::kCosine);
  EXPECT_EQ(ToJson(read), ToJson(training));

  DataConfig data;
  data.seq_len = 77;
  data.val_fraction = 1.0 / 3;
  data.test_fraction = 1.0 / 7;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DataConfig data_read,
                               DataConfigFromJson(ToJson(data)));
  EXPECT_EQ(data_read.seq_len, data.seq_len);
  EXPECT_EQ(data_read.val_fraction, data.val_fraction);
  EXPECT_EQ(data_read.test_fraction, data.test_fraction);

  SamplingConfig sampling;
  sampling.top_p = 1.0 / 3;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SamplingConfig sampling_read,
                               SamplingConfigFromJson(ToJson(sampling)));
  EXPECT_EQ(sampling_read.top_p, sampling.top_p);
  EXPECT_EQ(ToJson(sampling_read), ToJson(sampling));
}

TEST(ConfigTest, ReadsWhatTheFirstVersionWroteOfAModelsText) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const DataConfig data,
      DataConfigFromJson(R"({"seq_len":16,"val_fraction":0.1})"));
  EXPECT_EQ(data.test_fraction, 0);
  EXPECT_EQ(data.data_order, DataOrder::kShuffled);
}

TEST(ConfigTest, ReadsAWholeNumberWhereAFractionMayStand) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const ModelConfig config,
      ModelConfigFromJson(ModelJsonWith("dropout", 0)));
  EXPECT_EQ(config.dropout, 0);
}

TEST(ConfigTest, RefusesJsonOfTheWrongType) {
  for (const nlohmann::json& bad :
       {nlohmann::json("65"), nlohmann::json(65.0), nlohmann::json(nullptr),
        nlohmann::json(true), nlohmann::json::array({65}),
        nlohmann::json(int64_t{1} << 32), nlohmann::json(-(int64_t{1} << 40)),
        nlohmann::json(std::numeric_limits<uint64_t>::max())}) {
    EXPECT_THAT(ModelConfigFromJson(ModelJsonWith("vocab_size", bad)),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << bad;
  }
  EXPECT_THAT(ModelConfigFromJson(ModelJsonWith("dropout", "0.1")),
              IsInvalid("configuration key dropout: not a number"));
  EXPECT_THAT(ModelConfigFromJson(ModelJsonWith("rnn_type", 1)),
              IsInvalid("configuration key rnn_type: not a string"));
  EXPECT_THAT(ModelConfigFromJson(ModelJsonWith("rnn_type", "mlp")),
              IsInvalid(HasSubstr("must be GRU or LSTM")));
  EXPECT_THAT(TrainingConfigFromJson(R"({"seed":-1})"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(DataConfigFromJson(R"({"seq_len":0,"val_fraction":0.1})"),
              IsInvalid(StartsWith("--seq_len=0")));
  for (const char* text : {"", "[]", "7", "{", "null"}) {
    EXPECT_THAT(ModelConfigFromJson(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

TEST(ConfigTest, RefusesEachMissingKey) {
  const nlohmann::json whole = nlohmann::json::parse(kModelJson);
  for (const auto& [key, value] : whole.items()) {
    nlohmann::json object = whole;
    object.erase(key);
    EXPECT_THAT(ModelConfigFromJson(object.dump()),
                IsInvalid("configuration key " + key + ": missing"));
  }
}

TEST(ConfigTest, RefusesKeysItDoesNotKnow) {
  EXPECT_THAT(ModelConfigFromJson(ModelJsonWith("attention", true)),
              IsInvalid(HasSubstr("does not know")));
}

TEST(ConfigTest, RefusesJsonThatIsOutOfRangeOrNested) {
  EXPECT_THAT(ModelConfigFromJson(ModelJsonWith("num_layers", 1000)),
              IsInvalid(StartsWith("--num_layers=1000")));
  EXPECT_THAT(
      ModelConfigFromJson(ModelJsonWith("dropout", nlohmann::json::object())),
      IsInvalid(HasSubstr("nested")));
}

}  // namespace
}  // namespace charrnn
