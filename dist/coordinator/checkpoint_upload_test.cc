#include "dist/coordinator/checkpoint_upload.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/manifest.h"
#include "model/parameter_layout.h"
#include "testing/allocations.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr auto kResourceExhausted = absl::StatusCode::kResourceExhausted;
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

std::string RandomBytes(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes(size, 0);
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::vector<CheckpointChunk> ReadAll(const std::vector<CheckpointFile>& files) {
  ChunkReader reader(files);
  std::vector<CheckpointChunk> chunks;
  while (std::optional<CheckpointChunk> chunk = reader.Next()) {
    chunks.push_back(*std::move(chunk));
  }
  EXPECT_EQ(reader.Next(), std::nullopt);
  return chunks;
}

CheckpointChunk Chunk(const std::string& file, int64_t file_size,
                      int64_t offset, const std::string& data) {
  return {file, file_size, offset, data, Crc32c(data)};
}

absl::StatusOr<std::vector<CheckpointFile>> Assemble(
    const std::vector<CheckpointChunk>& chunks,
    const CheckpointAssembler::Limits& limits = CheckpointAssembler::Limits()) {
  CheckpointAssembler assembler(limits);
  for (const CheckpointChunk& chunk : chunks) {
    if (absl::Status added = assembler.Add(chunk); !added.ok()) {
      return added;
    }
  }
  return std::move(assembler).Finish();
}

// A line for a person that begins with `where`.
auto IsError(absl::StatusCode code, const std::string& where) {
  return StatusIs(
      code, AllOf(StartsWith(where), Not(HasSubstr("\n")), SizeIs(Le(300))));
}

std::vector<std::pair<std::string, std::string>> Pairs(
    const std::vector<CheckpointFile>& files) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const CheckpointFile& file : files) {
    pairs.emplace_back(file.name, file.bytes);
  }
  return pairs;
}

// The model in two chunks, each other file in one.
std::vector<CheckpointChunk> GoodChunks() {
  return {Chunk("model.safetensors", 6, 0, "abc"),
          Chunk("model.safetensors", 6, 3, "def"),
          Chunk("trainer.json", 2, 0, "{}"), Chunk("MANIFEST.json", 1, 0, "m")};
}

TEST(ChunkReaderTest, CutsFilesIntoChunksInOrder) {
  const std::string bytes = RandomBytes(2 * kMaxChunkBytes + 5, 1);
  const std::vector<CheckpointChunk> chunks =
      ReadAll({{"a", bytes}, {"b", ""}, {"c", "xyz"}});
  ASSERT_THAT(chunks, SizeIs(5));
  const size_t sizes[] = {kMaxChunkBytes, kMaxChunkBytes, 5, 0, 3};
  const int64_t offsets[] = {0, 1 << 20, 2 << 20, 0, 0};
  const char* const names[] = {"a", "a", "a", "b", "c"};
  const int64_t file_sizes[] = {(2 << 20) + 5, (2 << 20) + 5, (2 << 20) + 5, 0,
                                3};
  for (size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_EQ(chunks[i].file, names[i]);
    EXPECT_EQ(chunks[i].file_size, file_sizes[i]);
    EXPECT_EQ(chunks[i].offset, offsets[i]);
    EXPECT_EQ(chunks[i].data.size(), sizes[i]);
    EXPECT_EQ(chunks[i].crc32c, Crc32c(chunks[i].data));
  }
  EXPECT_EQ(chunks[0].data + chunks[1].data + chunks[2].data, bytes);
  EXPECT_EQ(chunks[4].data, "xyz");
}

TEST(ChunkReaderTest, AFileOfWholeChunksHasNoEmptyOneAtItsEnd) {
  EXPECT_THAT(ReadAll({{"a", std::string(kMaxChunkBytes, 'x')}}), SizeIs(1));
  EXPECT_THAT(ReadAll({{"a", std::string(2 * kMaxChunkBytes, 'x')}}),
              SizeIs(2));
}

TEST(ChunkReaderTest, NoFilesAreNoChunks) {
  EXPECT_THAT(ReadAll({}), IsEmpty());
}

TEST(CheckpointUploadTest, FilesOfAnySizeArriveAsTheyWere) {
  const size_t chunk = kMaxChunkBytes;
  for (const size_t size : {size_t{0}, size_t{1}, chunk - 1, chunk, chunk + 1,
                            2 * chunk, 5 * chunk + 17}) {
    const std::vector<CheckpointFile> files = {
        {"streams.safetensors", RandomBytes(size, 1)},
        {"model.safetensors", RandomBytes(size / 2, 2)},
        {"trainer.json", ""},
        {"MANIFEST.json", "{}\n"},
        {"optimizer.safetensors", RandomBytes(size, 3)}};
    const auto assembled = Assemble(ReadAll(files));
    ASSERT_THAT(assembled, IsOk());
    EXPECT_TRUE(Pairs(*assembled) == Pairs(files)) << size;
  }
}

