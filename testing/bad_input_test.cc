// What users get wrong on the command line and in their texts: every program
// says so in one line, ends with code 2, and leaves everything as it was.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "testing/mistakes.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

// The other tests show something only if what they start from is good.
TEST(BadInputTest, WithoutAMistakeEveryProgramSucceeds) {
  const Workplace workplace;
  WriteGoodFiles(workplace);
  for (const char* program : {"train", "sample", "evaluate", "export"}) {
    const SubprocessResult result = workplace.Run(program, GoodFlags(program));
    EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  }
}

TEST(BadInputTest, AFlagThatIsNoneIsRefused) {
  ExpectRefused({
      {"train",
       {"--hiden_dim=4"},
       {"--hiden_dim", "did you mean --hidden_dim"}},
      {"sample", {"--promt=a"}, {"--promt", "did you mean --prompt?"}},
      {"evaluate", {"--jsno"}, {"--jsno", "did you mean --json?"}},
      {"train", {"--run_dir"}, {"--run_dir: needs a value"}},
      {"train", {"other.txt"}, {"unexpected argument 'other.txt'", "--help"}},
      {"sample", {"Romeo"}, {"unexpected argument 'Romeo'", "--help"}},
      {"sample",
       {"--interactive", "--prompt=a"},
       {"--prompt: ", "--interactive", "leave one out"}},
      {"sample",
       {"--num_samples=2", "--interactive"},
       {"--num_samples: ", "--interactive", "leave one out"}},
      {"sample",
       {"--precision=fp16"},
       {"--precision=fp16: must be fp32, bf16 or int8"}},
      {"sample",
       {"--precision=int8", "--kernels=libtorch"},
       {"--precision=int8: ", "leave out --kernels"}},
      {"train",
       {"--flagfile=absent"},
       {"--flagfile: absent: ", "No such file"}},
      {"train",
       {"--flagfile=flags"},
       {"flags:2: ", "--seed=x: must be a whole number"},
       {{"flags", "--seq_len=8\n--seed=x\n"}}},
  });
}

TEST(BadInputTest, ANumberOutOfRangeIsRefused) {
  struct Bounds {
    std::string program, flag, below, above;
  };
  const std::vector<Bounds> all_bounds = {
      {"train", "embedding_dim", "0", "65537"},
      {"train", "hidden_dim", "0", "65537"},
      {"train", "num_layers", "0", "65"},
      {"train", "dropout", "-0.1", "1"},
      {"train", "seq_len", "0", "1000001"},
      {"train", "batch_size", "0", "1000001"},
      {"train", "overlap_step", "-1", "1000000001"},
      {"train", "val_fraction", "-0.1", "1"},
      {"train", "num_epochs", "0", "1000000001"},
      {"train", "max_steps", "-1", "1000000000000001"},
      {"train", "learning_rate", "0", "1e39"},
      {"train", "warmup_steps", "-1", "1000000000000001"},
      {"train", "grad_clip", "-1", "1e16"},
      {"train", "grains", "0", "65537"},
      {"train", "log_every", "-1", "1000000000000001"},
      {"train", "sample_every", "-1", "1000000000000001"},
      {"train", "save_every", "-1", "1000000000000001"},
      {"train", "keep_checkpoints", "0", "1000001"},
      {"train", "threads", "-1", "4097"},
      {"sample", "max_generate", "-1", "1000000000000001"},
      {"sample", "temperature", "-1", "1e7"},
      {"sample", "top_k", "-1", "1114113"},
      {"sample", "top_p", "0", "1.1"},
      {"sample", "num_samples", "0", "1000001"},
      {"sample", "threads", "-1", "4097"},
      {"sample", "seed", "-1", "18446744073709551616"},
  };
  std::vector<Mistake> mistakes;
  for (const Bounds& bounds : all_bounds) {
    for (const std::string& value : {bounds.below, bounds.above}) {
      const std::string argument = absl::StrCat("--", bounds.flag, "=", value);
      // Numbers are shown as a person would write them: 1e+30 for 1e30.
      mistakes.push_back(
          {bounds.program,
           {argument},
           {absl::StrCat("--", bounds.flag, "="), ": must be "}});
    }
  }
  // Each is within its range.
  mistakes.push_back({"train",
                      {"--seq_len=100000", "--batch_size=100000"},
                      {"--seq_len=100000 --batch_size=100000", "must be"}});
  ExpectRefused(mistakes);
}

