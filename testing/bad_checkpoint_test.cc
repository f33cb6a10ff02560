// Models and runs that are broken, hostile, or another's: every program that
// reads them says so in one line, ends with code 2, and leaves everything as it
// was.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "gtest/gtest.h"
#include "model/notebook/zip_archive.h"
#include "testing/mistakes.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

// The same file for each program that reads a model.
std::vector<Mistake> ForEveryProgram(const std::string& contents,
                                     const std::vector<std::string>& told) {
  std::vector<Mistake> mistakes;
  for (const char* program : {"sample", "evaluate", "export", "train"}) {
    const char* flag = program == std::string("train") ? "--init_from=bad"
                                                       : "--checkpoint=bad";
    mistakes.push_back({program, {flag}, told, {{"bad", contents}}});
    mistakes.back().told.push_back("bad: ");
  }
  return mistakes;
}

// The same file for `export`, which starts soonest.
Mistake Model(const std::string& contents,
              const std::vector<std::string>& told) {
  return ForEveryProgram(contents, told)[2];
}

// A safetensors file of this header, with `data` behind it.
std::string WithHeader(const std::string& header, const std::string& data = "",
                       uint64_t claimed_size = 0) {
  const uint64_t size = claimed_size == 0 ? header.size() : claimed_size;
  std::string file;
  for (int shift = 0; shift < 64; shift += 8) {
    file.push_back(static_cast<char>(size >> shift & 0xff));
  }
  return file + header + data;
}

// A header of one tensor.
std::string Tensor(const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return absl::StrCat("\"t\":{\"dtype\":\"", dtype, "\",\"shape\":", shape,
                      ",\"data_offsets\":", offsets, "}");
}

// The good model with `from` in its header replaced by `to` of equal length.
std::string Edited(absl::string_view from, absl::string_view to) {
  EXPECT_EQ(from.size(), to.size());
  std::string edited = absl::StrReplaceAll(GoodModel(), {{from, to}});
  EXPECT_NE(edited, GoodModel()) << from;
  return edited;
}

std::string Notebook(const std::string& name) {
  return FileSystem::Real()
      ->ReadFile(RunfilePath(absl::StrCat("model/notebook/testdata/", name)))
      .value_or("");
}

// The notebook's file with its members changed.
template <typename Change>
std::string Repacked(const Change& change) {
  const std::string file = Notebook("notebook_gru.pt");
  std::vector<ZipMember> members = *DecodeZip(file);
  change(members);
  return *EncodeZip(members);
}

// All of a literal, zeros included.
template <size_t size>
std::string Bytes(const char (&literal)[size]) {
  return {literal, size - 1};
}

// The notebook's file with another pickle.
std::string WithPickle(const std::string& pickle) {
  return Repacked([&](std::vector<ZipMember>& members) {
    for (ZipMember& member : members) {
      if (absl::EndsWith(member.name, "data.pkl")) member.bytes = pickle;
    }
  });
}

// The notebook's file with a word of its pickle replaced by one that is as
// long.
std::string WithWord(absl::string_view from, absl::string_view to) {
  EXPECT_EQ(from.size(), to.size());
  std::string pickle;
  Repacked([&](std::vector<ZipMember>& members) {
    for (const ZipMember& member : members) {
      if (absl::EndsWith(member.name, "data.pkl")) {
        pickle = absl::StrReplaceAll(member.bytes, {{from, to}});
        EXPECT_NE(pickle, member.bytes) << from;
      }
    }
  });
  return WithPickle(pickle);
}

TEST(BadCheckpointTest, OneThatIsNotThereIsRefused) {
  std::vector<Mistake> mistakes = {
      {"train",
       {"--init_from=absent"},
       {"--init_from: absent: ", "train a model first"}},
      {"train",
       {"--init_from=folder"},
       {"--init_from: folder: holds no checkpoint"},
       {{"folder/a.txt", ""}}}};
  for (const char* program : {"sample", "evaluate", "export"}) {
    mistakes.push_back({program,
                        {"--checkpoint=absent"},
                        {"absent: ", "train a model first"}});
    mistakes.push_back({program,
                        {"--checkpoint=folder"},
                        {"folder: holds no checkpoint"},
                        {{"folder/a.txt", ""}}});
  }
  ExpectRefused(mistakes);
}

