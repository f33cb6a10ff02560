#include "model/safetensors.h"

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

auto IsInvalid(absl::string_view why) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  HasSubstr(std::string(why)));
}

// A file with this header, as long as it says, and this data.
std::string File(absl::string_view header, absl::string_view data = "") {
  std::string file;
  for (int i = 0; i < 8; ++i) {
    file.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
  }
  return absl::StrCat(file, header, data);
}

// A file of one tensor "t".
std::string OneTensor(absl::string_view dtype, absl::string_view shape,
                      absl::string_view offsets, absl::string_view data) {
  return File(absl::StrCat(R"({"t":{"dtype":")", dtype, R"(","shape":)", shape,
                           R"(,"data_offsets":)", offsets, "}}"),
              data);
}

const std::vector<TensorView>& SomeTensors() {
  static const auto& tensors = *new std::vector<TensorView>{
      {"fc.weight", "F32", {2, 3}, "abcdefghijklmnopqrstuvwx"},
      {"empty", "I64", {4, 0}, ""},
      {"scalar", "BF16", {}, "yz"},
      {"bytes \"\n\u00e9", "U8", {1, 5}, absl::string_view("a\0b\0c", 5)}};
  return tensors;
}

const std::map<std::string, std::string>& SomeMetadata() {
  static const auto& metadata = *new std::map<std::string, std::string>{
      {"format", "pt"}, {"vocab", "{\"symbols\":[\"\\n\"]}"}};
  return metadata;
}

TEST(SafetensorsTest, WritesTheseBytes) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::string file,
      EncodeSafetensors({{"a", "F32", {1, 2}, "01234567"}}, {{"k", "v"}}));
  std::string header =
      R"({"__metadata__":{"k":"v"},)"
      R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";
  header.resize(120, ' ');
  EXPECT_EQ(file, File(header, "01234567"));
}

TEST(SafetensorsTest, GivesBackWhatWasWritten) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::string file, EncodeSafetensors(SomeTensors(), SomeMetadata()));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Safetensors read, DecodeSafetensors(file));
  EXPECT_EQ(read.metadata, SomeMetadata());
  ASSERT_EQ(read.tensors.size(), SomeTensors().size());
  for (size_t i = 0; i < read.tensors.size(); ++i) {
    const TensorView& expected = SomeTensors()[i];
    EXPECT_EQ(read.tensors[i].name, expected.name);
    EXPECT_EQ(read.tensors[i].dtype, expected.dtype);
    EXPECT_EQ(read.tensors[i].shape, expected.shape);
    EXPECT_EQ(read.tensors[i].bytes, expected.bytes);
  }
  // Views into the file itself.
  EXPECT_EQ(read.tensors[0].bytes.data() - file.data(),
            static_cast<ptrdiff_t>(file.size()) - 31);
}

TEST(SafetensorsTest, BeginsTheDataAtACacheLine) {
  for (int length = 1; length < 70; ++length) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const std::string file,
        EncodeSafetensors({{std::string(length, 'n'), "U8", {3}, "abc"}}, {}));
    EXPECT_EQ((file.size() - 3) % 64, 0) << length;
    EXPECT_THAT(DecodeSafetensors(file), IsOk());
  }
}

TEST(SafetensorsTest, WritesAndReadsNothingAtAll) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                               EncodeSafetensors({}, {}));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Safetensors read, DecodeSafetensors(file));
  EXPECT_THAT(read.tensors, IsEmpty());
  EXPECT_THAT(read.metadata, IsEmpty());
}

TEST(SafetensorsTest, RefusesToWriteWhatIsWrong) {
  EXPECT_THAT(EncodeSafetensors({{"a", "F32", {2}, "1234"}}, {}),
              IsInvalid("\"a\" has 4 bytes where its shape takes 8"));
  EXPECT_THAT(EncodeSafetensors({{"a", "F31", {1}, "1234"}}, {}),
              IsInvalid("unknown dtype \"F31\""));
  EXPECT_THAT(EncodeSafetensors({{"a", "F32", {-1, -1}, "1234"}}, {}),
              IsInvalid("shape"));
  EXPECT_THAT(
      EncodeSafetensors({{"a", "U8", {1}, "1"}, {"a", "U8", {1}, "1"}}, {}),
      IsInvalid("\"a\" is taken"));
  EXPECT_THAT(EncodeSafetensors({{"__metadata__", "U8", {1}, "1"}}, {}),
              IsInvalid("is taken"));
  EXPECT_THAT(EncodeSafetensors({{"\xff", "U8", {1}, "1"}}, {}),
              IsInvalid("not UTF-8"));
  EXPECT_THAT(EncodeSafetensors({}, {{"k", "\xff"}}), IsInvalid("not UTF-8"));
}

