#include "model/notebook/pickle_reader.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/notebook/pickle_value.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using Kind = PickleKind;

auto IsInvalid(absl::string_view why) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  HasSubstr(std::string(why)));
}

std::string Number(uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i, value >>= 8) {
    bytes.push_back(static_cast<char>(value & 0xff));
  }
  return bytes;
}

// The opcode that pushes the string `text`.
std::string Text(absl::string_view text) {
  return absl::StrCat("X", Number(text.size(), 4), text);
}

// A pickle of protocol 2 that consists of these opcodes.
template <typename... Parts>
std::string Program(const Parts&... opcodes) {
  return absl::StrCat("\x80\2", opcodes..., ".");
}

template <typename... Parts>
absl::Status Read(const Parts&... opcodes) {
  return DecodePickle(Program(opcodes...)).status();
}

// The root of what these opcodes give.
template <typename... Parts>
PickleValue Root(const Parts&... opcodes) {
  const auto pickle = DecodePickle(Program(opcodes...));
  EXPECT_THAT(pickle, IsOk());
  return pickle.ok() ? (*pickle)[pickle->root] : PickleValue();
}

constexpr char kOrderedDict[] = "ccollections\nOrderedDict\n";
constexpr char kRebuild[] = "ctorch._utils\n_rebuild_tensor_v2\n";

// A storage's persistent id.
std::string Storage() {
  return absl::StrCat("(", Text("storage"), "ctorch\nFloatStorage\n", Text("0"),
                      Text("cpu"), "K\2tQ");
}

// The tuple of a tensor's arguments.
std::string Arguments() {
  return absl::StrCat("(", Storage(), "K\1K\2\x85K\1\x85\x89", kOrderedDict,
                      ")Rt");
}

TEST(PickleReaderTest, ReadsScalars) {
  EXPECT_EQ(Root("N").kind, Kind::kNone);
  EXPECT_EQ(Root("\x88").integer, 1);
  EXPECT_EQ(Root("\x89").kind, Kind::kBool);
  EXPECT_EQ(Root("\x89").integer, 0);
  EXPECT_EQ(Root("K\xff").integer, 255);
  EXPECT_EQ(Root("M\xff\xff").integer, 65535);
  EXPECT_EQ(Root("J\xff\xff\xff\xff").integer, -1);
  EXPECT_EQ(Root("J", Number(0x80000000, 4)).integer, INT32_MIN);
  EXPECT_EQ(Root("\x8a", Number(0, 1)).integer, 0);
  EXPECT_EQ(Root("\x8a\1\xff").integer, -1);
  EXPECT_EQ(Root("\x8a\2\xff", Number(0, 1)).integer, 255);
  EXPECT_EQ(Root("\x8a\5", Number(1, 4), "\x80").integer,
            1 - (int64_t{128} << 32));
  EXPECT_EQ(Root("\x8a\x08", Number(uint64_t{1} << 63, 8)).integer, INT64_MIN);
  EXPECT_EQ(Root(absl::string_view("G\xbf\xe0\0\0\0\0\0\0", 9)).real, -0.5);
  EXPECT_EQ(Root(Text("é")).text, "é");
  EXPECT_EQ(Root(Text(absl::string_view("\0", 1))).text.size(), 1);
  EXPECT_EQ(Root("\x8c\2hi").text, "hi");
}

TEST(PickleReaderTest, ReadsContainers) {
  EXPECT_EQ(Root(")").kind, Kind::kTuple);
  EXPECT_EQ(Root("K\1\x85").items.size(), 1);
  EXPECT_EQ(Root("K\1K\2\x86").items.size(), 2);
  EXPECT_EQ(Root("K\1K\2K\3\x87").items.size(), 3);
  EXPECT_EQ(Root("(K\1K\2K\3K\4t").items.size(), 4);
  EXPECT_EQ(Root("]K\1a(K\2K\3e").items.size(), 3);
  EXPECT_EQ(Root("}", Text("a"), "Ns(K\1NK\2Nu").items.size(), 6);
  EXPECT_EQ(Root("](e").kind, Kind::kList);
  EXPECT_EQ(Root(kOrderedDict, ")R", Text("a"), "Ns").kind, Kind::kOrderedDict);
}

