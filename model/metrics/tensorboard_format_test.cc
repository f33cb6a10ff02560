#include "model/metrics/tensorboard_format.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

// The expected bytes were printed by the tensorboard package of PyPI (2.21.0):
// its RecordWriter, and SerializeToString() of its Event messages.

namespace charrnn {
namespace {

constexpr double kTime = 1.5;
// Field 1, a double of 1.5; and with it field 2, a varint of 300.
const std::string kTimeBytes = "09000000000000f83f";
const std::string kTimeAndStepBytes = kTimeBytes + "10ac02";

TEST(TensorBoardFormatTest, FramesARecord) {
  EXPECT_EQ(absl::BytesToHexString(TfRecord("abc")),
            "0300000000000000"  // length
            "b099490e"          // its CRC
            "616263"
            "6e57f121");
}

TEST(TensorBoardFormatTest, EncodesTheVersion) {
  EXPECT_EQ(absl::BytesToHexString(VersionEvent(kTime)),
            kTimeBytes + "1a0d627261696e2e4576656e743a32");
}

TEST(TensorBoardFormatTest, EncodesARestart) {
  EXPECT_EQ(absl::BytesToHexString(RestartEvent(kTime, 300)),
            kTimeAndStepBytes + "3a020801");
}

TEST(TensorBoardFormatTest, EncodesScalars) {
  EXPECT_EQ(absl::BytesToHexString(
                ScalarsEvent(kTime, 300, {{"a", 0.5f}, {"b/c", -2.0f}})),
            kTimeAndStepBytes +
                "2a16"
                "0a080a0161150000003f"
                "0a0a0a03622f6315000000c0");
}

TEST(TensorBoardFormatTest, EncodesAText) {
  EXPECT_EQ(absl::BytesToHexString(TextEvent(kTime, 300, "s", "hi")),
            kTimeAndStepBytes +
                "2a1d0a1b0a0173"
                "420c08071204120208014202"
                "6869"
                "4a080a060a0474657874");
}

TEST(TensorBoardFormatTest, EncodesLengthsOfMoreThanOneByte) {
  const std::string text(300, 'x');
  const std::string event = TextEvent(kTime, 300, "s", text);
  // Field 8 of the tensor: 300 as a varint, then the text.
  EXPECT_NE(event.find("\x42\xac\x02" + text), std::string::npos);
}

}  // namespace
}  // namespace charrnn