TEST(SafetensorsTest, ReadsTensorsInTheOrderOfTheirData) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::string file,
      EncodeSafetensors({{"z", "U8", {1}, "1"}, {"a", "U8", {1}, "2"}}, {}));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Safetensors read, DecodeSafetensors(file));
  EXPECT_EQ(read.tensors[0].name, "z");
  EXPECT_EQ(read.tensors[1].name, "a");
}

TEST(SafetensorsTest, ReadsWhatOtherWritersMake) {
  // Unpadded, in another order, with spaces, a null-free empty metadata.
  const std::string file = File(
      "{ \"b\":{\"shape\":[ ],\"data_offsets\":[2,4],\"dtype\":\"F16\"},"
      "\"__metadata__\":{},"
      "\"a\":{\"data_offsets\":[0,2],\"dtype\":\"BOOL\",\"shape\":[2]}}  \n",
      "wxyz");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Safetensors read, DecodeSafetensors(file));
  ASSERT_EQ(read.tensors.size(), 2);
  EXPECT_EQ(read.tensors[0].bytes, "wx");
  EXPECT_EQ(read.tensors[1].bytes, "yz");
}

TEST(SafetensorsTest, RefusesEveryTruncationAndEveryExtension) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::string file, EncodeSafetensors(SomeTensors(), SomeMetadata()));
  for (size_t size = 0; size < file.size(); ++size) {
    // A copy of its own, so that a sanitizer sees a read behind its end.
    const std::vector<char> cut(file.begin(), file.begin() + size);
    EXPECT_THAT(DecodeSafetensors({cut.data(), cut.size()}),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << size;
  }
  EXPECT_THAT(DecodeSafetensors(file + "x"),
              IsInvalid("1 bytes behind the last tensor"));
}

TEST(SafetensorsTest, NeverReadsOutsideTheFileWhateverByteIsFlipped) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const std::string file, EncodeSafetensors(SomeTensors(), SomeMetadata()));
  for (size_t i = 0; i < file.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = file;
      flipped[i] = static_cast<char>(flipped[i] ^ 1 << bit);
      const absl::StatusOr<Safetensors> read = DecodeSafetensors(flipped);
      if (!read.ok()) continue;  // names and data may well be others
      size_t total = 0;
      for (const TensorView& tensor : read->tensors) {
        ASSERT_GE(tensor.bytes.data(), flipped.data());
        ASSERT_LE(tensor.bytes.data() + tensor.bytes.size(),
                  flipped.data() + flipped.size());
        total += tensor.bytes.size();
      }
      EXPECT_EQ(total, 31) << "byte " << i << ", bit " << bit;
    }
  }
}

TEST(SafetensorsTest, RefusesHeaderLengthsThatCannotBe) {
  EXPECT_THAT(DecodeSafetensors(""), IsInvalid("has no header"));
  EXPECT_THAT(DecodeSafetensors("1234567"), IsInvalid("has no header"));
  std::string file = File("{}");
  file[0] = 3;
  EXPECT_THAT(DecodeSafetensors(file), IsInvalid("a header of 3 bytes"));
  EXPECT_THAT(DecodeSafetensors(std::string(8, '\xff') + "{}"),
              IsInvalid("a header of 18446744073709551615 bytes"));
  // 8 + this wraps round to 2.
  EXPECT_THAT(DecodeSafetensors("\xfa\xff\xff\xff\xff\xff\xff\xff{}"),
              IsInvalid("a header of"));
}

TEST(SafetensorsTest, RefusesAHeaderOfMoreThan100MegabytesUnread) {
  // All of it is there, and would be an object.
  std::string header = "{}";
  header.resize(100'000'002, ' ');
  EXPECT_THAT(DecodeSafetensors(File(header)),
              IsInvalid("a header of 100000002 bytes"));
}

TEST(SafetensorsTest, RefusesHeadersThatAreNotWhatTheyShouldBe) {
  EXPECT_THAT(DecodeSafetensors(File("")), IsInvalid("not JSON"));
  EXPECT_THAT(DecodeSafetensors(File("[]")), IsInvalid("no object"));
  EXPECT_THAT(DecodeSafetensors(File("{} {}")), IsInvalid("not JSON"));
  EXPECT_THAT(DecodeSafetensors(File(R"({"t":1})")), IsInvalid("exactly"));
  EXPECT_THAT(DecodeSafetensors(File(R"({"t":{}})")), IsInvalid("exactly"));
  EXPECT_THAT(
      DecodeSafetensors(
          File(R"({"t":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}})",
               "a")),
      IsInvalid("exactly"));
  EXPECT_THAT(DecodeSafetensors(File(
                  R"({"t":{"dtype":8,"shape":[],"data_offsets":[0,1]}})", "a")),
              IsInvalid("wrong type"));
  EXPECT_THAT(DecodeSafetensors(OneTensor("U8", "1", "[0,1]", "a")),
              IsInvalid("wrong type"));
  EXPECT_THAT(DecodeSafetensors(OneTensor("U8", "[1]", "[0,1,1]", "a")),
              IsInvalid("wrong type"));
  EXPECT_THAT(DecodeSafetensors(OneTensor("U8", "[[1]]", "[0,1]", "a")),
              IsInvalid("deep"));
  EXPECT_THAT(DecodeSafetensors(OneTensor("U9", "[1]", "[0,1]", "a")),
              IsInvalid("unknown dtype"));
}

