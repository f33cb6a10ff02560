#include "model/notebook/notebook_checkpoint.h"

#include <cstdint>
#include <limits>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "model/config.h"
#include "model/model_snapshot.h"
#include "model/notebook/pickle_value.h"
#include "model/notebook/torch_archive.h"
#include "model/parameter_layout.h"
#include "model/parameter_tensors.h"
#include "model/safetensors.h"

namespace charrnn {
namespace {

using Kind = PickleKind;

// FlattenTensors takes what safetensors knows.
constexpr char kDtype[] = "F32";

constexpr size_t kMaxNameShown = 100;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// For messages: names come from the file.
std::string Quoted(absl::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, kMaxNameShown)),
                      "'");
}

// The character that the notebook has for a symbol: for a byte, as Python's
// chr() would have it.
std::string Character(const Vocab& vocab, int32_t id) {
  if (vocab.encoding() == Encoding::kUtf8) {
    return std::string(vocab.Symbol(id));
  }
  std::string text;
  AppendUtf8(static_cast<char32_t>(id), &text);
  return text;
}

PickleId ConfigValue(const ModelSnapshot& model, Pickle& pickle) {
  const SamplingConfig sampling;
  std::vector<PickleId> items;
  const auto add = [&](absl::string_view key, PickleId value) {
    items.push_back(pickle.String(key));
    items.push_back(value);
  };
  add("rnn_type", pickle.String(RnnTypeName(model.config.rnn_type)));
  add("embedding_dim", pickle.Int(model.config.embedding_dim));
  add("hidden_dim", pickle.Int(model.config.hidden_dim));
  add("num_layers", pickle.Int(model.config.num_layers));
  add("dropout", pickle.Float(model.config.dropout));
  add("seq_len", pickle.Int(model.data.seq_len));
  add("val_fraction", pickle.Float(model.data.val_fraction));
  add("max_generate", pickle.Int(sampling.max_generate));
  add("temperature", pickle.Float(sampling.temperature));
  add("top_k", pickle.Int(sampling.top_k));
  add("top_p", pickle.Float(sampling.top_p));
  if (model.data.test_fraction != DataConfig().test_fraction) {
    add("test_fraction", pickle.Float(model.data.test_fraction));
  }
  if (model.data.data_order != DataConfig().data_order) {
    add("data_order", pickle.String(DataOrderName(model.data.data_order)));
  }
  if (model.vocab.encoding() == Encoding::kBytes) {
    add("encoding", pickle.String(EncodingName(Encoding::kBytes)));
  }
  return pickle.Group(Kind::kDict, std::move(items));
}

// The dictionary of `tensors`, whose storages are numbered as they are.
PickleId StateValue(const std::vector<TensorView>& tensors, Pickle& pickle) {
  const PickleId type = pickle.StorageType("FloatStorage");
  const PickleId location = pickle.String("cpu");
  std::vector<PickleId> items;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorView& tensor = tensors[i];
    std::vector<PickleId> size;
    std::vector<PickleId> strides(tensor.shape.size());
    for (const int64_t extent : tensor.shape) {
      size.push_back(pickle.Int(extent));
    }
    int64_t stride = 1;
    for (size_t d = tensor.shape.size(); d > 0; --d) {
      strides[d - 1] = pickle.Int(stride);
      stride *= tensor.shape[d - 1];
    }
    const PickleId storage = pickle.Group(
        Kind::kStorage,
        {type, pickle.String(absl::StrCat(i)), location, pickle.Int(stride)});
    const PickleId value = pickle.Group(
        Kind::kTensor,
        {storage, pickle.Int(0), pickle.Group(Kind::kTuple, std::move(size)),
         pickle.Group(Kind::kTuple, std::move(strides)), pickle.Bool(false),
         pickle.Group(Kind::kOrderedDict, {})});
    items.push_back(pickle.String(tensor.name));
    items.push_back(value);
  }
  return pickle.Group(Kind::kOrderedDict, std::move(items));
}

// What the dictionary `dict` has under `key`; null without one, or with None.
const PickleValue* FindValue(const Pickle& pickle, const PickleValue& dict,
                             absl::string_view key) {
  const PickleValue* value = pickle.Find(dict, key);
  return value == nullptr || value->kind == Kind::kNone ? nullptr : value;
}

// The dictionary that `dict` has under `key`.
absl::StatusOr<const PickleValue*> FindDict(const Pickle& pickle,
                                            const PickleValue& dict,
                                            absl::string_view key) {
  const PickleValue* value = FindValue(pickle, dict, key);
  if (value == nullptr) {
    return Invalid("key ", Quoted(key),
                   " is missing: not a checkpoint with "
                   "model_state, config, stoi and itos");
  }
  if (value->kind != Kind::kDict && value->kind != Kind::kOrderedDict) {
    return Invalid(Quoted(key), " is ", PickleKindName(value->kind),
                   ", not a dict");
  }
  return value;
}

