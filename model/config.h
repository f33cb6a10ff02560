#ifndef CHARRNN_MODEL_CONFIG_H_
#define CHARRNN_MODEL_CONFIG_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

enum class RnnType { kGru, kLstm };

// "GRU" or "LSTM", in any case. InvalidArgument otherwise.
absl::StatusOr<RnnType> ParseRnnType(absl::string_view name);
absl::string_view RnnTypeName(RnnType type);

enum class LrSchedule { kConstant, kCosine };

// "constant" or "cosine", in any case. InvalidArgument otherwise.
absl::StatusOr<LrSchedule> ParseLrSchedule(absl::string_view name);
absl::string_view LrScheduleName(LrSchedule schedule);

// In which order the training part is read: as chunks that each begin with a
// zero state, in a new random order each epoch; or as batch_size streams side
// by side, each of which carries its state from chunk to chunk.
enum class DataOrder { kShuffled, kStreams };

// "shuffled" or "streams", in any case. InvalidArgument otherwise.
absl::StatusOr<DataOrder> ParseDataOrder(absl::string_view name);
absl::string_view DataOrderName(DataOrder order);

// What a model is: enough to rebuild its layers before weights are read.
struct ModelConfig {
  RnnType rnn_type = RnnType::kGru;
  int vocab_size = 0;       // symbols; set from the vocabulary
  int embedding_dim = 256;  // E
  int hidden_dim = 256;     // H
  int num_layers = 1;
  double dropout = 0.1;  // probability, between layers and before the output
};

// How a model is trained. Defaults are those of the PyTorch notebook that
// this program replaces.
struct TrainingConfig {
  int seq_len = 128;            // T: characters predicted in each row
  int batch_size = 128;         // B: rows, chunks or streams, of a step's
                                // batch, over all processes
  int64_t num_epochs = 5;       // passes over the training part
  int64_t max_steps = 0;        // ends the run earlier; 0: off
  double stop_loss = 0;         // ends it once a step's loss, in nats per
                                // character, is below; 0: off
  double learning_rate = 2e-3;  // after the warm-up
  double grad_clip = 1;         // largest norm of the gradient; 0: off
  double val_fraction = 0.05;   // of the text, taken from its end
  double test_fraction = 0;     // behind that, and not looked at
  int overlap_step = 0;         // characters between chunks; 0: seq_len
  DataOrder data_order = DataOrder::kShuffled;
  uint64_t seed = 42;
  int grains = 8;  // pieces of a batch that are summed by a fixed tree
  LrSchedule lr_schedule = LrSchedule::kConstant;
  int64_t warmup_steps = 0;    // steps of linearly rising rate
  int64_t log_every = 100;     // steps; 0: off
  int64_t sample_every = 100;  // steps; 0: off
  int64_t save_every = 0;      // steps; 0: at the end of each epoch only
  int keep_checkpoints = 3;    // the newest, beside the best
};

// How a model's text is cut, kept with the model so that `evaluate` measures
// what training measured.
struct DataConfig {
  int seq_len = 128;
  double val_fraction = 0.05;
  double test_fraction = 0;
  DataOrder data_order = DataOrder::kShuffled;
};

// How text is drawn from a model.
struct SamplingConfig {
  int64_t max_generate = 400;  // characters
  double temperature = 0.9;    // 0: always the most probable character
  int top_k = 40;              // 0: off
  double top_p = 0.9;          // 1: off
  uint64_t seed = 42;
};

// Whether every value is in its range. InvalidArgument names the flag, the
// value and the range, as in "--dropout=1.5: must be at least 0 and below 1".
// Upper bounds keep every product of sizes inside int64_t.
absl::Status Validate(const ModelConfig& config);
absl::Status Validate(const TrainingConfig& config);
absl::Status Validate(const DataConfig& config);
absl::Status Validate(const SamplingConfig& config);

// One JSON object whose keys are the names of the fields, in their order.
// Doubles survive the way there and back bit for bit.
std::string ToJson(const ModelConfig& config);
std::string ToJson(const TrainingConfig& config);
std::string ToJson(const DataConfig& config);
std::string ToJson(const SamplingConfig& config);

// Reads what ToJson wrote, also that of an earlier version, whose fields that
// did not exist get their defaults. The text may come from a stranger's
// checkpoint: InvalidArgument if it is no such object, if a key is missing,
// unknown or given twice, or if a value has the wrong type or is out of range.
absl::StatusOr<ModelConfig> ModelConfigFromJson(absl::string_view json);
absl::StatusOr<TrainingConfig> TrainingConfigFromJson(absl::string_view json);
absl::StatusOr<DataConfig> DataConfigFromJson(absl::string_view json);
absl::StatusOr<SamplingConfig> SamplingConfigFromJson(absl::string_view json);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_CONFIG_H_
