#include "model/config.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/strict_json.h"

namespace charrnn {
namespace {

using nlohmann::json;

// The values that a number may take. No range holds a NaN.
struct Range {
  double min;
  double max;
  enum { kBoth, kWithoutMin, kWithoutMax } ends = kBoth;

  bool Contains(double value) const {
    return (ends == kWithoutMin ? value > min : value >= min) &&
           (ends == kWithoutMax ? value < max : value <= max);
  }
  std::string Text() const {
    return absl::StrCat(ends == kWithoutMin ? "above " : "at least ", Text(min),
                        " and ", ends == kWithoutMax ? "below " : "at most ",
                        Text(max));
  }

 private:
  // Bounds are whole numbers, shown with all their digits where these say
  // something.
  static std::string Text(double bound) {
    return bound > 1e15 ? absl::StrCat(bound)
                        : absl::StrCat(static_cast<int64_t>(bound));
  }
};

constexpr Range kAny = {0, std::numeric_limits<double>::infinity()};
constexpr Range kFraction = {0, 1, Range::kWithoutMax};
constexpr Range kSteps = {0, 1e15};
constexpr Range kSeqLen = {1, 1e6};
// Far above any use, and low enough for products of all sizes.
constexpr double kMaxWidth = 65536;
constexpr double kMaxVocabSize = 0x110000;  // Unicode's code points
// Adam's first update divides it by 0.1, and a float holds 3.4e38.
constexpr double kMaxLearningRate = 3e37;
constexpr int64_t kMaxBatchChars = 1'000'000'000;

// Calls visit(name, field, range) for every field, in the order of their
// declaration: the one place that knows them. `Config` may be const.
template <typename Config, typename Visitor>
void VisitFields(Config& config, const Visitor& visit) {
  using Struct = std::remove_const_t<Config>;
  if constexpr (std::is_same_v<Struct, ModelConfig>) {
    visit("rnn_type", config.rnn_type, kAny);
    visit("vocab_size", config.vocab_size, Range{1, kMaxVocabSize});
    visit("embedding_dim", config.embedding_dim, Range{1, kMaxWidth});
    visit("hidden_dim", config.hidden_dim, Range{1, kMaxWidth});
    visit("num_layers", config.num_layers, Range{1, 64});
    visit("dropout", config.dropout, kFraction);
  } else if constexpr (std::is_same_v<Struct, TrainingConfig>) {
    visit("seq_len", config.seq_len, kSeqLen);
    visit("batch_size", config.batch_size, Range{1, 1e6});
    visit("num_epochs", config.num_epochs, Range{1, 1e9});
    visit("max_steps", config.max_steps, kSteps);
    visit("stop_loss", config.stop_loss, Range{0, 1e15});
    visit("learning_rate", config.learning_rate,
          Range{0, kMaxLearningRate, Range::kWithoutMin});
    visit("grad_clip", config.grad_clip, Range{0, 1e15});
    visit("val_fraction", config.val_fraction, kFraction);
    visit("test_fraction", config.test_fraction, kFraction);
    visit("overlap_step", config.overlap_step, Range{0, 1e9});
    visit("data_order", config.data_order, kAny);
    visit("seed", config.seed, kAny);
    visit("grains", config.grains, Range{1, 65536});
    visit("lr_schedule", config.lr_schedule, kAny);
    visit("warmup_steps", config.warmup_steps, kSteps);
    visit("log_every", config.log_every, kSteps);
    visit("sample_every", config.sample_every, kSteps);
    visit("save_every", config.save_every, kSteps);
    visit("keep_checkpoints", config.keep_checkpoints, Range{1, 1e6});
  } else if constexpr (std::is_same_v<Struct, DataConfig>) {
    visit("seq_len", config.seq_len, kSeqLen);
    visit("val_fraction", config.val_fraction, kFraction);
    visit("test_fraction", config.test_fraction, kFraction);
    visit("data_order", config.data_order, kAny);
  } else {
    visit("max_generate", config.max_generate, Range{0, 1e15});
    visit("temperature", config.temperature, Range{0, 1e6});
    visit("top_k", config.top_k, Range{0, kMaxVocabSize});
    visit("top_p", config.top_p, Range{0, 1, Range::kWithoutMin});
    visit("seed", config.seed, kAny);
  }
}

// Whether the first version's configurations lack the field; its default is
// what that version did.
bool IsLater(absl::string_view name) {
  return name == "data_order" || name == "test_fraction";
}

template <typename Config>
absl::Status ValidateFields(const Config& config) {
  absl::Status status;
  VisitFields(config, [&](absl::string_view name, const auto& field,
                          const Range& range) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(field)>>) {
      if (status.ok() && !range.Contains(field)) {
        status = absl::InvalidArgumentError(
            absl::StrCat("--", name, "=", field, ": must be ", range.Text()));
      }
    }
  });
  return status;
}

json FieldToJson(RnnType type) { return std::string(RnnTypeName(type)); }
json FieldToJson(LrSchedule schedule) {
  return std::string(LrScheduleName(schedule));
}
json FieldToJson(DataOrder order) { return std::string(DataOrderName(order)); }
template <typename Number>
json FieldToJson(Number number) {
  return number;
}

template <typename Config>
std::string FieldsToJson(const Config& config) {
  auto object = nlohmann::ordered_json::object();
  VisitFields(config, [&](const char* name, const auto& field, const Range&) {
    object[name] = FieldToJson(field);
  });
  return object.dump();
}