// Reads the configuration's numbers. One that is missing keeps its value,
// unless it must be there.
class ConfigReader {
 public:
  enum Presence { kRequired, kOptional };

  ConfigReader(const Pickle& pickle, const PickleValue& dict)
      : pickle_(pickle), dict_(dict) {}

  absl::Status Read(absl::string_view key, Presence presence, int* field) {
    CHARRNN_ASSIGN_OR_RETURN(const PickleValue* value, Find(key, presence));
    if (value == nullptr) return absl::OkStatus();
    using Limits = std::numeric_limits<int>;
    if (value->kind != Kind::kInt || value->integer < Limits::min() ||
        value->integer > Limits::max()) {
      return Mistyped(key, *value, "an int that fits");
    }
    *field = static_cast<int>(value->integer);
    return absl::OkStatus();
  }

  absl::Status Read(absl::string_view key, Presence presence, double* field) {
    CHARRNN_ASSIGN_OR_RETURN(const PickleValue* value, Find(key, presence));
    if (value == nullptr) return absl::OkStatus();
    if (value->kind != Kind::kInt && value->kind != Kind::kFloat) {
      return Mistyped(key, *value, "a float");
    }
    *field = value->kind == Kind::kFloat ? value->real
                                         : static_cast<double>(value->integer);
    return absl::OkStatus();
  }

