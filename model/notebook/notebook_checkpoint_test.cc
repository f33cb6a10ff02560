#include "model/notebook/notebook_checkpoint.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/model_snapshot.h"
#include "model/notebook/pickle_value.h"
#include "model/notebook/torch_archive.h"
#include "model/parameter_layout.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using Kind = PickleKind;

auto IsInvalid(absl::string_view why) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  HasSubstr(std::string(why)));
}

// A file that PyTorch wrote; see testdata/make_notebook_checkpoint.py.
std::string TestFile(absl::string_view name) {
  const auto file = FileSystem::Real()->ReadFile(
      absl::StrCat("model/notebook/testdata/notebook_", name, ".pt"));
  EXPECT_THAT(file, IsOk());
  return file.ok() ? *file : "";
}

ModelSnapshot SmallModel(Encoding encoding) {
  Vocab vocab = *Vocab::FromText("abé", encoding);
  ModelConfig config;
  config.vocab_size = vocab.size();
  config.embedding_dim = 2;
  config.hidden_dim = 3;
  config.dropout = 0.25;
  const ParameterLayout layout(config);
  std::vector<float> parameters(layout.flat_size());
  InitializeParameters(layout, 1, absl::MakeSpan(parameters));
  return {config, {64, 0.125}, std::move(vocab), std::move(parameters)};
}

void ExpectEqual(const ModelSnapshot& a, const ModelSnapshot& b) {
  EXPECT_EQ(ToJson(a.config), ToJson(b.config));
  EXPECT_EQ(ToJson(a.data), ToJson(b.data));
  EXPECT_EQ(a.vocab, b.vocab);
  EXPECT_EQ(a.parameters, b.parameters);
}

// A small model's file, decoded so that a test can change any value of it.
class Parts {
 public:
  Parts()
      : file_(*EncodeNotebookCheckpoint(SmallModel(Encoding::kUtf8))),
        archive_(*DecodeTorchArchive(file_)) {}

  Pickle& pickle() { return archive_.pickle; }

  // What is under the last of `keys`, in what is under the one before it...
  PickleValue& At(const std::vector<absl::string_view>& keys) {
    PickleId id = archive_.pickle.root;
    for (const absl::string_view key : keys) id = *Slot(id, key);
    return archive_.pickle.values[id];
  }

  // Puts the value `id` under `key` in the dictionary under `keys`.
  void Set(const std::vector<absl::string_view>& keys, absl::string_view key,
           PickleId id) {
    PickleValue& dict = At(keys);
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      if (pickle()[dict.items[i]].text == key) {
        dict.items[i + 1] = id;
        return;
      }
    }
    const PickleId name = pickle().String(key);
    At(keys).items.insert(At(keys).items.end(), {name, id});
  }

  void Erase(const std::vector<absl::string_view>& keys,
             absl::string_view key) {
    std::vector<PickleId>& items = At(keys).items;
    for (size_t i = 0; i < items.size(); i += 2) {
      if (pickle()[items[i]].text != key) continue;
      const auto at = items.begin() + static_cast<std::ptrdiff_t>(i);
      items.erase(at, at + 2);
      return;
    }
    FAIL() << "nothing to erase";
  }

  absl::StatusOr<std::string> Encode() {
    std::vector<absl::string_view> storages;
    for (size_t i = 0; i < archive_.storages.size(); ++i) {
      storages.push_back(archive_.storages[absl::StrCat(i)]);
    }
    return EncodeTorchArchive(archive_.pickle, storages);
  }

 private:
  PickleId* Slot(PickleId dict, absl::string_view key) {
    std::vector<PickleId>& items = archive_.pickle.values[dict].items;
    for (size_t i = 0; i < items.size(); i += 2) {
      if (archive_.pickle[items[i]].text == key) return &items[i + 1];
    }
    ADD_FAILURE() << key << " is missing";
    return &items[1];
  }

  std::string file_;
  TorchArchive archive_;
};

// What comes of a small model's file that `change` has changed.
absl::StatusOr<ModelSnapshot> Changed(
    const std::function<void(Parts&, Pickle&)>& change) {
  Parts parts;
  change(parts, parts.pickle());
  const absl::StatusOr<std::string> file = parts.Encode();
  EXPECT_THAT(file, IsOk());
  return file.ok() ? DecodeNotebookCheckpoint(*file) : file.status();
}