template <typename Enum>
absl::Status EnumFromJson(const json& value,
                          absl::StatusOr<Enum> (*parse)(absl::string_view),
                          Enum* field) {
  if (!value.is_string()) return absl::InvalidArgumentError("not a string");
  CHARRNN_ASSIGN_OR_RETURN(*field, parse(value.get_ref<const std::string&>()));
  return absl::OkStatus();
}
absl::Status FieldFromJson(const json& value, RnnType* field) {
  return EnumFromJson(value, ParseRnnType, field);
}
absl::Status FieldFromJson(const json& value, LrSchedule* field) {
  return EnumFromJson(value, ParseLrSchedule, field);
}
absl::Status FieldFromJson(const json& value, DataOrder* field) {
  return EnumFromJson(value, ParseDataOrder, field);
}
absl::Status FieldFromJson(const json& value, double* field) {
  if (!value.is_number()) return absl::InvalidArgumentError("not a number");
  *field = value.get<double>();
  return absl::OkStatus();
}
template <typename Integer>
absl::Status FieldFromJson(const json& value, Integer* field) {
  using Limits = std::numeric_limits<Integer>;
  // The parser holds what is not negative as unsigned, the rest as signed.
  const bool fits =
      value.is_number_unsigned()
          ? value.get<uint64_t>() <= static_cast<uint64_t>(Limits::max())
          : value.is_number_integer() && Limits::is_signed &&
                value.get<int64_t>() >= static_cast<int64_t>(Limits::min());
  if (!fits) return absl::InvalidArgumentError("not an integer that fits");
  *field = value.get<Integer>();
  return absl::OkStatus();
}

template <typename Config>
absl::StatusOr<Config> FieldsFromJson(absl::string_view text) {
  CHARRNN_ASSIGN_OR_RETURN(const json object,
                           ParseStrictJson(text, /*max_depth=*/1));
  if (!object.is_object()) {
    return absl::InvalidArgumentError("the configuration is no JSON object");
  }
  Config config;
  absl::Status status;
  size_t num_fields = 0;
  VisitFields(config, [&](const char* name, auto& field, const Range&) {
    const auto entry = object.find(name);
    if (entry == object.end() && IsLater(name)) return;
    ++num_fields;
    if (!status.ok()) return;
    status = entry == object.end() ? absl::InvalidArgumentError("missing")
                                   : FieldFromJson(*entry, &field);
    status = Annotate(status, absl::StrCat("configuration key ", name));
  });
  CHARRNN_RETURN_IF_ERROR(status);
  if (object.size() != num_fields) {
    return absl::InvalidArgumentError(
        "the configuration has keys that this program does not know");
  }
  CHARRNN_RETURN_IF_ERROR(Validate(config));
  return config;
}

}  // namespace

absl::StatusOr<RnnType> ParseRnnType(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  if (lower == "gru") return RnnType::kGru;
  if (lower == "lstm") return RnnType::kLstm;
  return absl::InvalidArgumentError(
      absl::StrCat("--rnn_type=", name, ": must be GRU or LSTM"));
}

absl::string_view RnnTypeName(RnnType type) {
  return type == RnnType::kGru ? "GRU" : "LSTM";
}

absl::StatusOr<LrSchedule> ParseLrSchedule(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  if (lower == "constant") return LrSchedule::kConstant;
  if (lower == "cosine") return LrSchedule::kCosine;
  return absl::InvalidArgumentError(
      absl::StrCat("--lr_schedule=", name, ": must be constant or cosine"));
}

absl::string_view LrScheduleName(LrSchedule schedule) {
  return schedule == LrSchedule::kConstant ? "constant" : "cosine";
}

absl::StatusOr<DataOrder> ParseDataOrder(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  if (lower == "shuffled") return DataOrder::kShuffled;
  if (lower == "streams") return DataOrder::kStreams;
  return absl::InvalidArgumentError(
      absl::StrCat("--data_order=", name, ": must be shuffled or streams"));
}

absl::string_view DataOrderName(DataOrder order) {
  return order == DataOrder::kShuffled ? "shuffled" : "streams";
}

absl::Status Validate(const ModelConfig& config) {
  return ValidateFields(config);
}

absl::Status Validate(const TrainingConfig& config) {
  CHARRNN_RETURN_IF_ERROR(ValidateFields(config));
  if (int64_t{config.seq_len} * config.batch_size > kMaxBatchChars) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--seq_len=", config.seq_len, " --batch_size=", config.batch_size,
        ": a batch must be at most ", kMaxBatchChars, " characters"));
  }
  if (config.data_order == DataOrder::kStreams && config.overlap_step > 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--overlap_step=", config.overlap_step,
        ": a stream is read once, from its beginning to its end: leave it out, "
        "or use --data_order=shuffled"));
  }
  return absl::OkStatus();
}

absl::Status Validate(const DataConfig& config) {
  return ValidateFields(config);
}

absl::Status Validate(const SamplingConfig& config) {
  return ValidateFields(config);
}

std::string ToJson(const ModelConfig& config) { return FieldsToJson(config); }
std::string ToJson(const TrainingConfig& config) {
  return FieldsToJson(config);
}
std::string ToJson(const DataConfig& config) { return FieldsToJson(config); }
std::string ToJson(const SamplingConfig& config) {
  return FieldsToJson(config);
}

absl::StatusOr<ModelConfig> ModelConfigFromJson(absl::string_view json) {
  return FieldsFromJson<ModelConfig>(json);
}
absl::StatusOr<TrainingConfig> TrainingConfigFromJson(absl::string_view json) {
  return FieldsFromJson<TrainingConfig>(json);
}
absl::StatusOr<DataConfig> DataConfigFromJson(absl::string_view json) {
  return FieldsFromJson<DataConfig>(json);
}
absl::StatusOr<SamplingConfig> SamplingConfigFromJson(absl::string_view json) {
  return FieldsFromJson<SamplingConfig>(json);
}

}  // namespace charrnn