  absl::Status Read(absl::string_view key, Presence presence,
                    std::string* field) {
    CHARRNN_ASSIGN_OR_RETURN(const PickleValue* value, Find(key, presence));
    if (value == nullptr) return absl::OkStatus();
    if (value->kind != Kind::kString) return Mistyped(key, *value, "a string");
    // Whatever is longer is none of the words that are known.
    *field = absl::CHexEscape(value->text.substr(0, kMaxNameShown));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<const PickleValue*> Find(absl::string_view key,
                                          Presence presence) const {
    const PickleValue* value = FindValue(pickle_, dict_, key);
    if (value == nullptr && presence == kRequired) {
      return Invalid("key ", Quoted(key), " is missing");
    }
    return value;
  }

  static absl::Status Mistyped(absl::string_view key, const PickleValue& value,
                               absl::string_view wanted) {
    return Invalid("key ", Quoted(key), " is ", PickleKindName(value.kind),
                   ", not ", wanted);
  }

  const Pickle& pickle_;
  const PickleValue& dict_;
};

struct Config {
  ModelConfig model;
  DataConfig data;
  Encoding encoding = Encoding::kUtf8;
};

// `model.vocab_size` is 0 unless the configuration has it.
absl::StatusOr<Config> DecodeConfig(const Pickle& pickle,
                                    const PickleValue& dict) {
  Config config;
  std::string rnn_type;
  std::string data_order(DataOrderName(config.data.data_order));
  std::string encoding(EncodingName(Encoding::kUtf8));
  ConfigReader reader(pickle, dict);
  const auto required = ConfigReader::kRequired;
  const auto optional = ConfigReader::kOptional;
  ModelConfig& model = config.model;
  CHARRNN_RETURN_IF_ERROR(reader.Read("rnn_type", required, &rnn_type));
  CHARRNN_ASSIGN_OR_RETURN(model.rnn_type, ParseRnnType(rnn_type));
  CHARRNN_RETURN_IF_ERROR(
      reader.Read("vocab_size", optional, &model.vocab_size));
  CHARRNN_RETURN_IF_ERROR(
      reader.Read("embedding_dim", required, &model.embedding_dim));
  CHARRNN_RETURN_IF_ERROR(
      reader.Read("hidden_dim", required, &model.hidden_dim));
  CHARRNN_RETURN_IF_ERROR(
      reader.Read("num_layers", required, &model.num_layers));
  CHARRNN_RETURN_IF_ERROR(reader.Read("dropout", required, &model.dropout));
  CHARRNN_RETURN_IF_ERROR(
      reader.Read("seq_len", optional, &config.data.seq_len));
  CHARRNN_RETURN_IF_ERROR(
      reader.Read("val_fraction", optional, &config.data.val_fraction));
  CHARRNN_RETURN_IF_ERROR(
      reader.Read("test_fraction", optional, &config.data.test_fraction));
  CHARRNN_RETURN_IF_ERROR(reader.Read("data_order", optional, &data_order));
  CHARRNN_ASSIGN_OR_RETURN(config.data.data_order, ParseDataOrder(data_order));
  CHARRNN_RETURN_IF_ERROR(Validate(config.data));
  CHARRNN_RETURN_IF_ERROR(reader.Read("encoding", optional, &encoding));
  CHARRNN_ASSIGN_OR_RETURN(config.encoding, ParseEncoding(encoding));
  return config;
}

// The strings of `itos` by number: a list, or a dictionary from numbers.
absl::StatusOr<std::vector<absl::string_view>> DecodeSymbols(
    const Pickle& pickle, const PickleValue& itos) {
  const bool is_dict =
      itos.kind == Kind::kDict || itos.kind == Kind::kOrderedDict;
  if (!is_dict && itos.kind != Kind::kList && itos.kind != Kind::kTuple) {
    return Invalid("itos is ", PickleKindName(itos.kind), ", not a list");
  }
  const size_t step = is_dict ? 2 : 1;
  const size_t count = itos.items.size() / step;
  std::vector<absl::string_view> symbols(count);
  for (size_t i = 0; i < count; ++i) {
    const PickleValue& symbol = pickle[itos.items[step * i + step - 1]];
    uint64_t id = i;
    if (is_dict) {
      const PickleValue& key = pickle[itos.items[step * i]];
      id = static_cast<uint64_t>(key.integer);
      // No two keys are equal, so these are all the numbers there are.
      if (key.kind != Kind::kInt || id >= count) {
        return Invalid("itos has keys other than 0 to ", count - 1);
      }
    }
    if (symbol.kind != Kind::kString || symbol.text.empty() ||
        FirstUtf8Character(symbol.text).length != symbol.text.size()) {
      return Invalid("itos[", id, "] is not one character");
    }
    symbols[id] = symbol.text;
  }
  return symbols;
}

absl::Status CheckStoi(const Pickle& pickle, const PickleValue& stoi,
                       const std::vector<absl::string_view>& symbols) {
  if (stoi.items.size() != 2 * symbols.size()) {
    return Invalid("stoi has ", stoi.items.size() / 2, " characters, itos ",
                   symbols.size());
  }
  for (size_t i = 0; i < stoi.items.size(); i += 2) {
    const PickleValue& key = pickle[stoi.items[i]];
    const PickleValue& id = pickle[stoi.items[i + 1]];
    if (key.kind != Kind::kString || id.kind != Kind::kInt || id.integer < 0 ||
        static_cast<uint64_t>(id.integer) >= symbols.size() ||
        symbols[id.integer] != key.text) {
      return Invalid("stoi disagrees with itos");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Vocab> DecodeVocab(const Pickle& pickle, const PickleValue& root,
                                  Encoding encoding) {
  const PickleValue* itos = FindValue(pickle, root, "itos");
  if (itos == nullptr) return Invalid("key 'itos' is missing");
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<absl::string_view> symbols,
                           DecodeSymbols(pickle, *itos));
  CHARRNN_ASSIGN_OR_RETURN(const PickleValue* stoi,
                           FindDict(pickle, root, "stoi"));
  CHARRNN_RETURN_IF_ERROR(CheckStoi(pickle, *stoi, symbols));
  if (symbols.empty()) return Invalid("itos is empty");
  std::string text;
  for (size_t i = 0; i < symbols.size(); ++i) {
    const char32_t symbol = FirstUtf8Character(symbols[i]).code_point;
    if (i > 0 && symbol <= FirstUtf8Character(symbols[i - 1]).code_point) {
      return Invalid("itos is not in ascending order at ", i,
                     ": characters are numbered as sorted(set(text)) has them");
    }
    if (encoding == Encoding::kBytes && symbol != i) {
      return Invalid("itos[", i, "] is not that byte's character");
    }
    absl::StrAppend(&text, symbols[i]);
  }
  CHARRNN_ASSIGN_OR_RETURN(Vocab vocab, Vocab::FromText(text, encoding));
  if (static_cast<size_t>(vocab.size()) != symbols.size()) {
    return Invalid("itos has ", symbols.size(), " characters for ",
                   vocab.size(), " bytes");
  }
  return vocab;
}

// A tensor's name without what torch.compile and DistributedDataParallel put
// before it.
absl::string_view BareName(absl::string_view name) {
  while (absl::ConsumePrefix(&name, "_orig_mod.") ||
         absl::ConsumePrefix(&name, "module.")) {
  }
  return name;
}

// The parameters in the order of `layout`. `file_size` bounds what is
// allocated for them.
absl::StatusOr<std::vector<float>> DecodeState(const TorchArchive& archive,
                                               const PickleValue& state,
                                               const ParameterLayout& layout,
                                               size_t file_size) {
  // Two tensors may share their numbers (tied embeddings), but not many.
  if (static_cast<uint64_t>(layout.num_parameters()) / 2 >
      file_size / sizeof(float)) {
    return Invalid("its config wants ", layout.num_parameters(),
                   " parameters, more than its ", file_size, " bytes hold");
  }
  const size_t num_wanted = layout.parameters().size();
  if (state.items.size() != 2 * num_wanted) {
    return Invalid("model_state has ", state.items.size() / 2,
                   " tensors, its config wants ", num_wanted);
  }
  std::list<std::string> copies;
  std::vector<TensorView> tensors;
  int64_t num_left = layout.num_parameters();
  for (size_t i = 0; i < state.items.size(); i += 2) {
    const PickleValue& name = archive.pickle[state.items[i]];
    if (name.kind != Kind::kString) {
      return Invalid("model_state has a key that is ",
                     PickleKindName(name.kind));
    }
    auto tensor = FindTensor(archive, archive.pickle[state.items[i + 1]]);
    if (!tensor.ok()) {
      return Invalid("tensor ", Quoted(name.text), " ",
                     tensor.status().message());
    }
    // One too many cannot have the shape that is wanted, so that its bytes are
    // not: copies stay in bounds, and FlattenTensors names it.
    absl::string_view bytes;
    if (tensor->size <= num_left) {
      num_left -= tensor->size;
      bytes = RowMajorBytes(*tensor, copies);
    }
    tensors.push_back(
        {absl::CHexEscape(BareName(name.text)), kDtype, tensor->shape, bytes});
  }
  return FlattenTensors(layout, tensors);
}

}  // namespace

absl::StatusOr<std::string> EncodeNotebookCheckpoint(
    const ModelSnapshot& model) {
  CHARRNN_RETURN_IF_ERROR(Validate(model.config));
  CHARRNN_RETURN_IF_ERROR(Validate(model.data));
  const ParameterLayout layout(model.config);
  if (model.vocab.size() != model.config.vocab_size ||
      model.parameters.size() != static_cast<size_t>(layout.flat_size())) {
    return Invalid("the model's vocabulary or parameters are not as many as ",
                   "its config wants");
  }
  const std::vector<TensorView> tensors =
      ParameterTensors(layout, model.parameters);
  Pickle pickle;
  std::vector<PickleId> stoi;
  std::vector<PickleId> itos;
  for (int32_t id = 0; id < model.vocab.size(); ++id) {
    itos.push_back(pickle.String(Character(model.vocab, id)));
    stoi.push_back(itos.back());
    stoi.push_back(pickle.Int(id));
  }
  std::vector<PickleId> items = {
      pickle.String("model_state"), StateValue(tensors, pickle),
      pickle.String("config"),      ConfigValue(model, pickle),
      pickle.String("stoi"),        pickle.Group(Kind::kDict, std::move(stoi)),
      pickle.String("itos"),        pickle.Group(Kind::kList, std::move(itos))};
  pickle.root = pickle.Group(Kind::kDict, std::move(items));
  std::vector<absl::string_view> storages;
  for (const TensorView& tensor : tensors) storages.push_back(tensor.bytes);
  return EncodeTorchArchive(pickle, storages);
}

absl::StatusOr<ModelSnapshot> DecodeNotebookCheckpoint(absl::string_view file) {
  CHARRNN_ASSIGN_OR_RETURN(const TorchArchive archive,
                           DecodeTorchArchive(file));
  const Pickle& pickle = archive.pickle;
  const PickleValue& root = pickle[pickle.root];
  if (root.kind != Kind::kDict && root.kind != Kind::kOrderedDict) {
    return Invalid("it holds ", PickleKindName(root.kind), ", not a dict");
  }
  CHARRNN_ASSIGN_OR_RETURN(const PickleValue* state,
                           FindDict(pickle, root, "model_state"));
  CHARRNN_ASSIGN_OR_RETURN(const PickleValue* dict,
                           FindDict(pickle, root, "config"));
  absl::StatusOr<Config> config = DecodeConfig(pickle, *dict);
  if (!config.ok()) return Annotate(config.status(), "config");
  CHARRNN_ASSIGN_OR_RETURN(Vocab vocab,
                           DecodeVocab(pickle, root, config->encoding));
  ModelConfig& model = config->model;
  if (model.vocab_size != 0 && model.vocab_size != vocab.size()) {
    return Invalid("its vocabulary has ", vocab.size(),
                   " characters, its config says ", model.vocab_size);
  }
  model.vocab_size = vocab.size();
  CHARRNN_RETURN_IF_ERROR(Annotate(Validate(model), "config"));
  CHARRNN_ASSIGN_OR_RETURN(
      std::vector<float> parameters,
      DecodeState(archive, *state, ParameterLayout(model), file.size()));
  return ModelSnapshot{model, config->data, std::move(vocab),
                       std::move(parameters)};
}

}  // namespace charrnn