TEST(BadCheckpointTest, EveryProgramRefusesWhatIsNoModel) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> files = {
      {"", {"0 bytes"}},
      {GoodText(), {"header"}},
      {WithHeader("{}"), {"not a model of this program"}},
      {GoodModel().substr(0, 500), {"header"}},
      {WithPickle(Bytes("\x80\x02"
                        "cposix\nsystem\nX\x02\0\0\0ls\x85R.")),
       {"posix.system", "refused"}},
  };
  std::vector<Mistake> mistakes;
  for (const auto& [contents, told] : files) {
    for (Mistake& mistake : ForEveryProgram(contents, told)) {
      mistakes.push_back(std::move(mistake));
    }
  }
  ExpectRefused(mistakes);
}

TEST(BadCheckpointTest, ADamagedModelIsRefused) {
  std::string flipped = GoodModel();
  flipped[8] ^= 1;  // the header's first brace
  ExpectRefused({
      Model(GoodModel().substr(0, 5), {"5 bytes"}),
      Model(GoodModel().substr(0, GoodModel().size() - 1),
            {"outside the file's data"}),
      Model(GoodModel() + "x", {"1 bytes behind the last tensor"}),
      Model(flipped, {"header", "not JSON"}),
  });
}

TEST(BadCheckpointTest, AModelThatLiesIsRefused) {
  ExpectRefused({
      Model(Edited("hidden_dim", "hidden_dam"), {"hidden_dim: missing"}),
      Model(Edited("charrnn.model.1", "charrnn.model.2"), {"charrnn.model.2"}),
      Model(Edited("\\\"rnn_type\\\":\\\"GRU", "\\\"rnn_type\\\":\\\"GUR"),
            {"--rnn_type=GUR"}),
      Model(Edited("\\\"num_layers\\\":1", "\\\"num_layers\\\":2"),
            {"tensors, its config wants"}),
      Model(Edited("\\\"hidden_dim\\\":4", "\\\"hidden_dim\\\":5"),
            {"its config wants"}),
      Model(Edited("\\\"dropout\\\":0.1", "\\\"dropout\\\":1.1"),
            {"--dropout=1.1"}),
      Model(Edited("fc.bias", "fc.hias"), {"'fc.bias' is missing"}),
      Model(Edited("fc.weight", "fc.bias\","), {"header"}),
      Model(Edited("\"F32\"", "\"I32\""), {"is I32"}),
      Model(Edited("\"F32\"", "\"X32\""), {"unknown dtype"}),
  });
}

TEST(BadCheckpointTest, AHostileHeaderIsRefused) {
  const std::string eight(8, '\0');
  ExpectRefused({
      Model(WithHeader("{}", "", 0x7fffffffffffffff),
            {"a header of 9223372036854775807 bytes"}),
      Model(WithHeader("{}", "", uint64_t{4} << 30),
            {"a header of 4294967296 bytes"}),
      Model(WithHeader(
                "{" + Tensor("F32", "[4294967296,4294967296,2]", "[0,8]") + "}",
                eight),
            {"no memory holds"}),
      Model(WithHeader("{" + Tensor("F32", "[-1]", "[0,8]") + "}", eight),
            {"invalid shape"}),
      Model(WithHeader("{" + Tensor("F32", "[3]", "[0,8]") + "}", eight),
            {"8 bytes where its shape takes 12"}),
      Model(WithHeader("{" + Tensor("F32", "[1]", "[8,4]") + "}", eight),
            {"outside"}),
      Model(WithHeader("{" + Tensor("F32", "[1]", "[0,4]") + "," +
                           Tensor("F32", "[1]", "[4,8]") + "}",
                       eight),
            {"duplicate key"}),
      Model(WithHeader("{" + Tensor("F32", "[2]", "[0,8]") +
                           ",\"u\":{\"dtype\":\"F32\",\"shape\":[1],"
                           "\"data_offsets\":[4,8]}}",
                       eight),
            {"overlaps"}),
      Model(WithHeader("{" + Tensor("F32", "[1]", "[4,8]") + "}", eight),
            {"gap"}),
      Model(WithHeader(std::string(100000, '[')), {"header"}),
  });
}

