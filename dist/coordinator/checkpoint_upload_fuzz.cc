// Chunks of unknown origin. What is put together of them has only names of a
// checkpoint's files, is no longer than the limit and holds just the data of
// the chunks in their order; sent on, it comes out as the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "dist/coordinator/checkpoint_upload.h"
#include "model/manifest.h"

namespace charrnn {
namespace {

constexpr int64_t kTotalBytes = 100;

const char* const kNames[] = {"model.safetensors", "optimizer.safetensors",
                              "streams.safetensors", "trainer.json",
                              "MANIFEST.json"};

// Reads fields off the front of the input, which has zeros behind its end.
class Input {
 public:
  explicit Input(absl::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }

  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }

  // Of `num_bytes`, at most 8, the first one highest.
  uint64_t Number(int num_bytes) {
    uint64_t number = 0;
    for (int i = 0; i < num_bytes; ++i) number = number << 8 | Byte();
    return number;
  }

  std::string Text(size_t size) {
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(text.size());
    return text;
  }

 private:
  absl::string_view bytes_;
};

// A chunk is a byte that tells its file and how the rest is to be read: sizes
// as a byte or 64 bits, the checksum as it should be or from the input.
CheckpointChunk ReadChunk(Input& input) {
  constexpr uint8_t kOtherName = 0x20;
  constexpr uint8_t kLongNumbers = 0x40;
  constexpr uint8_t kOtherChecksum = 0x80;
  const uint8_t form = input.Byte();
  CheckpointChunk chunk;
  chunk.file = (form & kOtherName) != 0 ? input.Text(input.Byte())
                                        : kNames[(form & 0x1f) % 5];
  const int width = (form & kLongNumbers) != 0 ? 8 : 1;
  chunk.file_size = static_cast<int64_t>(input.Number(width));
  chunk.offset = static_cast<int64_t>(input.Number(width));
  chunk.data = input.Text(input.Byte());
  chunk.crc32c = (form & kOtherChecksum) != 0
                     ? static_cast<uint32_t>(input.Number(4))
                     : Crc32c(chunk.data);
  return chunk;
}

bool IsExpected(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsDataLoss(status) ||
         absl::IsResourceExhausted(status);
}

// Checks what was put together of `data`, by name.
void CheckFiles(const std::vector<CheckpointFile>& files,
                const std::map<std::string, std::string>& data) {
  int64_t total_bytes = 0;
  std::set<std::string> names;
  for (const CheckpointFile& file : files) {
    CHARRNN_CHECK(std::find(std::begin(kNames), std::end(kNames), file.name) !=
                  std::end(kNames))
        << file.name;
    CHARRNN_CHECK(names.insert(file.name).second) << file.name;
    CHARRNN_CHECK(file.bytes == data.at(file.name)) << file.name;
    total_bytes += static_cast<int64_t>(file.bytes.size());
  }
  CHARRNN_CHECK(names.size() == data.size());
  CHARRNN_CHECK(names.count(kManifestFileName) == 1);
  CHARRNN_CHECK(total_bytes <= kTotalBytes) << total_bytes;
}

void CheckSentOn(const std::vector<CheckpointFile>& files) {
  CheckpointAssembler assembler;
  ChunkReader reader(files);
  while (const std::optional<CheckpointChunk> chunk = reader.Next()) {
    const absl::Status added = assembler.Add(*chunk);
    CHARRNN_CHECK(added.ok()) << added;
  }
  const auto again = std::move(assembler).Finish();
  CHARRNN_CHECK(again.ok()) << again.status();
  CHARRNN_CHECK(
      std::equal(files.begin(), files.end(), again->begin(), again->end(),
                 [](const CheckpointFile& a, const CheckpointFile& b) {
                   return a.name == b.name && a.bytes == b.bytes;
                 }));
}

void Run(absl::string_view bytes) {
  Input input(bytes);
  CheckpointAssembler::Limits limits;
  limits.total_bytes = kTotalBytes;
  CheckpointAssembler assembler(limits);
  std::map<std::string, std::string> data;
  bool ok = true;
  while (!input.empty()) {
    const CheckpointChunk chunk = ReadChunk(input);
    const absl::Status added = assembler.Add(chunk);
    CHARRNN_CHECK(added.ok() || IsExpected(added)) << added;
    ok = ok && added.ok();
    // A line that can be shown.
    const absl::string_view message = added.message();
    CHARRNN_CHECK(std::all_of(message.begin(), message.end(), [](char c) {
      return c >= ' ' && c <= '~';
    })) << message;
    if (!added.ok()) continue;
    CHARRNN_CHECK(chunk.crc32c == Crc32c(chunk.data));
    CHARRNN_CHECK(chunk.offset ==
                  static_cast<int64_t>(data[chunk.file].size()));
    data[chunk.file] += chunk.data;
    CHARRNN_CHECK(chunk.file_size >=
                  static_cast<int64_t>(data[chunk.file].size()));
  }
  const auto files = std::move(assembler).Finish();
  CHARRNN_CHECK(ok || !files.ok());
  if (!files.ok()) {
    CHARRNN_CHECK(IsExpected(files.status())) << files.status();
    return;
  }
  CheckFiles(*files, data);
  CheckSentOn(*files);
}

}  // namespace
}  // namespace charrnn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  charrnn::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