TEST(PickleReaderTest, ReadsTensors) {
  const absl::StatusOr<Pickle> pickle =
      DecodePickle(Program(kRebuild, Arguments(), "R"));
  ASSERT_THAT(pickle, IsOk());
  const PickleValue& tensor = (*pickle)[pickle->root];
  ASSERT_EQ(tensor.kind, Kind::kTensor);
  const PickleValue& storage = (*pickle)[tensor.items[0]];
  EXPECT_EQ((*pickle)[storage.items[0]].text, "FloatStorage");
  EXPECT_EQ((*pickle)[storage.items[1]].text, "0");
  EXPECT_EQ((*pickle)[storage.items[2]].text, "cpu");
  EXPECT_EQ((*pickle)[storage.items[3]].integer, 2);
  EXPECT_EQ((*pickle)[tensor.items[1]].integer, 1);
}

TEST(PickleReaderTest, ReadsWhatLaterProtocolsWriteForTheSameThings) {
  const std::string program = absl::StrCat(
      "\x95", Number(38, 8), "\x8c\013collections\x94\x8c\013OrderedDict\x94",
      "\x93\x94)R\x94\x8c\1a\x94h\4s.");
  for (const char protocol : {2, 3, 4, 5}) {
    const absl::StatusOr<Pickle> pickle =
        DecodePickle(absl::StrCat("\x80", std::string(1, protocol), program));
    ASSERT_THAT(pickle, IsOk());
    EXPECT_EQ((*pickle)[pickle->root].items.size(), 2);
  }
}

TEST(PickleReaderTest, SharesWhatTheMemoNamesAgain) {
  const PickleValue root =
      Root("(]q", Number(0, 1), "h", Number(0, 1), "j", Number(0, 4), "t");
  ASSERT_EQ(root.items.size(), 3);
  EXPECT_EQ(root.items[0], root.items[1]);
  EXPECT_EQ(root.items[0], root.items[2]);
}

TEST(PickleReaderTest, DropsAnOrderedDictsAttributes) {
  EXPECT_EQ(Root(kOrderedDict, ")R}", Text("_metadata"), "Nsb").items.size(),
            0);
  EXPECT_THAT(Read("}}b"), IsInvalid("attributes are given to a dict"));
}

TEST(PickleReaderTest, RefusesFunctionsByTheirNames) {
  EXPECT_THAT(Read("cposix\nsystem\n", Text("id"), "\x85R"),
              IsInvalid("it wants to run posix.system, which is refused"));
  for (const char* function :
       {"os.system", "builtins.eval", "__builtin__.getattr",
        "numpy.core.multiarray.scalar", "torch.load", "collections.Counter",
        "collections.OrderedDict.fromkeys", "nt.Storage", "_codecs.encode",
        "torch.storage.UntypedStorage", "torch.device"}) {
    const std::string name = function;
    const size_t dot = name.rfind('.');
    const std::string module = name.substr(0, dot);
    const std::string last = name.substr(dot + 1);
    const auto refused =
        IsInvalid(absl::StrCat("it wants to run ", name, ", which is refused"));
    EXPECT_THAT(Read("c", module, "\n", last, "\n)R"), refused);
    EXPECT_THAT(Read(Text(module), Text(last), "\x93)R"), refused);
  }
}

TEST(PickleReaderTest, NamesTheWayOut) {
  EXPECT_THAT(Read("ctorch._utils\n_rebuild_parameter\n"),
              IsInvalid("_rebuild_parameter, which is refused: save "
                        "model.state_dict()"));
  EXPECT_THAT(Read("ctorch._utils\n_rebuild_qtensor\n"),
              IsInvalid("quantised tensor: save the float32 model"));
  EXPECT_THAT(Read("ctorch._utils\n_rebuild_tensor_v3\n"),
              IsInvalid("another tensor than a float32"));
  EXPECT_THAT(Read("c__main__\nCharRNN\n)\x81"),
              IsInvalid("__main__.CharRNN, which is refused: save "
                        "model.state_dict(), not the model itself"));
}

TEST(PickleReaderTest, ShowsNamesAsPlainText) {
  EXPECT_THAT(Read("c\x1b[2J\nx\n"), IsInvalid("run \\x1b[2J.x,"));
  EXPECT_THAT(Read("cm\n", std::string(1000, 'x'), "\n"),
              IsInvalid(absl::StrCat("m.", std::string(98, 'x'), ",")));
}

