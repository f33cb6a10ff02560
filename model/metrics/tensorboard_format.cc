#include "model/metrics/tensorboard_format.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/crc32c.h"

namespace charrnn {
namespace {

// A protocol buffer message as it grows (protobuf.dev, "Encoding").
class Message {
 public:
  Message& Varint(int field, uint64_t value) {
    Tag(field, /*wire_type=*/0);
    AppendVarint(value);
    return *this;
  }
  Message& Double(int field, double value) {
    Tag(field, /*wire_type=*/1);
    return AppendFixed(value);
  }
  Message& Float(int field, float value) {
    Tag(field, /*wire_type=*/5);
    return AppendFixed(value);
  }
  Message& Bytes(int field, absl::string_view value) {
    Tag(field, /*wire_type=*/2);
    AppendVarint(value.size());
    bytes_.append(value.data(), value.size());
    return *this;
  }
  Message& Nested(int field, const Message& message) {
    return Bytes(field, message.bytes_);
  }
  std::string bytes() const { return bytes_; }

 private:
  void Tag(int field, int wire_type) { AppendVarint(field << 3 | wire_type); }
  void AppendVarint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      bytes_.push_back(static_cast<char>(value | 0x80));
    }
    bytes_.push_back(static_cast<char>(value));
  }
  template <typename T>
  Message& AppendFixed(T value) {  // x86-64 is little-endian
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }

  std::string bytes_;
};

// Field numbers of event.proto, summary.proto, tensor.proto and
// tensor_shape.proto.
constexpr int kEventWallTime = 1;
constexpr int kEventStep = 2;
constexpr int kEventFileVersion = 3;
constexpr int kEventSummary = 5;
constexpr int kEventSessionLog = 7;
constexpr int kSessionLogStatus = 1;
constexpr int kSessionLogStart = 1;  // a value of the status
constexpr int kSummaryValue = 1;
constexpr int kValueTag = 1;
constexpr int kValueSimple = 2;
constexpr int kValueTensor = 8;
constexpr int kValueMetadata = 9;
constexpr int kMetadataPlugin = 1;
constexpr int kPluginName = 1;
constexpr int kTensorDtype = 1;
constexpr int kDtypeString = 7;  // a value of the dtype
constexpr int kTensorShape = 2;
constexpr int kTensorString = 8;
constexpr int kShapeDim = 2;
constexpr int kDimSize = 1;

Message EventAt(double wall_time, int64_t step) {
  return Message()
      .Double(kEventWallTime, wall_time)
      .Varint(kEventStep, static_cast<uint64_t>(step));
}

std::string Fixed(uint64_t value, int bytes) {
  return std::string(reinterpret_cast<const char*>(&value), bytes);
}

std::string MaskedCrc(absl::string_view data) {
  const uint32_t crc = Crc32c(data);
  return Fixed(static_cast<uint32_t>((crc >> 15 | crc << 17) + 0xa282ead8u), 4);
}

}  // namespace

std::string TfRecord(absl::string_view data) {
  const std::string length = Fixed(data.size(), 8);
  std::string record = length + MaskedCrc(length);
  record.append(data.data(), data.size());
  return record + MaskedCrc(data);
}

std::string VersionEvent(double wall_time) {
  return Message()
      .Double(kEventWallTime, wall_time)
      .Bytes(kEventFileVersion, "brain.Event:2")
      .bytes();
}

std::string RestartEvent(double wall_time, int64_t step) {
  return EventAt(wall_time, step)
      .Nested(kEventSessionLog,
              Message().Varint(kSessionLogStatus, kSessionLogStart))
      .bytes();
}

std::string ScalarsEvent(
    double wall_time, int64_t step,
    const std::vector<std::pair<std::string, float>>& values) {
  Message summary;
  for (const auto& [tag, value] : values) {
    summary.Nested(kSummaryValue,
                   Message().Bytes(kValueTag, tag).Float(kValueSimple, value));
  }
  return EventAt(wall_time, step).Nested(kEventSummary, summary).bytes();
}

std::string TextEvent(double wall_time, int64_t step, absl::string_view tag,
                      absl::string_view text) {
  const Message shape =
      Message().Nested(kShapeDim, Message().Varint(kDimSize, 1));
  const Message tensor = Message()
                             .Varint(kTensorDtype, kDtypeString)
                             .Nested(kTensorShape, shape)
                             .Bytes(kTensorString, text);
  const Message metadata =
      Message().Nested(kMetadataPlugin, Message().Bytes(kPluginName, "text"));
  const Message value = Message()
                            .Bytes(kValueTag, tag)
                            .Nested(kValueTensor, tensor)
                            .Nested(kValueMetadata, metadata);
  return EventAt(wall_time, step)
      .Nested(kEventSummary, Message().Nested(kSummaryValue, value))
      .bytes();
}

}  // namespace charrnn