TEST(NotebookCheckpointTest, ReadsWhatPyTorchWrote) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot gru,
                               DecodeNotebookCheckpoint(TestFile("gru")));
  EXPECT_EQ(ToJson(gru.config),
            R"({"rnn_type":"GRU","vocab_size":11,"embedding_dim":4,)"
            R"("hidden_dim":6,"num_layers":1,"dropout":0.0})");
  EXPECT_EQ(ToJson(gru.data),
            R"({"seq_len":16,"val_fraction":0.05,"test_fraction":0.0,)"
            R"("data_order":"shuffled"})");
  EXPECT_EQ(gru.vocab, *Vocab::FromText("\n ,dgilmnrü", Encoding::kUtf8));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot lstm,
                               DecodeNotebookCheckpoint(TestFile("lstm")));
  EXPECT_EQ(ToJson(lstm.config),
            R"({"rnn_type":"LSTM","vocab_size":11,"embedding_dim":4,)"
            R"("hidden_dim":6,"num_layers":2,"dropout":0.1})");
}

TEST(NotebookCheckpointTest, ReadsTheSameFromAGpu) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot cpu,
                               DecodeNotebookCheckpoint(TestFile("lstm")));
  const std::string file = TestFile("cuda");
  ASSERT_TRUE(absl::StrContains(file, "cuda:0"));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot gpu,
                               DecodeNotebookCheckpoint(file));
  ExpectEqual(cpu, gpu);
}

TEST(NotebookCheckpointTest, GivesBackWhatWasWritten) {
  for (const Encoding encoding : {Encoding::kUtf8, Encoding::kBytes}) {
    const ModelSnapshot model = SmallModel(encoding);
    CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                                 EncodeNotebookCheckpoint(model));
    CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot read,
                                 DecodeNotebookCheckpoint(file));
    ExpectEqual(read, model);
    EXPECT_THAT(EncodeNotebookCheckpoint(read), IsOkAndHolds(file));
  }
  for (const char* name : {"gru", "lstm", "cuda"}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot model,
                                 DecodeNotebookCheckpoint(TestFile(name)));
    CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                                 EncodeNotebookCheckpoint(model));
    CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot read,
                                 DecodeNotebookCheckpoint(file));
    ExpectEqual(read, model);
    EXPECT_THAT(EncodeNotebookCheckpoint(read), IsOkAndHolds(file));
  }
}

TEST(NotebookCheckpointTest, TellsTheOrderOfTheTextUnlessItIsTheNotebooks) {
  ModelSnapshot model = SmallModel(Encoding::kUtf8);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string shuffled,
                               EncodeNotebookCheckpoint(model));
  EXPECT_FALSE(absl::StrContains(shuffled, "data_order"));
  model.data.data_order = DataOrder::kStreams;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string streams,
                               EncodeNotebookCheckpoint(model));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot read,
                               DecodeNotebookCheckpoint(streams));
  EXPECT_EQ(read.data.data_order, DataOrder::kStreams);
  ExpectEqual(read, model);
}

TEST(NotebookCheckpointTest, TellsOfATestPartWhereThereIsOne) {
  ModelSnapshot model = SmallModel(Encoding::kUtf8);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string without,
                               EncodeNotebookCheckpoint(model));
  EXPECT_FALSE(absl::StrContains(without, "test_fraction"));
  model.data.test_fraction = 0.2;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string with,
                               EncodeNotebookCheckpoint(model));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot read,
                               DecodeNotebookCheckpoint(with));
  EXPECT_EQ(read.data.test_fraction, 0.2);
  ExpectEqual(read, model);
}

TEST(NotebookCheckpointTest, RefusesEveryTruncation) {
  for (const std::string& file :
       {TestFile("gru"),
        *EncodeNotebookCheckpoint(SmallModel(Encoding::kUtf8))}) {
    for (size_t size = 0; size < file.size(); ++size) {
      // A copy of its own, so that a sanitizer sees a read behind its end.
      const std::vector<char> cut(file.begin(), file.begin() + size);
      EXPECT_THAT(DecodeNotebookCheckpoint({cut.data(), cut.size()}),
                  StatusIs(absl::StatusCode::kInvalidArgument))
          << size;
    }
  }
}