TEST(PickleReaderTest, RefusesOtherOpcodesByNameAndPlace) {
  EXPECT_THAT(Read("(ios\nsystem\n"),
              IsInvalid("opcode INST at byte 3 is not one that a checkpoint"));
  EXPECT_THAT(Read("NN", "0"), IsInvalid("opcode POP at byte 4"));
  EXPECT_THAT(Read("\x81"), IsInvalid("opcode NEWOBJ at byte 2"));
  EXPECT_THAT(Read("\xff"), IsInvalid("opcode 0xff at byte 2"));
  EXPECT_THAT(Read("\x80\2N"), IsInvalid("opcode PROTO at byte 2"));
  const std::string allowed =
      "ae Gh J K M Q q X b } ] ) \x95 c \x8a j r ( "
      "\x94 \x89 \x88 N R s u \x8c \x93 . t "
      "\x85 \x86 \x87";
  for (int code = 0; code < 256; ++code) {
    if (code != ' ' &&
        allowed.find(static_cast<char>(code)) != std::string::npos) {
      continue;
    }
    EXPECT_THAT(Read("NNN", std::string(1, static_cast<char>(code))),
                IsInvalid("at byte 5 is not one"))
        << code;
  }
}

TEST(PickleReaderTest, RefusesOtherProtocols) {
  EXPECT_THAT(DecodePickle(""), IsInvalid("protocol 2 to 5"));
  EXPECT_THAT(DecodePickle("\x80"), IsInvalid("protocol 2 to 5"));
  EXPECT_THAT(DecodePickle("N."), IsInvalid("protocol 2 to 5"));
  EXPECT_THAT(DecodePickle("\x80\1N."), IsInvalid("protocol 2 to 5"));
  EXPECT_THAT(DecodePickle("\x80\6N."), IsInvalid("protocol 2 to 5"));
}

TEST(PickleReaderTest, RefusesEveryTruncation) {
  const std::string program =
      Program("}(", Text("t"), kRebuild, Arguments(), "R", Text("n"),
              "\x8a\2\1\1", Text("m"), "M\1\1", Text("l"), "]q", Number(0, 1),
              Text("f"), "G12345678", Text("p"), "h", Number(0, 1), "u");
  ASSERT_THAT(DecodePickle(program), IsOk());
  for (size_t size = 0; size < program.size(); ++size) {
    const std::vector<char> cut(program.begin(), program.begin() + size);
    EXPECT_THAT(DecodePickle({cut.data(), cut.size()}),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << size;
  }
  EXPECT_THAT(DecodePickle(program + "x"), IsInvalid("1 bytes behind its end"));
}

TEST(PickleReaderTest, RefusesHugeLengths) {
  EXPECT_THAT(Read("X\xff\xff\xff\xff"), IsInvalid("cut short"));
  EXPECT_THAT(Read("\x95", Number(~uint64_t{0}, 8), "N"),
              IsInvalid("cut short"));
  EXPECT_THAT(Read("\x8a\xff"), IsInvalid("an int of 255 bytes"));
  EXPECT_THAT(Read("\x8a\x09", Number(0, 9)), IsInvalid("an int of 9 bytes"));
  EXPECT_THAT(Read("Nr\xff\xff\xff\xff"), IsInvalid("memo 4294967295 is"));
  EXPECT_THAT(Read("j\xff\xff\xff\xff"), IsInvalid("memo 4294967295 is read"));
}

TEST(PickleReaderTest, KeepsTheMemoInPythonsOrder) {
  EXPECT_THAT(Read("Nq\1"), IsInvalid("memo 1 is written out of order"));
  EXPECT_THAT(Read("Nq", Number(0, 1), "q", Number(0, 1)),
              IsInvalid("memo 0 is written out of order"));
  EXPECT_THAT(Read("N\x94\x94"), IsInvalid("memo 1 is written out of order"));
  EXPECT_THAT(Read("q", Number(0, 1)), IsInvalid("nothing on the stack"));
  EXPECT_THAT(Read("h", Number(0, 1)), IsInvalid("memo 0 is read before"));
}

TEST(PickleReaderTest, RefusesProgramsThatMisuseTheStack) {
  EXPECT_THAT(Read(""), IsInvalid("stops with 0 values"));
  EXPECT_THAT(Read("NN"), IsInvalid("stops with 2 values"));
  EXPECT_THAT(Read("N("), IsInvalid("stops with 1 values"));
  EXPECT_THAT(Read("Nt"), IsInvalid("a MARK is missing"));
  for (const char* program :
       {"N\x86", "N(\x85", "N(R", "NR", "]a", "](Na", "](b", "(NQ", "N(Q", "s",
        "N\x93", "(e", "\x94"}) {
    EXPECT_THAT(Read(program), StatusIs(absl::StatusCode::kInvalidArgument))
        << program;
  }
  EXPECT_THAT(Read("}NNa"), IsInvalid("items are added to None"));
  EXPECT_THAT(Read("}Na"), IsInvalid("items are added to a dict"));
  EXPECT_THAT(Read("]NNs"), IsInvalid("items are added to a list"));
  EXPECT_THAT(Read("}(Nu"), IsInvalid("a key has no value"));
  EXPECT_THAT(Read(")(Ne"), IsInvalid("items are added to a tuple"));
  EXPECT_THAT(Read("N)R"), IsInvalid("None is called"));
  EXPECT_THAT(Read("ctorch\nFloatStorage\n)R"),
              IsInvalid("a storage type is called"));
  EXPECT_THAT(Read(kOrderedDict, "]R"), IsInvalid("called"));
  EXPECT_THAT(Read(kOrderedDict, "N\x85R"), IsInvalid("has 1 arguments"));
  EXPECT_THAT(Read(kRebuild, ")R"), IsInvalid("has 0 arguments"));
  EXPECT_THAT(Read("NN\x93"), IsInvalid("has no name"));
  EXPECT_THAT(Read(kOrderedDict),
              IsInvalid("collections.OrderedDict is not called"));
}

TEST(PickleReaderTest, RefusesPersistentIdsOfAnythingButAStorage) {
  const auto refused = IsInvalid("persistent id is not a storage's");
  EXPECT_THAT(Read(Storage()), IsOk());
  EXPECT_THAT(Read("NQ"), refused);
  EXPECT_THAT(Read(Text("storage"), "Q"), refused);
  EXPECT_THAT(Read("(", Text("module"), "NNNNtQ"), refused);
  EXPECT_THAT(Read("(", Text("storage"), "NNNtQ"), refused);
  EXPECT_THAT(Read("(", Text("storage"), "NNNNtQ"),
              IsInvalid("a storage is not made as"));
}

TEST(PickleReaderTest, RefusesValuesThatHoldThemselves) {
  EXPECT_THAT(Read("]q", Number(0, 1), "h", Number(0, 1), "a"),
              IsInvalid("a value holds itself"));
  EXPECT_THAT(Read("}q", Number(0, 1), "(", Text("a"), "h", Number(0, 1), "u"),
              IsInvalid("a value holds itself"));
  // A cycle that nothing leads to is nowhere kept.
  EXPECT_THAT(Read(kOrderedDict, ")R]q", Number(0, 1), "h", Number(0, 1), "ab"),
              IsOk());
}

std::string Repeated(absl::string_view part, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) absl::StrAppend(&all, part);
  return all;
}