TEST(CheckpointUploadTest, ACheckpointArrivesAsItWas) {
  ModelConfig config;
  config.vocab_size = 3;
  config.embedding_dim = 2;
  config.hidden_dim = 3;
  const std::vector<float> values(ParameterLayout(config).flat_size(), 0.25f);
  Checkpoint checkpoint = {
      {config, {64, 0.25}, *Vocab::FromText("abc", Encoding::kUtf8), values},
      values,
      values,
      {}};
  checkpoint.progress.step = 7;
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<CheckpointFile> files,
                               EncodeCheckpoint(checkpoint));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<CheckpointFile> copies,
                               Assemble(ReadAll(files)));
  std::map<std::string, std::string> by_name;
  for (const CheckpointFile& copy : copies) by_name[copy.name] = copy.bytes;
  const auto decoded = DecodeCheckpoint(
      [&](const std::string& name) -> absl::StatusOr<std::string> {
        return by_name.at(name);
      });
  ASSERT_THAT(decoded, IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<CheckpointFile> again,
                               EncodeCheckpoint(*decoded));
  EXPECT_EQ(Pairs(again), Pairs(files));
}

TEST(CheckpointAssemblerTest, ChunksMayBeShort) {
  std::vector<CheckpointChunk> chunks = GoodChunks();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto files, Assemble(chunks));
  EXPECT_THAT(Pairs(files),
              ElementsAre(std::make_pair("model.safetensors", "abcdef"),
                          std::make_pair("trainer.json", "{}"),
                          std::make_pair("MANIFEST.json", "m")));
}

TEST(CheckpointAssemblerTest, OnlyFilesOfACheckpointMayCome) {
  for (const std::string& name :
       {std::string(), std::string("model"), std::string("../trainer.json"),
        std::string("/etc/passwd"), std::string("a/model.safetensors"),
        std::string("Trainer.json"), std::string("trainer.json/"),
        std::string("trainer.json\0", 13), std::string("config.json"),
        std::string(1000, '\n'), std::string("..")}) {
    EXPECT_THAT(Assemble({Chunk(name, 1, 0, "a")}),
                AllOf(IsError(kInvalidArgument, ""),
                      StatusIs(kInvalidArgument, HasSubstr(" at 0: "))))
        << name;
  }
}

TEST(CheckpointAssemblerTest, AFileKeepsItsSize) {
  for (const int64_t size : {int64_t{5}, int64_t{7}, kMax}) {
    std::vector<CheckpointChunk> chunks = GoodChunks();
    chunks[1].file_size = size;
    EXPECT_THAT(Assemble(chunks),
                IsError(kInvalidArgument, "model.safetensors at 3: "))
        << size;
  }
}

TEST(CheckpointAssemblerTest, OffsetsFollowOneAnother) {
  for (const int64_t offset : {0, 1, 2, 4, 5, 6}) {
    std::vector<CheckpointChunk> chunks = GoodChunks();
    chunks[1].offset = offset;
    EXPECT_THAT(Assemble(chunks),
                IsError(kInvalidArgument,
                        absl::StrCat("model.safetensors at ", offset, ": ")));
  }
  EXPECT_THAT(Assemble({Chunk("trainer.json", 6, 3, "def")}),
              IsError(kInvalidArgument, "trainer.json at 3: "));
}

TEST(CheckpointAssemblerTest, NumbersThatMakeNoSenseAreRefused) {
  for (const int64_t size :
       {kMin, kMin + 1, int64_t{-1}, int64_t{0}, int64_t{1}, kMax - 1, kMax}) {
    for (const int64_t offset :
         {kMin, kMin + 1, int64_t{-1}, int64_t{1}, kMax - 1, kMax}) {
      const std::string at = absl::StrCat("trainer.json at ", offset, ": ");
      EXPECT_THAT(Assemble({Chunk("trainer.json", size, offset, "ab")}),
                  IsError(kInvalidArgument, at))
          << size;
      // In the midst of a file.
      EXPECT_THAT(Assemble({Chunk("trainer.json", 10, 0, "ab"),
                            Chunk("trainer.json", size, offset, "ab")}),
                  IsError(kInvalidArgument, at))
          << size;
    }
  }
}

TEST(CheckpointAssemblerTest, DataDoesNotGoBeyondItsFile) {
  EXPECT_THAT(Assemble({Chunk("trainer.json", 2, 0, "abc")}),
              IsError(kInvalidArgument, "trainer.json at 0: "));
  std::vector<CheckpointChunk> chunks = GoodChunks();
  chunks[1] = Chunk("model.safetensors", 6, 3, "defg");
  EXPECT_THAT(Assemble(chunks),
              IsError(kInvalidArgument, "model.safetensors at 3: "));
}