TEST(BadInputTest, ARealNumberThatIsNotFiniteIsRefused) {
  std::vector<Mistake> mistakes;
  for (const char* flag : {"dropout", "val_fraction", "learning_rate",
                           "grad_clip", "temperature", "top_p"}) {
    for (const char* value : {"nan", "inf"}) {
      const std::string argument = absl::StrCat("--", flag, "=", value);
      mistakes.push_back({"train", {argument}, {argument + ": must be "}});
    }
  }
  ExpectRefused(mistakes);
}

// How a number is read depends on its flag's type alone, so one flag of each
// type stands for all.
TEST(BadInputTest, ANumberThatIsNoneIsRefused) {
  const std::map<std::string, std::vector<std::string>> values = {
      {"dropout", {"", "much", "0,1"}},
      {"seq_len", {"", "many", "1.5", "1e3", "nan", "inf", "2147483648"}},
      {"num_epochs", {"", "9223372036854775808", "-9223372036854775809"}},
      {"seed", {"", "nan", "1e3"}},
  };
  std::vector<Mistake> mistakes;
  for (const auto& [flag, flag_values] : values) {
    for (const std::string& value : flag_values) {
      const std::string argument = absl::StrCat("--", flag, "=", value);
      mistakes.push_back(
          {"train", {argument}, {argument + ": must be a ", "number"}});
    }
  }
  ExpectRefused(mistakes);
}

TEST(BadInputTest, ANameThatIsNoneIsToldTheOthers) {
  ExpectRefused({
      {"train", {"--rnn_type=rnn"}, {"--rnn_type=rnn: must be GRU or LSTM"}},
      {"train", {"--lr_schedule="}, {"--lr_schedule=: must be constant or "}},
      {"train",
       {"--encoding=latin1"},
       {"--encoding=latin1: ", "utf8 or bytes"}},
      {"train", {"--device=gpu"}, {"--device=gpu: must be auto, cpu, cuda"}},
      {"sample", {"--device=cuda:x"}, {"--device=cuda:x: must be auto, cpu"}},
      {"evaluate", {"--device="}, {"--device=: must be auto, cpu, cuda"}},
      {"train", {"--data_order="}, {"--data_order=: must be shuffled or "}},
      {"train",
       {"--data_order=streams", "--overlap_step=3"},
       {"--overlap_step=3: ", "--data_order=shuffled"}},
      {"evaluate", {"--part=tests"}, {"--part=tests: ", "validation"}},
      {"evaluate", {"--part=test"}, {"--part=test: text.txt has no test part"}},
      {"evaluate", {"--json=maybe"}, {"--json=maybe: must be true or false"}},
      // No machine has a thousand GPUs.
      {"train", {"--device=cuda:1000"}, {"--device=cuda:1000: "}},
  });
}

TEST(BadInputTest, ATextThatIsNoneIsRefused) {
  std::vector<Mistake> mistakes;
  for (const char* program : {"train", "evaluate"}) {
    const auto add = [&](const std::string& name, std::vector<std::string> told,
                         std::map<std::string, std::string> files) {
      told.push_back(absl::StrCat("--data_path: ", name, ": "));
      mistakes.push_back({program,
                          {absl::StrCat("--data_path=", name)},
                          std::move(told),
                          std::move(files)});
    };
    add("absent.txt", {"No such file"}, {});
    add("text.txt/a", {"Not a directory"}, {});
    add("folder", {"it is no shard set", "`prepare"},
        {{"folder/a.txt", GoodText()}});
    add("empty.txt", {"is empty", "use a text"}, {{"empty.txt", ""}});
    // Only train can be told how to read a text.
    const std::string way_out =
        absl::StrCat("convert the text", program == std::string("train")
                                             ? ", or read it byte by byte with "
                                               "--encoding=bytes\n"
                                             : "\n");
    add("latin1.txt", {"byte offset 3 (0xE9)", way_out},
        {{"latin1.txt", "the\xE9 cat"}});
    add("cut.txt", {"byte offset 4 (0xE2)", way_out},
        {{"cut.txt", "text\xE2\x82"}});
  }
  ExpectRefused(mistakes);
}