TEST(PickleReaderTest, BoundsHowDeepValuesLie) {
  EXPECT_THAT(Read("N", Repeated("\x85", 64)), IsOk());
  EXPECT_THAT(Read("N", Repeated("\x85", 65)), IsInvalid("deep"));
  EXPECT_THAT(Read("N", Repeated("\x85", 2'000'000)), IsInvalid("deep"));
  EXPECT_THAT(Read(Repeated("(", 65)), IsInvalid("deep"));
  EXPECT_THAT(Read(Repeated("]", 1'000'000), Repeated("a", 999'999)),
              IsInvalid("deep"));
}

TEST(PickleReaderTest, TakesNoMoreMemoryForNamesThanForValues) {
  // Each tuple holds the one before twice: 2^60 numbers.
  std::string tuples = "K\1\x94";
  for (uint64_t i = 0; i < 60; ++i) {
    absl::StrAppend(&tuples, "h", Number(i, 1), "\x86\x94");
  }
  const absl::StatusOr<Pickle> pickle = DecodePickle(Program(tuples));
  ASSERT_THAT(pickle, IsOk());
  EXPECT_EQ(pickle->values.size(), 61);
}

TEST(PickleReaderTest, BoundsTheNumberOfValues) {
  EXPECT_THAT(Read("](", Repeated("N", 4'999'999), "e"), IsOk());
  EXPECT_THAT(Read("](", Repeated("N", 5'000'000), "e"),
              IsInvalid("more than 5000000 values"));
  // References count too.
  EXPECT_THAT(
      Read("N\x94(", Repeated(absl::StrCat("h", Number(0, 1)), 5'000'000), "t"),
      IsInvalid("more than 5000000 values"));
}

TEST(PickleReaderTest, RefusesDuplicateKeys) {
  EXPECT_THAT(Read("}", Text("a"), "Ns", Text("a"), "Ns"),
              IsInvalid("duplicate key 'a'"));
  EXPECT_THAT(Read("}(K\1NM\1", Number(0, 1), "Nu"),
              IsInvalid("duplicate key 1"));
}

TEST(PickleReaderTest, RefusesStringsThatAreNotUtf8) {
  EXPECT_THAT(Read(Text("\xed\xa0\x80")), IsInvalid("not UTF-8"));
}

}  // namespace
}  // namespace charrnn
