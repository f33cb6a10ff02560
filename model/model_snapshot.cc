#include "model/model_snapshot.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "data/vocab.h"
#include "model/config.h"
#include "model/parameter_layout.h"
#include "model/parameter_tensors.h"
#include "model/safetensors.h"

namespace charrnn {
namespace {

// The version is part of the name: a reader of version 1 refuses version 2.
constexpr char kFormat[] = "charrnn.model.1";

using Metadata = std::map<std::string, std::string>;

absl::StatusOr<std::string> Find(const Metadata& metadata,
                                 const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "metadata '", key, "' is missing: not a model of this program"));
  }
  return found->second;
}

}  // namespace

absl::StatusOr<std::string> EncodeModel(const ModelSnapshot& model) {
  return EncodeSafetensors(
      ParameterTensors(ParameterLayout(model.config), model.parameters),
      {{"format", kFormat},
       {"config", ToJson(model.config)},
       {"data", ToJson(model.data)},
       {"vocab", model.vocab.ToJson()}});
}

absl::StatusOr<ModelSnapshot> DecodeModel(absl::string_view file) {
  CHARRNN_ASSIGN_OR_RETURN(const Safetensors decoded, DecodeSafetensors(file));
  CHARRNN_ASSIGN_OR_RETURN(const std::string format,
                           Find(decoded.metadata, "format"));
  if (format != kFormat) {
    return absl::InvalidArgumentError(absl::StrCat(
        "its format is '", format, "', this program reads '", kFormat, "'"));
  }
  CHARRNN_ASSIGN_OR_RETURN(const std::string config_json,
                           Find(decoded.metadata, "config"));
  CHARRNN_ASSIGN_OR_RETURN(const std::string data_json,
                           Find(decoded.metadata, "data"));
  CHARRNN_ASSIGN_OR_RETURN(const std::string vocab_json,
                           Find(decoded.metadata, "vocab"));
  auto config = ModelConfigFromJson(config_json);
  if (!config.ok()) return Annotate(config.status(), "metadata 'config'");
  auto data = DataConfigFromJson(data_json);
  if (!data.ok()) return Annotate(data.status(), "metadata 'data'");
  auto vocab = Vocab::FromJson(vocab_json);
  if (!vocab.ok()) return Annotate(vocab.status(), "metadata 'vocab'");
  if (vocab->size() != config->vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("its vocabulary has ", vocab->size(),
                     " symbols, its config says ", config->vocab_size));
  }
  CHARRNN_ASSIGN_OR_RETURN(
      std::vector<float> parameters,
      FlattenTensors(ParameterLayout(*config), decoded.tensors));
  return ModelSnapshot{*config, *data, *std::move(vocab),
                       std::move(parameters)};
}

}  // namespace charrnn