TEST(BadInputTest, ATextTooSmallToLearnFromIsRefused) {
  const auto text = [](const std::string& contents,
                       std::vector<std::string> told,
                       std::vector<std::string> flags = {}) {
    flags.push_back("--data_path=small.txt");
    told.push_back("small.txt: ");
    return Mistake{"train", flags, told, {{"small.txt", contents}}};
  };
  ExpectRefused({
      text("a", {"one distinct symbol", "at least two"}),
      text("aaaaaaaaaa", {"one distinct symbol", "at least two"}),
      text("aaaaaaaaaa", {"one distinct symbol"}, {"--encoding=bytes"}),
      text("ab", {"has 2 characters", "use a longer text"}),
      text("abc", {"has 3 characters", "use a longer text"}),
      text("abcdefghij", {"leaves 1 to train on", "a longer text or a smaller"},
           {"--val_fraction=0.9"}),
  });
}

TEST(BadInputTest, ATextThatAModelCannotReadIsNotEvaluated) {
  const auto text = [](const std::string& contents,
                       std::vector<std::string> told,
                       std::vector<std::string> flags = {}) {
    flags.push_back("--data_path=other.txt");
    told.push_back("other.txt: ");
    return Mistake{"evaluate", flags, told, {{"other.txt", contents}}};
  };
  ExpectRefused({
      text("the cat\nsat \u00e9", {"character \u00e9 at line 2, column 5"}),
      text("the", {"validation part", "--part=all or a longer text"}),
      text("t", {"fewer than two", "a longer text"}, {"--part=all"}),
  });
}

TEST(BadInputTest, ARunDirectoryThatCannotBeOneIsRefused) {
  ExpectRefused({
      {"train",
       {"--run_dir=text.txt"},
       {"--run_dir: text.txt: ", "File exists"}},
      {"train",
       {"--run_dir=text.txt/run"},
       {"--run_dir: text.txt/run: ", "Not a dir"}},
      {"train",
       {"--run_dir=/proc/run"},
       {"--run_dir: /proc/run: ", "cannot create"}},
      {"train",
       {"--run_dir=old"},
       {"old: holds an earlier run", "--run_dir"},
       {{"old/checkpoints/step-00000001/model.safetensors", GoodModel()}}},
  });
}

TEST(BadInputTest, APlaceToSaveToIsRefusedBeforeTraining) {
  ExpectRefused({
      {"train", {"--save_path=a.pth"}, {"--save_path: a.pth", ".safetensors"}},
      {"train", {"--save_path=a"}, {"--save_path: a: ", ".safetensors or .pt"}},
      {"train",
       {"--save_path=a.safetensors", "--data_path=./a.safetensors"},
       {"--save_path=a.safetensors: is the text", "name another file"},
       {{"a.safetensors", GoodText()}}},
      {"train",
       {"--save_path=absent/a.safetensors"},
       {"--save_path: absent/a.safetensors: ", "no folder absent", "make it"}},
      {"train",
       {"--save_path=text.txt/a.safetensors"},
       {"--save_path: text.txt/a.safetensors: ", "no folder text.txt"}},
      {"train",
       {"--save_path=a.safetensors"},
       {"--save_path: a.safetensors: is a folder: name a file"},
       {{"a.safetensors/", ""}}},
  });
}

TEST(BadInputTest, APromptThatAModelCannotReadIsRefused) {
  ExpectRefused({
      {"sample", {"--prompt=XYZ"}, {"--prompt: ", "(X Y Z)", "characters of"}},
      {"sample", {"--prompt=\u65e5"}, {"--prompt: ", "(\u65e5)"}},
      {"sample", {"--prompt=a\xff"}, {"--prompt: ", "byte offset 1 (0xFF)"}},
  });
}

}  // namespace
}  // namespace charrnn
