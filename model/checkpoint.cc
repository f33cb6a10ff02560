#include "model/checkpoint.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "data/vocab.h"
#include "model/config.h"
#include "model/parameter_layout.h"
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

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// The tensors of a file in the layout's order, each of the shape that it
// wants. By name, because others write files in an order of their own.
absl::StatusOr<std::vector<const TensorView*>> FindParameters(
    const Safetensors& file, const ParameterLayout& layout) {
  std::map<std::string, const TensorView*> by_name;
  for (const TensorView& tensor : file.tensors) by_name[tensor.name] = &tensor;
  if (by_name.size() != layout.parameters().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", by_name.size(), " tensors, its config wants ",
                     layout.parameters().size()));
  }
  std::vector<const TensorView*> tensors;
  for (const ParameterSpec& spec : layout.parameters()) {
    const TensorView* tensor = by_name[spec.name];
    if (tensor == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", spec.name, "' is missing"));
    }
    if (tensor->dtype != "F32" || tensor->shape != spec.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", spec.name, "' is ", tensor->dtype,
                       ShapeText(tensor->shape), ", its config wants F32",
                       ShapeText(spec.shape)));
    }
    tensors.push_back(tensor);
  }
  return tensors;
}

}  // namespace

absl::StatusOr<std::string> EncodeModel(const ModelConfig& config,
                                        const DataConfig& data,
                                        const Vocab& vocab,
                                        absl::Span<const float> parameters) {
  const ParameterLayout layout(config);
  std::vector<TensorView> tensors;
  for (const ParameterSpec& spec : layout.parameters()) {
    const auto* begin =
        reinterpret_cast<const char*>(parameters.data() + spec.offset);
    tensors.push_back({spec.name, "F32", spec.shape,
                       absl::string_view(begin, spec.size * sizeof(float))});
  }
  return EncodeSafetensors(tensors, {{"format", kFormat},
                                     {"config", ToJson(config)},
                                     {"data", ToJson(data)},
                                     {"vocab", vocab.ToJson()}});
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
  const ParameterLayout layout(*config);
  // Sizes agree from here on: a config that lies about them is noticed before
  // it makes us allocate.
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<const TensorView*> tensors,
                           FindParameters(decoded, layout));
  std::vector<float> parameters(layout.flat_size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const absl::string_view bytes = tensors[i]->bytes;
    std::memcpy(parameters.data() + layout.parameters()[i].offset, bytes.data(),
                bytes.size());
  }
  return ModelSnapshot{*config, *data, *std::move(vocab),
                       std::move(parameters)};
}

absl::StatusOr<std::string> FindModelFile(FileSystem& files,
                                          const std::string& path) {
  if (!files.Exists(path)) {
    return absl::NotFoundError(absl::StrCat(
        path,
        ": there is no such checkpoint: train a model first, or name "
        "another with --checkpoint"));
  }
  // A folder can be listed, through links as well.
  if (!files.ListDirectory(path).ok()) return path;
  for (const char* part : {"best", "latest", ""}) {
    std::string file = JoinPath(JoinPath(path, part), kModelFileName);
    if (files.Exists(file)) return file;
  }
  return absl::NotFoundError(
      absl::StrCat(path, ": holds no checkpoint yet (neither best/",
                   kModelFileName, " nor ", kModelFileName,
                   "): wait for the run's first one, or name another with "
                   "--checkpoint"));
}

absl::StatusOr<ModelSnapshot> LoadModel(FileSystem& files,
                                        const std::string& file) {
  CHARRNN_ASSIGN_OR_RETURN(const std::string bytes, files.ReadFile(file));
  auto model = DecodeModel(bytes);
  if (!model.ok()) {
    return Annotate(model.status(),
                    absl::StrCat(file, ": not a model that train has written"));
  }
  return model;
}

}  // namespace charrnn
