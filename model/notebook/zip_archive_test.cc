#include "model/notebook/zip_archive.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
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

// `value` as `size` bytes, the lowest first.
std::string Number(uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i, value >>= 8) {
    bytes.push_back(static_cast<char>(value & 0xff));
  }
  return bytes;
}

// The parts of an archive of one stored member "m" of bytes "data", so that a
// test can write any of them wrongly.
struct Parts {
  uint16_t flags = 0;
  uint16_t local_flags = 0;
  uint16_t method = 0;
  uint64_t crc = 0xadf3f363;
  uint64_t local_crc = 0xadf3f363;
  uint64_t stored_size = 4;
  uint64_t size = 4;
  uint64_t local_size = 4;
  uint64_t offset = 0;
  std::string name = "m";
  std::string local_name = "m";
  std::string extra;
  std::string local_extra;
  std::string data = "data";
  std::string gap;  // between the data and the directory
  uint64_t count = 1;
  uint64_t directory_disk = 0;
  uint64_t comment_size = 0;
  // By how much the end record is wrong about the directory.
  int64_t directory_offset_error = 0;
  int64_t directory_size_error = 0;
  // What stands between the directory and the end record, made from the
  // directory's offset and size.
  std::function<std::string(uint64_t, uint64_t)> before_end;
};

std::string Shared(uint64_t flags, const Parts& parts, uint64_t crc,
                   uint64_t stored_size, uint64_t size, const std::string& name,
                   const std::string& extra) {
  return absl::StrCat(Number(20, 2), Number(flags, 2), Number(parts.method, 2),
                      Number(0, 4), Number(crc, 4), Number(stored_size, 4),
                      Number(size, 4), Number(name.size(), 2),
                      Number(extra.size(), 2));
}

std::string Archive(const Parts& parts) {
  std::string file = absl::StrCat(
      "PK\3\4",
      Shared(parts.local_flags, parts, parts.local_crc, parts.local_size,
             parts.local_size, parts.local_name, parts.local_extra),
      parts.local_name, parts.local_extra, parts.data, parts.gap);
  const uint64_t begin = file.size();
  absl::StrAppend(&file, "PK\1\2", Number(20, 2),
                  Shared(parts.flags, parts, parts.crc, parts.stored_size,
                         parts.size, parts.name, parts.extra),
                  Number(0, 10), Number(parts.offset, 4), parts.name,
                  parts.extra);
  const uint64_t size = file.size() - begin;
  if (parts.before_end) file += parts.before_end(begin, size);
  return absl::StrCat(file, "PK\5\6", Number(0, 2),
                      Number(parts.directory_disk, 2), Number(parts.count, 2),
                      Number(parts.count, 2),
                      Number(size + parts.directory_size_error, 4),
                      Number(begin + parts.directory_offset_error, 4),
                      Number(parts.comment_size, 2));
}

// The 64-bit end record, and the locator that leads to it.
std::string End64(uint64_t offset, uint64_t size, uint64_t count = 1,
                  uint64_t record_size = 44, uint64_t locator_error = 0) {
  return absl::StrCat("PK\6\6", Number(record_size, 8), Number(45, 4),
                      Number(0, 8), Number(count, 8), Number(count, 8),
                      Number(size, 8), Number(offset, 8), "PK\6\7",
                      Number(0, 4), Number(offset + size + locator_error, 8),
                      Number(1, 4));
}

// What Archive() makes of its default parts, changed by `change`.
absl::Status Read(const std::function<void(Parts&)>& change) {
  Parts parts;
  change(parts);
  return DecodeZip(Archive(parts)).status();
}

const std::vector<ZipMember>& SomeMembers() {
  static const auto& members = *new std::vector<ZipMember>{
      {"archive/data.pkl", absl::string_view("\x80\2}q\0.", 6)},
      {"archive/empty", ""},
      {"archive/data/0", "0123456789"},
      {"../\u00e9/\n", "harmless"}};
  return members;
}