TEST(BadCheckpointTest, ABrokenFileOfTheNotebookIsRefused) {
  const std::string good = Notebook("notebook_gru.pt");
  std::string flipped = good;
  flipped[flipped.find("model_state")] ^= 1;
  std::string compressed = good;
  // The method of the first member, in its local header and in the directory.
  compressed[8] = 8;
  compressed[compressed.find("PK\1\2") + 10] = 8;
  ExpectRefused({
      Model(good.substr(0, good.size() / 2), {"notebook's"}),
      Model(good.substr(0, 4), {"notebook's"}),
      Model(flipped, {"CRC"}),
      Model(compressed, {"compressed"}),
      Model(Repacked([](std::vector<ZipMember>& m) {
              for (size_t i = 0; i < m.size(); ++i) {
                if (absl::EndsWith(m[i].name, "/data/0")) {
                  m.erase(m.begin() + i);
                }
              }
            }),
            {"lacks its member"}),
      Model(Repacked([](std::vector<ZipMember>& m) {
              for (ZipMember& member : m) {
                if (absl::EndsWith(member.name, "/data/0")) {
                  member.bytes.remove_suffix(4);
                }
              }
            }),
            {"has a storage of"}),
      Model(Repacked([](std::vector<ZipMember>& m) { m.clear(); }), {"bad: "}),
      Model(Bytes("\x80\x02}q\0X\4\0\0\0."), {"before 1.6"}),
  });
}

TEST(BadCheckpointTest, AHostilePickleIsRefusedByName) {
  // Deeper than any stack, and lists of lists that would take 10^9 elements if
  // they were ever copied.
  std::string deep = "\x80\x02";
  for (int i = 0; i < 100000; ++i) deep += "](";
  std::string laughs = Bytes("\x80\x02](]q\0");
  for (char level = 1; level < 10; ++level) {
    laughs += "](";
    for (int i = 0; i < 10; ++i) {
      laughs += "h";
      laughs.push_back(static_cast<char>(level - 1));
    }
    laughs += "eq";
    laughs.push_back(level);
  }
  laughs += "e.";
  ExpectRefused({
      Model(WithPickle(Bytes("\x80\x02"
                             "cbuiltins\neval\nX\x01\0\0\0"
                             "1\x85R.")),
            {"builtins.eval", "refused"}),
      Model(WithPickle("\x80\x02"
                       "c__builtin__\nexec\n."),
            {"__builtin__.exec", "refused"}),
      Model(WithPickle("\x80\x02(S'echo'\nios\nsystem\n."),
            {"opcode STRING at byte 3"}),
      Model(WithPickle(""), {"none of protocol 2 to 5"}),
      Model(WithPickle("\x80\x02."), {"it stops with 0 values"}),
      Model(WithPickle("\x80\x02N."), {"holds None, not a dict"}),
      Model(WithPickle("\x80\x07N."), {"protocol"}),
      Model(WithPickle(deep), {"values lie more than 64 deep"}),
      Model(WithPickle(laughs), {"holds a list, not a dict"}),
      Model(WithWord("FloatStorage", "HalfStorages"), {"HalfStorages"}),
      Model(WithWord("_rebuild_tensor_v2", "_rebuild_qtensorXX"),
            {"_rebuild_qtensorXX", "refused"}),
      Model(WithWord("model_state", "modell_stat"), {"model_state"}),
      Model(WithWord("hidden_dim", "hidden_dom"), {"hidden_dim"}),
      Model(WithWord("emb.weight", "emb.weighs"), {"emb.weight"}),
  });
}