TEST(CheckpointAssemblerTest, AChunkIsNoLongerThanItMayBe) {
  const std::string data(kMaxChunkBytes + 1, 'x');
  const auto size = static_cast<int64_t>(data.size());
  EXPECT_THAT(Assemble({Chunk("trainer.json", size, 0, data)}),
              IsError(kInvalidArgument, "trainer.json at 0: "));
  EXPECT_THAT(Assemble({Chunk("MANIFEST.json", size - 1, 0, data.substr(1))}),
              IsOk());
}

TEST(CheckpointAssemblerTest, OnlyAnEmptyFilesChunkIsEmpty) {
  CheckpointAssembler assembler;
  EXPECT_THAT(assembler.Add(Chunk("trainer.json", 1, 0, "")),
              IsError(kInvalidArgument, "trainer.json at 0: "));
  EXPECT_THAT(
      Assemble(
          {Chunk("trainer.json", 2, 0, "a"), Chunk("trainer.json", 2, 1, ""),
           Chunk("trainer.json", 2, 1, "b"), Chunk("MANIFEST.json", 0, 0, "")}),
      IsError(kInvalidArgument, "trainer.json at 1: "));
  EXPECT_THAT(Assemble({Chunk("trainer.json", 0, 0, ""),
                        Chunk("MANIFEST.json", 0, 0, "")}),
              IsOk());
  CheckpointChunk chunk = Chunk("MANIFEST.json", 0, 0, "");
  chunk.crc32c = 1;
  EXPECT_THAT(Assemble({chunk}),
              IsError(absl::StatusCode::kDataLoss, "MANIFEST.json at 0: "));
}

TEST(CheckpointAssemblerTest, FilesComeOneAfterAnother) {
  std::vector<CheckpointChunk> chunks = GoodChunks();
  std::swap(chunks[1], chunks[2]);
  EXPECT_THAT(Assemble(chunks), IsError(kInvalidArgument, "trainer.json at 0"));
  // Not even where one would go on as the other.
  chunks = GoodChunks();
  chunks[1].file = "optimizer.safetensors";
  EXPECT_THAT(Assemble(chunks),
              IsError(kInvalidArgument, "optimizer.safetensors at 3"));
  // Nor does an empty one come between.
  chunks = GoodChunks();
  chunks.insert(chunks.begin() + 1, Chunk("streams.safetensors", 0, 0, ""));
  EXPECT_THAT(Assemble(chunks),
              IsError(kInvalidArgument, "streams.safetensors at 0"));
}

TEST(CheckpointAssemblerTest, NoFileComesTwice) {
  for (const CheckpointChunk& again :
       {Chunk("model.safetensors", 6, 0, "abc"),
        Chunk("model.safetensors", 6, 3, "def"),
        Chunk("trainer.json", 2, 0, "{}"), Chunk("trainer.json", 0, 0, ""),
        Chunk("MANIFEST.json", 1, 0, "m")}) {
    std::vector<CheckpointChunk> chunks = GoodChunks();
    chunks.push_back(again);
    EXPECT_THAT(Assemble(chunks),
                IsError(kInvalidArgument,
                        absl::StrCat(again.file, " at ", again.offset, ": ")));
  }
  EXPECT_THAT(Assemble({Chunk("MANIFEST.json", 0, 0, ""),
                        Chunk("MANIFEST.json", 0, 0, "")}),
              IsError(kInvalidArgument, "MANIFEST.json at 0: "));
}

TEST(CheckpointAssemblerTest, EveryFlippedBitOfDataIsNoticed) {
  std::vector<CheckpointChunk> chunks =
      ReadAll({{"model.safetensors", RandomBytes(300, 1)},
               {"MANIFEST.json", RandomBytes(20, 2)}});
  for (CheckpointChunk& chunk : chunks) {
    for (char& byte : chunk.data) {
      for (int bit = 0; bit < 8; ++bit) {
        byte = static_cast<char>(byte ^ 1 << bit);
        EXPECT_THAT(Assemble(chunks),
                    IsError(absl::StatusCode::kDataLoss,
                            absl::StrCat(chunk.file, " at 0: ")));
        byte = static_cast<char>(byte ^ 1 << bit);
      }
    }
    for (int bit = 0; bit < 32; ++bit) {
      chunk.crc32c ^= uint32_t{1} << bit;
      EXPECT_THAT(Assemble(chunks), StatusIs(absl::StatusCode::kDataLoss));
      chunk.crc32c ^= uint32_t{1} << bit;
    }
  }
  EXPECT_THAT(Assemble(chunks), IsOk());
}

