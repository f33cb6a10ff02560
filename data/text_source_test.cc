#include "data/text_source.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TextSourceTest : public testing::Test {
 protected:
  // The paths of new files of these contents.
  std::vector<std::string> FilesOf(const std::vector<std::string>& contents) {
    std::vector<std::string> paths;
    for (const std::string& text : contents) {
      paths.push_back(directory_.File(absl::StrCat(num_files_++, ".txt")));
      EXPECT_THAT(WriteFileAtomically(files_, paths.back(), text), IsOk());
    }
    return paths;
  }

  // All blocks of `source`, each checked to stand where it says.
  static std::vector<std::string> Blocks(TextSource& source) {
    std::vector<std::string> blocks;
    TextBlock block;
    int64_t offset = 0;
    while (true) {
      const absl::StatusOr<bool> more = source.Next(&block);
      EXPECT_THAT(more, IsOk());
      if (!more.ok() || !*more) return blocks;
      EXPECT_EQ(block.offset, offset);
      offset += static_cast<int64_t>(block.size);
      blocks.emplace_back(block.text());
    }
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
  int num_files_ = 0;
};

TEST_F(TextSourceTest, FilesFollowOneAnotherWithoutAnythingBetween) {
  TextSource source(&files_, FilesOf({"abc", "", "defgh", "i"}),
                    Encoding::kUtf8, 4);
  EXPECT_THAT(Blocks(source), ElementsAre("abcd", "efgh", "i"));
}

TEST_F(TextSourceTest, NoTextHasNoBlocks) {
  TextSource none(&files_, {}, Encoding::kUtf8, 4);
  EXPECT_THAT(Blocks(none), IsEmpty());
  TextSource empty(&files_, FilesOf({"", ""}), Encoding::kUtf8, 4);
  EXPECT_THAT(Blocks(empty), IsEmpty());
}

TEST_F(TextSourceTest, NoCharacterIsCutWhereverFilesAndBlocksEnd) {
  const std::string text =
      "a\u00E9\u4E2D\U0001F600e\u0301\u0416\U0001F469\u200D\U0001F680\n";
  for (size_t block_bytes = 4; block_bytes < 12; ++block_bytes) {
    for (size_t file_bytes = 1; file_bytes < text.size(); ++file_bytes) {
      std::vector<std::string> parts;
      for (size_t i = 0; i < text.size(); i += file_bytes) {
        parts.push_back(text.substr(i, file_bytes));
      }
      TextSource source(&files_, FilesOf(parts), Encoding::kUtf8, block_bytes);
      std::string joined;
      for (const std::string& block : Blocks(source)) {
        EXPECT_LE(block.size(), block_bytes);
        EXPECT_EQ(WellFormedUtf8Prefix(block), block.size());
        joined += block;
      }
      EXPECT_EQ(joined, text);
    }
  }
}

TEST_F(TextSourceTest, WhatIsNotUtf8IsHandedOutAsItIs) {
  const std::string text =
      "ab\xFF\xE4\xB8"
      "c\x80\x80\x80\x80\x80\xF0\x9F";
  TextSource source(&files_, FilesOf({text}), Encoding::kUtf8, 4);
  std::string joined;
  for (const std::string& block : Blocks(source)) joined += block;
  EXPECT_EQ(joined, text);
}

TEST_F(TextSourceTest, BytesAreCutAnywhere) {
  TextSource source(&files_, FilesOf({"abc\u00E9"}), Encoding::kBytes, 4);
  EXPECT_THAT(Blocks(source), ElementsAre("abc\xC3", "\xA9"));
}

TEST_F(TextSourceTest, SizesAndChecksumsAreThoseOfTheFiles) {
  const std::vector<std::string> paths = FilesOf({"abc\u00E9", "", "defgh"});
  TextSource source(&files_, paths, Encoding::kUtf8, 4);
  Blocks(source);
  ASSERT_EQ(source.finished().size(), 3);
  EXPECT_EQ(source.finished()[0].name, paths[0]);
  EXPECT_EQ(source.finished()[0].bytes, 5);
  EXPECT_EQ(source.finished()[0].crc32c, Crc32c("abc\u00E9"));
  EXPECT_EQ(source.finished()[1].bytes, 0);
  EXPECT_EQ(source.finished()[2].crc32c, Crc32c("defgh"));
  EXPECT_THAT(TotalSize(files_, paths), IsOkAndHolds(10));
}

TEST_F(TextSourceTest, ABytesPlaceIsItsFileAndOffsetThere) {
  const std::vector<std::string> paths = FilesOf({"abc", "", "defgh"});
  TextSource source(&files_, paths, Encoding::kUtf8, 4);
  Blocks(source);
  for (const auto& [offset, file, in_file] :
       {std::tuple(0, 0, 0), {2, 0, 2}, {3, 2, 0}, {7, 2, 4}}) {
    const TextSource::Place place = source.Find(offset);
    EXPECT_EQ(place.path, paths[file]) << offset;
    EXPECT_EQ(place.offset, in_file) << offset;
  }
}

TEST_F(TextSourceTest, AFileThatCannotBeReadIsNamed) {
  std::vector<std::string> paths = FilesOf({"abc"});
  paths.push_back(directory_.File("absent"));
  EXPECT_THAT(TotalSize(files_, paths),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
  TextSource source(&files_, paths, Encoding::kUtf8, 8);
  TextBlock block;
  EXPECT_THAT(source.Next(&block),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
}

}  // namespace
}  // namespace charrnn