TEST(ZipArchiveTest, WritesTheseBytes) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                               EncodeZip({{"m", "data"}}));
  const std::string shared = absl::StrCat(
      Number(20, 2), Number(0x800, 2), Number(0, 2), Number(0x210000, 4),
      Number(0xadf3f363, 4), Number(4, 4), Number(4, 4), Number(1, 2));
  const std::string local =
      absl::StrCat("PK\3\4", shared, Number(33, 2), "m", "FB", Number(29, 2),
                   std::string(29, 'Z'), "data");
  ASSERT_EQ(local.size(), 64 + 4);
  const std::string directory = absl::StrCat("PK\1\2", Number(20, 2), shared,
                                             Number(0, 12), Number(0, 4), "m");
  EXPECT_EQ(file,
            absl::StrCat(local, directory, "PK\5\6", Number(0, 4), Number(1, 2),
                         Number(1, 2), Number(directory.size(), 4),
                         Number(68, 4), Number(0, 2)));
}

TEST(ZipArchiveTest, GivesBackWhatWasWritten) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                               EncodeZip(SomeMembers()));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<ZipMember> read,
                               DecodeZip(file));
  ASSERT_EQ(read.size(), SomeMembers().size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].name, SomeMembers()[i].name);
    EXPECT_EQ(read[i].bytes, SomeMembers()[i].bytes);
    // A view into the file itself, where a reader may map it.
    EXPECT_EQ((read[i].bytes.data() - file.data()) % 64, 0) << i;
  }
}

TEST(ZipArchiveTest, AlignsTheDataBehindNamesOfAllLengths) {
  for (int length = 1; length < 130; ++length) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const std::string file,
        EncodeZip({{std::string(length, 'n'), "abc"}, {"m", "d"}}));
    CHARRNN_ASSERT_OK_AND_ASSIGN(const std::vector<ZipMember> read,
                                 DecodeZip(file));
    EXPECT_EQ((read[0].bytes.data() - file.data()) % 64, 0) << length;
    EXPECT_EQ((read[1].bytes.data() - file.data()) % 64, 0) << length;
  }
}

TEST(ZipArchiveTest, WritesAndReadsNothingAtAll) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file, EncodeZip({}));
  EXPECT_EQ(file.size(), 22);
  EXPECT_THAT(DecodeZip(file), IsOkAndHolds(IsEmpty()));
}

TEST(ZipArchiveTest, RefusesToWriteWhatIsWrong) {
  EXPECT_THAT(EncodeZip({{"a", "1"}, {"a", "2"}}), IsInvalid("'a' is taken"));
  EXPECT_THAT(EncodeZip({{"\xff", "1"}}), IsInvalid("'\\xff' is too long or"));
  EXPECT_THAT(EncodeZip({{std::string(65536, 'a'), "1"}}),
              IsInvalid("too long"));
  EXPECT_THAT(EncodeZip({{std::string(65535, 'a'), "1"}}), IsOk());
}

TEST(ZipArchiveTest, RefusesToWriteWhatWants64Bits) {
  // Nothing of these is read, only counted.
  const char byte = 'x';
  EXPECT_THAT(EncodeZip({{"a", absl::string_view(&byte, 0xffffffff)}}),
              IsInvalid("4 GiB"));
  EXPECT_THAT(EncodeZip({{"a", absl::string_view(&byte, 0xfffffff0)}}),
              IsInvalid("4 GiB"));
  EXPECT_THAT(EncodeZip({{"a", absl::string_view(&byte, 0x80000000)},
                         {"b", absl::string_view(&byte, 0x80000000)}}),
              IsInvalid("4 GiB"));
  EXPECT_THAT(EncodeZip({{"a", absl::string_view(&byte, PTRDIFF_MAX)},
                         {"b", absl::string_view(&byte, PTRDIFF_MAX)}}),
              IsInvalid("4 GiB"));
  std::vector<ZipMember> members(65535);
  for (size_t i = 0; i < members.size(); ++i) members[i].name = absl::StrCat(i);
  EXPECT_THAT(EncodeZip(members), IsInvalid("65535 members"));
  members.pop_back();
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file, EncodeZip(members));
  EXPECT_THAT(DecodeZip(file), IsOk());
}

TEST(ZipArchiveTest, RefusesEveryTruncationAndEveryExtension) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                               EncodeZip(SomeMembers()));
  for (size_t size = 0; size < file.size(); ++size) {
    // A copy of its own, so that a sanitizer sees a read behind its end.
    const std::vector<char> cut(file.begin(), file.begin() + size);
    EXPECT_THAT(DecodeZip({cut.data(), cut.size()}),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << size;
  }
  EXPECT_THAT(DecodeZip(file + "x"), IsInvalid("no end record"));
}