TEST(CheckpointAssemblerTest, EveryChunkThatIsMissingIsNoticed) {
  for (size_t i = 0; i < GoodChunks().size(); ++i) {
    if (GoodChunks()[i].file == "trainer.json") continue;
    std::vector<CheckpointChunk> chunks = GoodChunks();
    chunks.erase(chunks.begin() + static_cast<int64_t>(i));
    EXPECT_THAT(Assemble(chunks), StatusIs(kInvalidArgument)) << i;
  }
}

TEST(CheckpointAssemblerTest, AllBytesTogetherAreLimited) {
  CheckpointAssembler::Limits limits;
  limits.total_bytes = 9;
  EXPECT_THAT(Assemble(GoodChunks(), limits), IsOk());
  for (int64_t bytes = 0; bytes < 9; ++bytes) {
    limits.total_bytes = bytes;
    EXPECT_THAT(
        Assemble(GoodChunks(), limits),
        IsError(kResourceExhausted, bytes < 6   ? "model.safetensors at 0: "
                                    : bytes < 8 ? "trainer.json at 0: "
                                                : "MANIFEST.json at 0: "));
  }
  limits.total_bytes = kMax;
  EXPECT_THAT(Assemble({Chunk("trainer.json", 2, 0, "ab"),
                        Chunk("MANIFEST.json", kMax, 0, "a")},
                       limits),
              IsError(kResourceExhausted, "MANIFEST.json at 0: "));
}

TEST(CheckpointAssemblerTest, TheLimitIsFourGibibytesUnlessToldOtherwise) {
  CheckpointAssembler just;
  EXPECT_THAT(just.Add(Chunk("trainer.json", int64_t{4} << 30, 0, "a")),
              IsOk());
  CheckpointAssembler over;
  EXPECT_THAT(over.Add(Chunk("trainer.json", (int64_t{4} << 30) + 1, 0, "a")),
              IsError(kResourceExhausted, "trainer.json at 0: "));
}

TEST(CheckpointAssemblerTest, TakesMemoryForWhatHasComeAlone) {
  const int64_t size = int64_t{4} << 30;
  CheckpointAssembler assembler;
  const CheckpointChunk first = Chunk("trainer.json", size, 0, "a");
  ForgetLargestAllocation();
  ASSERT_THAT(assembler.Add(first), IsOk());
  EXPECT_LT(LargestAllocation(), 1000);
  std::string data(kMaxChunkBytes, 'x');
  int64_t offset = 1;
  for (int i = 0; i < 9; ++i) {
    ASSERT_THAT(assembler.Add(Chunk("trainer.json", size, offset, data)),
                IsOk());
    offset += static_cast<int64_t>(data.size());
  }
  EXPECT_LE(LargestAllocation(), 2 * offset + 1);
}

TEST(CheckpointAssemblerTest, TakesNoMoreMemoryThanTheFileNeeds) {
  const std::vector<CheckpointChunk> chunks =
      ReadAll({{"MANIFEST.json", RandomBytes(5 * kMaxChunkBytes + 1, 1)}});
  ForgetLargestAllocation();
  EXPECT_THAT(Assemble(chunks), IsOk());
  EXPECT_LE(LargestAllocation(), 5 * kMaxChunkBytes + 2);
}

TEST(CheckpointAssemblerTest, FinishWantsWholeFiles) {
  EXPECT_THAT(Assemble({Chunk("MANIFEST.json", 1, 0, "m"),
                        Chunk("trainer.json", 5, 0, "abc")}),
              IsError(kInvalidArgument, "trainer.json at 3: "));
}

TEST(CheckpointAssemblerTest, FinishWantsAManifest) {
  EXPECT_THAT(Assemble({}), IsError(kInvalidArgument, "MANIFEST.json at 0: "));
  EXPECT_THAT(Assemble({Chunk("trainer.json", 2, 0, "{}")}),
              IsError(kInvalidArgument, "MANIFEST.json at 0: "));
}

TEST(CheckpointAssemblerTest, AnErrorStays) {
  CheckpointAssembler assembler;
  CheckpointChunk damaged = Chunk("MANIFEST.json", 1, 0, "m");
  damaged.data = "n";
  const absl::Status error = assembler.Add(damaged);
  EXPECT_THAT(error, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(assembler.Add(Chunk("MANIFEST.json", 1, 0, "m")), error);
  EXPECT_EQ(std::move(assembler).Finish().status(), error);

  CheckpointAssembler whole;
  for (const CheckpointChunk& chunk : GoodChunks()) {
    ASSERT_THAT(whole.Add(chunk), IsOk());
  }
  const absl::Status late = whole.Add(Chunk("config.json", 0, 0, ""));
  EXPECT_THAT(late, StatusIs(kInvalidArgument));
  EXPECT_EQ(std::move(whole).Finish().status(), late);
}

}  // namespace
}  // namespace charrnn