TEST(NotebookCheckpointTest, NoticesEveryFlippedByteThatMatters) {
  // A flipped byte of a header that is not used (versions, times, attributes,
  // padding) or of a member that is not (".format_version"'s name) leaves the
  // model as it is; all others are refused.
  for (const std::string& file :
       {TestFile("gru"),
        *EncodeNotebookCheckpoint(SmallModel(Encoding::kUtf8))}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const ModelSnapshot model,
                                 DecodeNotebookCheckpoint(file));
    size_t ignored = 0;
    for (size_t i = 0; i < file.size(); ++i) {
      std::string flipped = file;
      flipped[i] = static_cast<char>(~flipped[i]);
      const auto read = DecodeNotebookCheckpoint(flipped);
      if (!read.ok()) continue;
      ++ignored;
      ASSERT_EQ(read->parameters, model.parameters) << i;
      ASSERT_EQ(read->vocab, model.vocab) << i;
      ASSERT_EQ(ToJson(read->config), ToJson(model.config)) << i;
      ASSERT_EQ(ToJson(read->data), ToJson(model.data)) << i;
    }
    EXPECT_GT(ignored, 0);
    EXPECT_LT(ignored, file.size() / 2);
  }
}

TEST(NotebookCheckpointTest, ReadsConfigurationsAsPeopleWriteThem) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const ModelSnapshot model, Changed([](Parts& parts, Pickle& p) {
        parts.Set({"config"}, "rnn_type", p.String("gru"));
        parts.Set({"config"}, "dropout", p.Int(0));
        parts.Set({"config"}, "device", p.String("cuda"));
        parts.Set({"config"}, "notes", p.Group(Kind::kList, {p.None()}));
        parts.Set({"config"}, "vocab_size", p.Int(3));
        parts.Set({"config"}, "seq_len", p.None());
        parts.Erase({"config"}, "val_fraction");
        parts.Set({}, "optimizer_state", p.Group(Kind::kDict, {}));
      }));
  EXPECT_EQ(model.config.rnn_type, RnnType::kGru);
  EXPECT_EQ(model.config.dropout, 0.0);
  EXPECT_EQ(model.data.seq_len, DataConfig().seq_len);
  EXPECT_EQ(model.data.val_fraction, DataConfig().val_fraction);
}

TEST(NotebookCheckpointTest, ModelsThatWereWrappedAreTheSame) {
  const ModelSnapshot plain = *Changed([](Parts&, Pickle&) {});
  for (const char* prefix : {"_orig_mod.", "module.", "module._orig_mod."}) {
    const auto wrapped = Changed([&](Parts& parts, Pickle& pickle) {
      const std::vector<PickleId> items = parts.At({"model_state"}).items;
      for (size_t i = 0; i < items.size(); i += 2) {
        std::string& name = pickle.values[items[i]].text;
        name.insert(0, prefix);
      }
    });
    ASSERT_THAT(wrapped, IsOk()) << prefix;
    EXPECT_EQ(wrapped->parameters, plain.parameters);
  }
}

TEST(NotebookCheckpointTest, NamesWhatIsMissing) {
  for (const char* key : {"model_state", "config", "stoi", "itos"}) {
    EXPECT_THAT(Changed([&](Parts& parts, Pickle&) { parts.Erase({}, key); }),
                IsInvalid(absl::StrCat("key '", key, "' is missing")));
  }
  for (const char* key :
       {"rnn_type", "embedding_dim", "hidden_dim", "num_layers", "dropout"}) {
    EXPECT_THAT(
        Changed([&](Parts& parts, Pickle&) { parts.Erase({"config"}, key); }),
        IsInvalid(absl::StrCat("config: key '", key, "' is missing")));
  }
  EXPECT_THAT(Changed([](Parts& parts, Pickle&) {
                parts.pickle().values[parts.At({"model_state"}).items[0]].text =
                    "encoder.emb.weight";
              }),
              IsInvalid("tensor 'emb.weight' is missing"));
  EXPECT_THAT(Changed([](Parts& parts, Pickle&) {
                parts.Erase({"model_state"}, "fc.bias");
              }),
              IsInvalid("model_state has 6 tensors, its config wants 7"));
}