TEST(SafetensorsTest, RefusesMetadataThatIsNotStrings) {
  EXPECT_THAT(DecodeSafetensors(File(R"({"__metadata__":"x"})")),
              IsInvalid("no object"));
  EXPECT_THAT(DecodeSafetensors(File(R"({"__metadata__":{"k":1}})")),
              IsInvalid("\"k\" is no string"));
}

TEST(SafetensorsTest, RefusesDuplicateKeysAtEveryLevel) {
  const std::string tensor =
      R"("t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(DecodeSafetensors(File("{" + tensor + "," + tensor + "}", "a")),
              IsInvalid("duplicate key: \"t\""));
  EXPECT_THAT(DecodeSafetensors(File(R"({"__metadata__":{"k":"1","k":"2"}})")),
              IsInvalid("duplicate key: \"k\""));
  EXPECT_THAT(
      DecodeSafetensors(OneTensor("U8", R"([9],"shape":[1])", "[0,1]", "a")),
      IsInvalid("duplicate key: \"shape\""));
}

TEST(SafetensorsTest, RefusesShapesWhoseSizeOverflows) {
  for (const char* shape :
       {"[4294967296,4294967296]",  // 2^64: 0 when wrapped
        "[4611686018427387905,1]",  // times 4: 4 when wrapped
        "[9223372036854775807,9223372036854775807]",
        "[9223372036854775808]",  // 2^63, no int64_t
        "[18446744073709551615]",
        "[18446744073709551617]",  // 2^64 + 1, parsed as a fraction
        "[1e0]", "[1.0]", "[-1]", "[\"1\"]", "[null]", "[true]"}) {
    EXPECT_THAT(DecodeSafetensors(OneTensor("F32", shape, "[0,4]", "abcd")),
                IsInvalid("shape"))
        << shape;
    EXPECT_THAT(DecodeSafetensors(OneTensor("F32", shape, "[0,0]", "")),
                IsInvalid("shape"))
        << shape;
  }
}

TEST(SafetensorsTest, RefusesOffsetsOutsideTheData) {
  for (const char* offsets :
       {"[0,9]", "[8,0]", "[4,2]", "[5,9]", "[0,9223372036854775807]",
        "[9223372036854775803,9223372036854775807]"}) {
    EXPECT_THAT(DecodeSafetensors(OneTensor("F32", "[1]", offsets, "abcd")),
                IsInvalid("outside the file's data"))
        << offsets;
  }
  for (const char* offsets :
       {"[-4,0]", "[0,4.0]", "[0,\"4\"]", "[18446744073709551612,0]",
        "[0,18446744073709551620]"}) {
    EXPECT_THAT(DecodeSafetensors(OneTensor("F32", "[1]", offsets, "abcd")),
                IsInvalid("invalid data offset"))
        << offsets;
  }
}

TEST(SafetensorsTest, RefusesSizesThatDoNotMatchTheShape) {
  EXPECT_THAT(DecodeSafetensors(OneTensor("F32", "[2]", "[0,4]", "abcd")),
              IsInvalid("4 bytes where its shape takes 8"));
  EXPECT_THAT(DecodeSafetensors(OneTensor("F32", "[0]", "[0,4]", "abcd")),
              IsInvalid("4 bytes where its shape takes 0"));
}

// Two tensors of one byte each at these offsets.
std::string TwoTensors(int a, int b, absl::string_view data) {
  return File(absl::StrCat(
                  R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[)", a, ",",
                  a + 1, R"(]},"b":{"dtype":"U8","shape":[1],"data_offsets":[)",
                  b, ",", b + 1, "]}}"),
              data);
}

TEST(SafetensorsTest, RefusesGapsAndOverlaps) {
  EXPECT_THAT(DecodeSafetensors(TwoTensors(0, 1, "ab")), IsOk());
  EXPECT_THAT(DecodeSafetensors(TwoTensors(1, 0, "ab")), IsOk());
  EXPECT_THAT(DecodeSafetensors(TwoTensors(0, 0, "a")), IsInvalid("overlaps"));
  EXPECT_THAT(DecodeSafetensors(TwoTensors(0, 2, "abc")),
              IsInvalid("leaves a gap"));
  EXPECT_THAT(DecodeSafetensors(TwoTensors(1, 2, "abc")),
              IsInvalid("leaves a gap"));
}

}  // namespace
}  // namespace charrnn