TEST(BadCheckpointTest, APlaceToExportToIsRefused) {
  ExpectRefused({
      {"export", {"--output="}, {"--output", "--output=model.pt"}},
      {"export", {"--output=x.bin"}, {"x.bin", ".safetensors or .pt"}},
      {"export", {"--output=no/x.pt"}, {"no/x.pt", "no folder no"}},
      {"export", {"--output=d.pt"}, {"d.pt: is a folder"}, {{"d.pt/", ""}}},
      {"export",
       {"--output=./model.safetensors"},
       {"is the file to export", "another"}},
  });
}

// A run of two steps, each saved.
void MakeRun(const Workplace& workplace) {
  std::vector<std::string> flags = GoodFlags("train");
  for (const char* flag : {"--max_steps=2", "--save_every=1"}) {
    flags.push_back(flag);
  }
  const SubprocessResult result = workplace.Run("train", flags);
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
}

std::string StepFile(int step, const std::string& name) {
  return absl::StrCat("run/checkpoints/step-0000000", step, "/", name);
}

// A run to be resumed to its third step, after `prepare`.
Mistake Resumed(std::vector<std::string> arguments,
                std::vector<std::string> told,
                std::function<void(const Workplace&)> prepare = {}) {
  arguments.insert(arguments.begin(), {"--resume", "--max_steps=3"});
  return {"train",
          std::move(arguments),
          std::move(told),
          {},
          [prepare = std::move(prepare)](const Workplace& workplace) {
            MakeRun(workplace);
            if (prepare) prepare(workplace);
          }};
}

TEST(BadCheckpointTest, ARunWithoutAWholeCheckpointIsNotResumed) {
  const auto damage = [](const std::string& name, const auto& change) {
    return [=](const Workplace& workplace) {
      for (const int step : {1, 2}) {
        std::string contents = workplace.Read(StepFile(step, name));
        change(contents);
        workplace.Write(StepFile(step, name), contents);
      }
    };
  };
  const auto flip = [](std::string& text) { text[text.size() / 2] ^= 4; };
  const auto cut = [](std::string& text) { text.pop_back(); };
  const auto empty = [](std::string& text) { text.clear(); };
  std::vector<Mistake> mistakes;
  for (const char* name : {"model.safetensors", "optimizer.safetensors",
                           "trainer.json", "MANIFEST.json"}) {
    const std::vector<std::string> told = {
        "run: none of its checkpoints is whole", name, "--run_dir"};
    mistakes.push_back(Resumed({}, told, damage(name, flip)));
    mistakes.push_back(Resumed({}, told, damage(name, cut)));
    mistakes.push_back(Resumed({}, told, damage(name, empty)));
  }
  ExpectRefused(mistakes);
}

TEST(BadCheckpointTest, ALaterVersionsRunIsNotResumed) {
  ExpectRefused({Resumed(
      {}, {"charrnn.checkpoint.2", "the program that has written"},
      [](const Workplace& workplace) {
        const std::string body = "{\"format\":\"charrnn.checkpoint.2\"";
        workplace.Write(
            StepFile(2, "MANIFEST.json"),
            absl::StrFormat("%s,\"crc32c\":\"%08x\"}\n", body, Crc32c(body)));
      })});
}

TEST(BadCheckpointTest, ADamagedCheckpointIsNotSampled) {
  const auto flip = [](const Workplace& workplace) {
    MakeRun(workplace);
    std::string model = workplace.Read(StepFile(2, "model.safetensors"));
    model.back() ^= 1;  // a weight: only the manifest knows
    workplace.Write(StepFile(2, "model.safetensors"), model);
  };
  ExpectRefused({
      {"sample",
       {"--checkpoint=run/latest"},
       {"run/latest/model.safetensors: is broken", "another"},
       {},
       flip},
      {"export",
       {"--checkpoint=run/latest/model.safetensors"},
       {"run/latest/model.safetensors: is broken"},
       {},
       flip},
  });
}