TEST(NotebookCheckpointTest, RefusesValuesOfOtherKinds) {
  const auto with = [](const std::vector<absl::string_view>& keys,
                       absl::string_view key, PickleId (*make)(Pickle&)) {
    return Changed(
        [&](Parts& parts, Pickle& p) { parts.Set(keys, key, make(p)); });
  };
  const auto string = [](Pickle& p) { return p.String("3"); };
  const auto real = [](Pickle& p) { return p.Float(3); };
  const auto big = [](Pickle& p) { return p.Int(int64_t{1} << 32); };
  const auto yes = [](Pickle& p) { return p.Bool(true); };
  EXPECT_THAT(with({}, "config", string), IsInvalid("'config' is a string"));
  EXPECT_THAT(with({}, "stoi", yes), IsInvalid("'stoi' is a bool"));
  EXPECT_THAT(with({}, "itos", string), IsInvalid("itos is a string"));
  EXPECT_THAT(with({"config"}, "hidden_dim", real),
              IsInvalid("key 'hidden_dim' is a float, not an int that fits"));
  EXPECT_THAT(with({"config"}, "hidden_dim", yes), IsInvalid("is a bool"));
  EXPECT_THAT(with({"config"}, "hidden_dim", big),
              IsInvalid("not an int that fits"));
  EXPECT_THAT(with({"config"}, "dropout", string), IsInvalid("not a float"));
  EXPECT_THAT(with({"config"}, "dropout", big), IsInvalid("--dropout="));
  EXPECT_THAT(with({"config"}, "seq_len", real), IsInvalid("'seq_len'"));
  EXPECT_THAT(with({"config"}, "rnn_type", real), IsInvalid("not a string"));
  EXPECT_THAT(with({"config"}, "rnn_type", string), IsInvalid("GRU or LSTM"));
  EXPECT_THAT(with({"config"}, "encoding", string), IsInvalid("--encoding=3"));
  EXPECT_THAT(with({"config"}, "data_order", string),
              IsInvalid("--data_order=3"));
  EXPECT_THAT(with({"config"}, "data_order", yes), IsInvalid("not a string"));
  EXPECT_THAT(
      with({"config"}, "vocab_size", [](Pickle& p) { return p.Int(4); }),
      IsInvalid("has 3 characters, its config says 4"));
  EXPECT_THAT(with({"model_state"}, "fc.bias", string),
              IsInvalid("tensor 'fc.bias' is a string, not a tensor"));
  EXPECT_THAT(Changed([](Parts&, Pickle& p) { p.root = p.Int(1); }),
              IsInvalid("it holds an int, not a dict"));
}

TEST(NotebookCheckpointTest, RefusesSizesBeforeAllocatingThem) {
  // 2^36 parameters, in a file of 3 KB.
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                parts.Set({"config"}, "hidden_dim", p.Int(65536));
                parts.Set({"config"}, "num_layers", p.Int(64));
                const PickleId state = p.Group(Kind::kDict, {});
                parts.Set({}, "model_state", state);
              }),
              IsInvalid("more than its"));
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                parts.Set({"config"}, "hidden_dim", p.Int(65537));
              }),
              IsInvalid("config: --hidden_dim=65537"));
}

TEST(NotebookCheckpointTest, RefusesTensorsOfOtherShapes) {
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                parts.Set({"config"}, "embedding_dim", p.Int(3));
              }),
              IsInvalid("tensor 'emb.weight' is F32[3, 2], its config wants "
                        "F32[3, 3]"));
  EXPECT_THAT(Changed([](Parts& parts, Pickle&) {
                // Each tensor is as large as the largest.
                PickleValue& state = parts.At({"model_state"});
                for (size_t i = 1; i < state.items.size(); i += 2) {
                  state.items[i] = state.items[5];
                }
              }),
              IsInvalid("tensor 'emb.weight' is F32[9, 3], its config "
                        "wants F32[3, 2]"));
}

TEST(NotebookCheckpointTest, NamesATensorsDtype) {
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                const PickleValue& tensor =
                    parts.At({"model_state", "fc.bias"});
                const PickleId storage = tensor.items[0];
                const PickleId half = p.StorageType("HalfStorage");
                p.values[storage].items[0] = half;
              }),
              IsInvalid("tensor 'fc.bias' is float16, not float32"));
}

// A file whose itos is made of `symbols`, and whose stoi says the same.
absl::StatusOr<ModelSnapshot> WithSymbols(
    const std::vector<std::string>& symbols, bool as_dict = false) {
  return Changed([&](Parts& parts, Pickle& p) {
    std::vector<PickleId> itos;
    std::vector<PickleId> stoi;
    for (size_t i = symbols.size(); i > 0; --i) {
      const PickleId id = p.Int(static_cast<int64_t>(i - 1));
      const PickleId symbol = p.String(symbols[i - 1]);
      stoi.insert(stoi.end(), {symbol, id});
      if (as_dict) {
        itos.insert(itos.end(), {id, symbol});
      } else {
        itos.insert(itos.begin(), symbol);
      }
    }
    parts.Set({}, "itos", p.Group(as_dict ? Kind::kDict : Kind::kList, itos));
    parts.Set({}, "stoi", p.Group(Kind::kDict, stoi));
  });
}