TEST(ZipArchiveTest, NoticesEveryFlippedByteThatMatters) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                               EncodeZip(SomeMembers()));
  int ignored = 0;
  for (size_t i = 0; i < file.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = file;
      flipped[i] = static_cast<char>(flipped[i] ^ 1 << bit);
      const absl::StatusOr<std::vector<ZipMember>> read = DecodeZip(flipped);
      if (!read.ok()) continue;
      // Padding, versions, times, attributes, and the length of the padding
      // before nothing: the members are what they were.
      ++ignored;
      ASSERT_EQ(read->size(), SomeMembers().size());
      for (size_t m = 0; m < read->size(); ++m) {
        ASSERT_EQ((*read)[m].name, SomeMembers()[m].name) << i;
        ASSERT_EQ((*read)[m].bytes, SomeMembers()[m].bytes) << i;
      }
    }
  }
  EXPECT_GT(ignored, 0);
}

TEST(ZipArchiveTest, ReadsTheOtherShapesOfAStoredMember) {
  EXPECT_THAT(Read([](Parts&) {}), IsOk());
  // As PyTorch writes: sizes behind the data, twice the end.
  EXPECT_THAT(Read([](Parts& p) {
                p.flags = p.local_flags = 0x808;
                p.local_crc = p.local_size = 0;
                p.gap = absl::StrCat("PK\7\10", Number(p.crc, 4), Number(4, 4),
                                     Number(4, 4));
                p.before_end = [](uint64_t offset, uint64_t size) {
                  return End64(offset, size);
                };
              }),
              IsOk());
  // In 64 bits where 32 would do.
  EXPECT_THAT(Read([](Parts& p) {
                p.size = p.stored_size = p.offset = p.local_size = 0xffffffff;
                p.extra = absl::StrCat("??", Number(1, 2), "?", Number(1, 2),
                                       Number(24, 2), Number(4, 8),
                                       Number(4, 8), Number(0, 8));
                p.local_extra = absl::StrCat(Number(1, 2), Number(16, 2),
                                             Number(4, 8), Number(4, 8));
              }),
              IsOk());
}

TEST(ZipArchiveTest, RefusesWhatTorchNeverWrites) {
  EXPECT_THAT(Read([](Parts& p) { p.method = 8; }),
              IsInvalid("member 'm' is compressed, which torch.save never"));
  for (const uint16_t bit : {0, 6, 13}) {
    EXPECT_THAT(Read([&](Parts& p) { p.flags = p.local_flags = 1 << bit; }),
                IsInvalid("member 'm' is encrypted"));
  }
  EXPECT_THAT(Read([](Parts& p) { p.flags = p.local_flags = 1 << 5; }),
              IsInvalid("unknown flags"));
  EXPECT_THAT(Read([](Parts& p) { p.comment_size = 1; }), IsInvalid("comment"));
  EXPECT_THAT(Read([](Parts& p) { p.directory_disk = 1; }),
              IsInvalid("one part of several"));
  EXPECT_THAT(Read([](Parts& p) { p.name = p.local_name = "\xc0\x80"; }),
              IsInvalid("'\\xc0\\x80' is not UTF-8"));
}

TEST(ZipArchiveTest, RefusesHeadersThatDisagree) {
  const auto disagrees = IsInvalid("disagrees with the directory");
  EXPECT_THAT(Read([](Parts& p) { p.local_name = "n"; }), disagrees);
  EXPECT_THAT(Read([](Parts& p) { p.local_flags = 2; }), disagrees);
  EXPECT_THAT(Read([](Parts& p) { p.local_crc = 1; }), disagrees);
  EXPECT_THAT(Read([](Parts& p) { p.local_size = 3; }), disagrees);
  // Zeros stand for "behind the data" only where the flag says so.
  EXPECT_THAT(Read([](Parts& p) { p.local_size = p.local_crc = 0; }),
              disagrees);
  EXPECT_THAT(Read([](Parts& p) { p.stored_size = 3; }),
              IsInvalid("two sizes"));
  EXPECT_THAT(Read([](Parts& p) { p.crc = p.local_crc = 1; }),
              IsInvalid("CRC-32"));
  EXPECT_THAT(Read([](Parts& p) { p.data = "dada"; }), IsInvalid("CRC-32"));
}