TEST(BadCheckpointTest, ChangesThatARunsNumbersDependOnAreRefused) {
  ExpectRefused({
      Resumed({"--hidden_dim=8"}, {"--hidden_dim=8", "has 4"}),
      Resumed({"--rnn_type=LSTM"}, {"--rnn_type=LSTM", "has GRU"}),
      Resumed({"--num_layers=2"}, {"--num_layers=2", "has 1"}),
      Resumed({"--embedding_dim=8", "--allow_changes"}, {"--embedding_dim=8"}),
      Resumed({"--dropout=0.5"},
              {"--dropout=0.5", "has 0.1", "--allow_changes"}),
      Resumed({"--learning_rate=1"}, {"--learning_rate=1", "has 0.002"}),
      Resumed({"--seq_len=8"}, {"--seq_len=8", "has 16"}),
      Resumed({"--batch_size=8"}, {"--batch_size=8", "has 16"}),
      Resumed({"--seed=1"}, {"--seed=1", "has 42"}),
      Resumed({"--grains=4"}, {"--grains=4", "has 8"}),
      Resumed({"--lr_schedule=cosine"}, {"--lr_schedule=cosine", "constant"}),
      Resumed({"--encoding=bytes"}, {"--encoding=bytes", "utf8"}),
      Resumed({}, {"--data_path: text.txt is not the text", "--allow_changes"},
              [](const Workplace& workplace) {
                std::string text = GoodText();
                std::swap(text[0], text[1]);
                workplace.Write("text.txt", text);
              }),
      Resumed({"--data_path=other.txt"}, {"other.txt: ", "character X"},
              [](const Workplace& workplace) {
                workplace.Write("other.txt", GoodText() + "X");
              }),
      {"train", {"--allow_changes"}, {"--allow_changes: ", "add --resume"}},
  });
}

TEST(BadCheckpointTest, ARunsFolderThatIsOutOfOrderIsRefused) {
  const auto config = [](const std::string& contents) {
    return [=](const Workplace& workplace) {
      workplace.Write("run/config.json", contents);
    };
  };
  ExpectRefused({
      Resumed({}, {"run/config.json: ", "restore it"}, config("{")),
      Resumed({}, {"run: has ", "no config.json: restore it"},
              [](const Workplace& workplace) {
                std::filesystem::remove(workplace.Path("run/config.json"));
              }),
      Resumed({}, {"run: its checkpoints, such as ", "are not there"},
              [](const Workplace& workplace) {
                std::filesystem::rename(workplace.Path("run/checkpoints"),
                                        workplace.Path("elsewhere"));
              }),
      Resumed({}, {"run/config.json: ", "restore it"}, config("")),
      Resumed({}, {"run/config.json: ", "flag \"sail\""},
              config("{\"corpus\":{},\"model\":{},\"training\":{},"
                     "\"flags\":{\"sail\":\"1\"}}")),
      Resumed({}, {"run/checkpoints: ", "Not a directory"},
              [](const Workplace& workplace) {
                std::filesystem::remove_all(workplace.Path("run/checkpoints"));
                workplace.Write("run/checkpoints", "");
              }),
      {"train",
       {"--run_dir=text.txt", "--resume"},
       {"text.txt", "File exists"}},
      // Without --resume a run is never touched.
      {"train", {}, {"run: holds an earlier run", "--resume"}, {}, MakeRun},
  });
}

TEST(BadCheckpointTest, AnotherModelsWeightsMustFit) {
  ExpectRefused({
      {"train",
       {"--init_from=model.safetensors", "--hidden_dim=8"},
       {"--hidden_dim=8: --init_from=model.safetensors has 4"}},
      {"train",
       {"--init_from=model.safetensors", "--data_path=other.txt"},
       {"other.txt: ", "character X"},
       {{"other.txt", GoodText() + "X"}}},
      {"train",
       {"--init_from=model.safetensors", "--encoding=bytes"},
       {"--encoding=bytes: ", "utf8"}},
  });
}

}  // namespace
}  // namespace charrnn