TEST(NotebookCheckpointTest, ReadsVocabulariesAsListsAndDictionaries) {
  for (const bool as_dict : {false, true}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const ModelSnapshot model,
        WithSymbols({"\n", "é", "\U0001f600"}, as_dict));
    EXPECT_EQ(model.vocab, *Vocab::FromText("\né\U0001f600", Encoding::kUtf8));
  }
}

TEST(NotebookCheckpointTest, RefusesVocabulariesThatAreNoneOfOurs) {
  EXPECT_THAT(WithSymbols({"b", "a", "c"}),
              IsInvalid("itos is not in ascending order at 1"));
  EXPECT_THAT(WithSymbols({"the", "a", "c"}),
              IsInvalid("itos[0] is not one character"));
  EXPECT_THAT(WithSymbols({"", "a", "c"}),
              IsInvalid("itos[0] is not one character"));
  EXPECT_THAT(WithSymbols({"a", "b"}),
              IsInvalid("tensor 'emb.weight' is F32[3, 2], its config wants "
                        "F32[2, 2]"));
  EXPECT_THAT(WithSymbols({}), IsInvalid("itos is empty"));
  EXPECT_THAT(Changed([](Parts& parts, Pickle&) {
                PickleValue& itos = parts.At({"itos"});
                itos.items[1] = itos.items[0];
              }),
              IsInvalid("stoi disagrees with itos"));
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                const PickleId four = p.Int(4);
                const PickleId two = p.String("é");
                std::vector<PickleId> items = {p.Int(0), p.String("a"),
                                               p.Int(1), p.String("b"),
                                               four,     two};
                parts.Set({}, "itos", p.Group(Kind::kDict, items));
              }),
              IsInvalid("itos has keys other than 0 to 2"));
}

TEST(NotebookCheckpointTest, RefusesAStoiThatDisagrees) {
  const auto disagrees = IsInvalid("stoi disagrees with itos");
  for (const int64_t wrong : {int64_t{1}, int64_t{3}, int64_t{-1}, INT64_MIN}) {
    EXPECT_THAT(Changed([&](Parts& parts, Pickle& p) {
                  parts.Set({"stoi"}, "a", p.Int(wrong));
                }),
                disagrees);
  }
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                parts.Set({"stoi"}, "a", p.Float(0));
              }),
              disagrees);
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                parts.Set({"stoi"}, "z", p.Int(0));
              }),
              IsInvalid("stoi has 4 characters, itos 3"));
}

TEST(NotebookCheckpointTest, TakesBytesForBytesOnlyIfTheyAreAllThere) {
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                parts.Set({"config"}, "encoding", p.String("bytes"));
              }),
              IsInvalid("itos[0] is not that byte's character"));
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                const PickleId zero = p.String(absl::string_view("\0", 1));
                parts.Set({"config"}, "encoding", p.String("bytes"));
                parts.Set({}, "itos", p.Group(Kind::kList, {zero}));
                parts.Set({}, "stoi", p.Group(Kind::kDict, {zero, p.Int(0)}));
              }),
              IsInvalid("itos has 1 characters for 256 bytes"));
  EXPECT_THAT(Changed([](Parts& parts, Pickle& p) {
                parts.Set({"config"}, "encoding", p.String("utf8"));
              }),
              IsOk());
}

TEST(NotebookCheckpointTest, RefusesToWriteWhatDoesNotBelongTogether) {
  ModelSnapshot model = SmallModel(Encoding::kUtf8);
  model.parameters.pop_back();
  EXPECT_THAT(EncodeNotebookCheckpoint(model), IsInvalid("not as many as"));
  model = SmallModel(Encoding::kUtf8);
  model.vocab = *Vocab::FromText("ab", Encoding::kUtf8);
  EXPECT_THAT(EncodeNotebookCheckpoint(model), IsInvalid("not as many as"));
  model = SmallModel(Encoding::kUtf8);
  model.config.dropout = 1.5;
  EXPECT_THAT(EncodeNotebookCheckpoint(model), IsInvalid("--dropout=1.5"));
}

}  // namespace
}  // namespace charrnn
