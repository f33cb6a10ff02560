#include "model/checkpoint.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/config.h"
#include "model/manifest.h"
#include "model/model_snapshot.h"
#include "model/parameter_layout.h"
#include "model/parameter_tensors.h"
#include "model/safetensors.h"
#include "model/stream_states.h"
#include "model/train_progress.h"

namespace charrnn {
namespace {

constexpr char kOptimizerFileName[] = "optimizer.safetensors";
constexpr char kProgressFileName[] = "trainer.json";

constexpr char kStreamsFileName[] = "streams.safetensors";

constexpr char kOptimizerFormat[] = "charrnn.optimizer.1";
constexpr char kStreamsFormat[] = "charrnn.streams.1";
constexpr char kExpAvg[] = "exp_avg.";
constexpr char kExpAvgSq[] = "exp_avg_sq.";

absl::Status CheckFormat(const Safetensors& file, const std::string& format) {
  const std::map<std::string, std::string> expected = {{"format", format}};
  if (file.metadata == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("its format is not '", format, "'"));
}

absl::StatusOr<std::string> EncodeOptimizer(const Checkpoint& checkpoint) {
  const ParameterLayout layout(checkpoint.model.config);
  std::vector<TensorView> tensors =
      ParameterTensors(layout, checkpoint.exp_avg, kExpAvg);
  for (TensorView& tensor :
       ParameterTensors(layout, checkpoint.exp_avg_sq, kExpAvgSq)) {
    tensors.push_back(std::move(tensor));
  }
  return EncodeSafetensors(tensors, {{"format", kOptimizerFormat}});
}

absl::Status DecodeOptimizer(absl::string_view bytes, Checkpoint& checkpoint) {
  CHARRNN_ASSIGN_OR_RETURN(const Safetensors file, DecodeSafetensors(bytes));
  CHARRNN_RETURN_IF_ERROR(CheckFormat(file, kOptimizerFormat));
  const ParameterLayout layout(checkpoint.model.config);
  CHARRNN_ASSIGN_OR_RETURN(checkpoint.exp_avg,
                           FlattenTensors(layout, file.tensors, kExpAvg));
  CHARRNN_ASSIGN_OR_RETURN(checkpoint.exp_avg_sq,
                           FlattenTensors(layout, file.tensors, kExpAvgSq));
  if (file.tensors.size() != 2 * layout.parameters().size()) {
    return absl::InvalidArgumentError("it has tensors of other kinds");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> EncodeStreams(const Checkpoint& checkpoint) {
  return EncodeSafetensors(
      StreamTensors(checkpoint.model.config, checkpoint.streams),
      {{"format", kStreamsFormat}});
}

absl::Status DecodeStreams(absl::string_view bytes, Checkpoint& checkpoint) {
  CHARRNN_ASSIGN_OR_RETURN(const Safetensors file, DecodeSafetensors(bytes));
  CHARRNN_RETURN_IF_ERROR(CheckFormat(file, kStreamsFormat));
  CHARRNN_ASSIGN_OR_RETURN(
      checkpoint.streams,
      StreamStatesFromTensors(checkpoint.model.config, file.tensors));
  return absl::OkStatus();
}

// A file that is what was written and yet makes no sense is as good as damaged.
absl::Status Senseless(const absl::Status& status, absl::string_view name) {
  return absl::DataLossError(absl::StrCat(name, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::vector<CheckpointFile>> EncodeCheckpoint(
    const Checkpoint& checkpoint) {
  CHARRNN_ASSIGN_OR_RETURN(std::string model, EncodeModel(checkpoint.model));
  CHARRNN_ASSIGN_OR_RETURN(std::string optimizer, EncodeOptimizer(checkpoint));
  std::vector<CheckpointFile> files;
  files.push_back({kModelFileName, std::move(model)});
  files.push_back({kOptimizerFileName, std::move(optimizer)});
  if (!checkpoint.streams.hidden.empty()) {
    CHARRNN_ASSIGN_OR_RETURN(std::string streams, EncodeStreams(checkpoint));
    files.push_back({kStreamsFileName, std::move(streams)});
  }
  files.push_back({kProgressFileName, ToJson(checkpoint.progress)});
  files.push_back({kManifestFileName, EncodeManifest(files)});
  return files;
}

absl::StatusOr<Checkpoint> DecodeCheckpoint(
    const std::function<absl::StatusOr<std::string>(const std::string& name)>&
        read) {
  CHARRNN_ASSIGN_OR_RETURN(const std::string manifest_text,
                           read(kManifestFileName));
  CHARRNN_ASSIGN_OR_RETURN(const Manifest manifest,
                           Manifest::Decode(manifest_text));
  std::vector<std::string> names = {kModelFileName, kOptimizerFileName,
                                    kProgressFileName};
  const std::vector<std::string> listed = manifest.names();
  const bool has_streams =
      std::find(listed.begin(), listed.end(), kStreamsFileName) != listed.end();
  if (has_streams) names.emplace_back(kStreamsFileName);
  std::map<std::string, std::string> files;
  for (const std::string& name : names) {
    CHARRNN_ASSIGN_OR_RETURN(std::string bytes, read(name));
    CHARRNN_RETURN_IF_ERROR(manifest.Check(name, bytes));
    files[name] = std::move(bytes);
  }
  absl::StatusOr<ModelSnapshot> model = DecodeModel(files[kModelFileName]);
  if (!model.ok()) return Senseless(model.status(), kModelFileName);
  Checkpoint checkpoint = {*std::move(model), {}, {}, {}, {}};
  if (const absl::Status decoded =
          DecodeOptimizer(files[kOptimizerFileName], checkpoint);
      !decoded.ok()) {
    return Senseless(decoded, kOptimizerFileName);
  }
  if (has_streams) {
    if (const absl::Status decoded =
            DecodeStreams(files[kStreamsFileName], checkpoint);
        !decoded.ok()) {
      return Senseless(decoded, kStreamsFileName);
    }
  }
  absl::StatusOr<TrainProgress> progress =
      TrainProgressFromJson(files[kProgressFileName]);
  if (!progress.ok()) return Senseless(progress.status(), kProgressFileName);
  checkpoint.progress = *progress;
  // Without its streams such a run would go on as another one, unnoticed.
  if (checkpoint.model.data.data_order == DataOrder::kStreams &&
      checkpoint.progress.step > 0 && !has_streams) {
    return absl::DataLossError(absl::StrCat("it has no ", kStreamsFileName));
  }
  return checkpoint;
}

}  // namespace charrnn