TEST(ZipArchiveTest, RefusesPlacesOutsideTheFile) {
  for (const uint64_t offset : {1000ull, 0xfffffffeull}) {
    EXPECT_THAT(Read([&](Parts& p) { p.offset = offset; }),
                IsInvalid("outside the file"));
  }
  EXPECT_THAT(Read([](Parts& p) { p.offset = 1; }),
              IsInvalid("no local header"));
  for (const uint64_t size : {5ull, 0x7fffffffull, 0xfffffffeull}) {
    EXPECT_THAT(
        Read([&](Parts& p) { p.size = p.stored_size = p.local_size = size; }),
        IsInvalid("outside the file"));
  }
  // Sums of these wrap round to small numbers.
  for (const uint64_t huge : {~uint64_t{0}, ~uint64_t{0} - 30}) {
    EXPECT_THAT(Read([&](Parts& p) {
                  p.size = p.stored_size = 0xffffffff;
                  p.extra = absl::StrCat(Number(1, 2), Number(16, 2),
                                         Number(huge, 8), Number(huge, 8));
                }),
                IsInvalid("outside the file"));
    EXPECT_THAT(Read([&](Parts& p) {
                  p.offset = 0xffffffff;
                  p.extra =
                      absl::StrCat(Number(1, 2), Number(8, 2), Number(huge, 8));
                }),
                IsInvalid("outside the file"));
  }
  EXPECT_THAT(Read([](Parts& p) { p.size = p.stored_size = 0xffffffff; }),
              IsInvalid("lacks its 64-bit sizes"));
}

TEST(ZipArchiveTest, RefusesADirectoryThatIsNotWhereItShouldBe) {
  for (const int64_t error : {-1, 1, 100, -1000}) {
    EXPECT_THAT(Read([&](Parts& p) { p.directory_offset_error = error; }),
                StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(Read([&](Parts& p) { p.directory_size_error = error; }),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(Read([](Parts& p) { p.count = 2; }), IsInvalid("fewer entries"));
  EXPECT_THAT(Read([](Parts& p) { p.count = 0; }), IsInvalid("more entries"));
  EXPECT_THAT(Read([](Parts& p) { p.count = 0xffff; }),
              IsInvalid("65535 members"));
  const auto with_end64 = [](uint64_t count, uint64_t record_size,
                             uint64_t locator_error) {
    return Read([=](Parts& p) {
      p.before_end = [=](uint64_t offset, uint64_t size) {
        return End64(offset, size, count, record_size, locator_error);
      };
    });
  };
  EXPECT_THAT(with_end64(1, 44, 0), IsOk());
  EXPECT_THAT(with_end64(2, 44, 0), IsInvalid("disagree"));
  EXPECT_THAT(with_end64(1, 45, 0), IsInvalid("has 45 bytes"));
  EXPECT_THAT(with_end64(1, 44, 1), IsInvalid("not where it is said to be"));
  EXPECT_THAT(with_end64(1, 44, uint64_t{1} << 63),
              IsInvalid("not where it is said to be"));
}

// An archive whose two entries are at these offsets.
std::string TwoMembers(uint64_t first, uint64_t second) {
  std::string file = *EncodeZip({{"a", "123"}, {"b", "123"}});
  const size_t a = file.find("PK\1\2");
  const size_t b = file.find("PK\1\2", a + 1);
  file.replace(a + 42, 4, Number(first, 4));
  file.replace(b + 42, 4, Number(second, 4));
  return file;
}

TEST(ZipArchiveTest, RefusesMembersThatOverlap) {
  EXPECT_THAT(DecodeZip(TwoMembers(0, 67)), IsOk());
  EXPECT_THAT(DecodeZip(TwoMembers(67, 0)), IsInvalid("disagrees"));
  // The second member's header is the content of the first.
  const std::string inner = *EncodeZip({{"b", "123"}});
  const std::string header = inner.substr(0, 67);
  std::string file = *EncodeZip({{"a", header}, {"b", "123"}});
  ASSERT_TRUE(absl::StartsWith(file.substr(64), "PK\3\4"));
  const size_t b = file.find("PK\1\2", file.find("PK\1\2") + 1);
  file.replace(b + 42, 4, Number(64, 4));
  EXPECT_THAT(DecodeZip(file), IsInvalid("overlap"));
}

TEST(ZipArchiveTest, RefusesEqualNames) {
  std::string file = *EncodeZip({{"a", "123"}, {"b", "123"}});
  for (size_t at = 0; (at = file.find('b', at)) != std::string::npos; ++at) {
    file[at] = 'a';
  }
  EXPECT_THAT(DecodeZip(file), IsInvalid("two members are named 'a'"));
}

}  // namespace
}  // namespace charrnn
