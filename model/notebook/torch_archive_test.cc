#include "model/notebook/torch_archive.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <list>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/notebook/pickle_value.h"
#include "model/notebook/zip_archive.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = PickleKind;

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

auto IsInvalid(absl::string_view why) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  HasSubstr(std::string(why)));
}

// A pickle of the number 7.
constexpr absl::string_view kSeven = "\x80\2K\7.";

// The archive of these members, whose names get `root` in front.
std::string Archive(const std::vector<ZipMember>& members,
                    absl::string_view root = "archive/") {
  std::vector<ZipMember> named = members;
  for (ZipMember& member : named) member.name = absl::StrCat(root, member.name);
  return *EncodeZip(named);
}

// Twelve numbers: 0, 1, ... 11.
absl::string_view Numbers() {
  static const auto& numbers =
      *new std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  return {reinterpret_cast<const char*>(numbers.data()), 4 * numbers.size()};
}

struct TensorParts {
  std::string type = "FloatStorage";
  std::string key = "0";
  int64_t capacity = 12;
  int64_t offset = 0;
  std::vector<int64_t> shape = {12};
  std::vector<int64_t> strides = {1};
};

// An archive, not encoded, whose root is a tensor of Numbers().
TorchArchive TensorArchive(const TensorParts& parts) {
  TorchArchive archive;
  Pickle& p = archive.pickle;
  const auto tuple = [&](const std::vector<int64_t>& values) {
    std::vector<PickleId> items;
    for (const int64_t value : values) items.push_back(p.Int(value));
    return p.Group(Kind::kTuple, items);
  };
  const PickleId storage =
      p.Group(Kind::kStorage, {p.StorageType(parts.type), p.String(parts.key),
                               p.String("cuda:0"), p.Int(parts.capacity)});
  p.root =
      p.Group(Kind::kTensor, {storage, p.Int(parts.offset), tuple(parts.shape),
                              tuple(parts.strides), p.Bool(false),
                              p.Group(Kind::kOrderedDict, {})});
  archive.storages["0"] = Numbers();
  return archive;
}

absl::StatusOr<TorchTensor> Find(const TensorParts& parts) {
  const TorchArchive archive = TensorArchive(parts);
  return FindTensor(archive, archive.pickle[archive.pickle.root]);
}

// The elements, row-major, of the tensor of Numbers() with these places.
std::vector<float> Elements(int64_t offset, const std::vector<int64_t>& shape,
                            const std::vector<int64_t>& strides,
                            size_t num_copies) {
  TensorParts parts;
  parts.offset = offset;
  parts.shape = shape;
  parts.strides = strides;
  const absl::StatusOr<TorchTensor> tensor = Find(parts);
  EXPECT_THAT(tensor, IsOk());
  if (!tensor.ok()) return {};
  std::list<std::string> copies;
  const absl::string_view bytes = RowMajorBytes(*tensor, copies);
  EXPECT_EQ(copies.size(), num_copies);
  EXPECT_EQ(bytes.size() % sizeof(float), 0);
  std::vector<float> elements(bytes.size() / sizeof(float));
  std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

TEST(TorchArchiveTest, WritesTheMembersThatTorchReads) {
  Pickle pickle;
  pickle.root = pickle.Int(7);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                               EncodeTorchArchive(pickle, {"abcd", ""}));
  EXPECT_EQ(file, Archive({{"data.pkl", kSeven},
                           {".format_version", "1"},
                           {".storage_alignment", "64"},
                           {"byteorder", "little"},
                           {"data/0", "abcd"},
                           {"data/1", ""},
                           {"version", "3\n"}}));
}

TEST(TorchArchiveTest, GivesBackWhatWasWritten) {
  const TorchArchive archive = TensorArchive({});
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::string file,
                               EncodeTorchArchive(archive.pickle, {Numbers()}));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const TorchArchive read,
                               DecodeTorchArchive(file));
  EXPECT_EQ(read.storages.size(), 1);
  EXPECT_EQ(read.storages.at("0"), Numbers());
  EXPECT_THAT(FindTensor(read, read.pickle[read.pickle.root]), IsOk());
}

TEST(TorchArchiveTest, ReadsArchivesOfOtherNamesAndOlderVersions) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const TorchArchive archive,
      DecodeTorchArchive(
          Archive({{"data.pkl", kSeven}, {"version", "3"}}, "best model.1/")));
  EXPECT_EQ(archive.pickle[archive.pickle.root].integer, 7);
  EXPECT_THAT(DecodeTorchArchive(Archive({{"data.pkl", kSeven}}, "/")), IsOk());
}

TEST(TorchArchiveTest, RefusesOtherFilesWithAWayOut) {
  EXPECT_THAT(DecodeTorchArchive(absl::string_view("\x80\2\x8a\nl\xfc\x9c", 7)),
              IsInvalid("before 1.6: load it with a current PyTorch"));
  EXPECT_THAT(DecodeTorchArchive(""), IsInvalid("no zip archive"));
  EXPECT_THAT(DecodeTorchArchive(Archive({{"data.pkl", kSeven},
                                          {"code/__torch__.py", ""},
                                          {"constants.pkl", ""}})),
              IsInvalid("TorchScript"));
  // As torch.jit.save compresses them, the archive itself is refused.
  std::string script =
      Archive({{"data.pkl", kSeven}, {"constants.pkl", kSeven}});
  script[script.find("PK\1\2") + 10] = 8;
  EXPECT_THAT(DecodeTorchArchive(script), IsInvalid("TorchScript"));
  EXPECT_THAT(
      DecodeTorchArchive(Archive({{"data.pkl", kSeven}, {"byteorder", "big"}})),
      IsInvalid("not little-endian"));
}

TEST(TorchArchiveTest, RefusesArchivesWithoutOnePickle) {
  EXPECT_THAT(DecodeTorchArchive(Archive({{"version", "3"}})),
              IsInvalid("'data.pkl' is missing"));
  EXPECT_THAT(DecodeTorchArchive(Archive({{"data.pkl", kSeven}}, "a/b/")),
              IsInvalid("'data.pkl' is missing"));
  EXPECT_THAT(DecodeTorchArchive(Archive({{"data.pkl", kSeven}}, "")),
              IsInvalid("'data.pkl' is missing"));
  EXPECT_THAT(DecodeTorchArchive(Archive(
                  {{"a/data.pkl", kSeven}, {"b/data.pkl", kSeven}}, "")),
              IsInvalid("more than one"));
  EXPECT_THAT(DecodeTorchArchive(Archive({{"data.pkl", "7"}})),
              IsInvalid("pickle:"));
}

TEST(TorchArchiveTest, FindsTensorsHoweverTheyLie) {
  EXPECT_THAT(Elements(0, {2, 2}, {2, 1}, 0), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Elements(8, {2, 2}, {2, 1}, 0), ElementsAre(8, 9, 10, 11));
  EXPECT_THAT(Elements(11, {}, {}, 0), ElementsAre(11));
  // Strides of extents of 1 say nothing.
  EXPECT_THAT(Elements(3, {1, 2, 1}, {kHuge, 1, 99}, 0), ElementsAre(3, 4));
  // Transposed, every other, a part of each row.
  EXPECT_THAT(Elements(0, {2, 3}, {1, 2}, 1), ElementsAre(0, 2, 4, 1, 3, 5));
  EXPECT_THAT(Elements(1, {3}, {2}, 1), ElementsAre(1, 3, 5));
  EXPECT_THAT(Elements(1, {3, 2}, {4, 1}, 1), ElementsAre(1, 2, 5, 6, 9, 10));
  EXPECT_THAT(Elements(0, {2, 3, 2}, {6, 1, 3}, 1),
              ElementsAre(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11));
  // One row, repeated.
  EXPECT_THAT(Elements(4, {2, 2}, {0, 1}, 1), ElementsAre(4, 5, 4, 5));
}

TEST(TorchArchiveTest, RefusesTensorsThatReachOutOfTheirStorage) {
  const auto outside = IsInvalid("reaches out of its storage of 12 numbers");
  const auto find = [](int64_t offset, const std::vector<int64_t>& shape,
                       const std::vector<int64_t>& strides) {
    TensorParts parts;
    parts.offset = offset;
    parts.shape = shape;
    parts.strides = strides;
    return Find(parts).status();
  };
  EXPECT_THAT(find(0, {13}, {1}), outside);
  EXPECT_THAT(find(1, {12}, {1}), outside);
  EXPECT_THAT(find(12, {1}, {1}), outside);
  EXPECT_THAT(find(-1, {1}, {1}), outside);
  EXPECT_THAT(find(kHuge, {2}, {1}), outside);
  EXPECT_THAT(find(0, {-1}, {1}), outside);
  EXPECT_THAT(find(0, {0}, {1}), outside);
  EXPECT_THAT(find(11, {2}, {-1}), outside);
  EXPECT_THAT(find(0, {2, 3}, {10, 1}), outside);
  // What wraps round, and what makes much of little.
  EXPECT_THAT(find(1, {kHuge}, {1}), outside);
  EXPECT_THAT(find(0, {3}, {kHuge}), outside);
  EXPECT_THAT(find(0, {5}, {int64_t{1} << 62}), outside);
  EXPECT_THAT(find(0, {int64_t{1} << 32, int64_t{1} << 32}, {0, 0}), outside);
  EXPECT_THAT(find(0, {13}, {0}), outside);
}

TEST(TorchArchiveTest, RefusesStoragesThatAreNotWhatTheySay) {
  TensorParts parts;
  parts.key = "1";
  EXPECT_THAT(Find(parts), IsInvalid("lacks its member 'data/1'"));
  for (const int64_t capacity : {int64_t{11}, int64_t{13}, int64_t{0},
                                 int64_t{-1}, kHuge, (int64_t{1} << 62) + 12}) {
    parts = {};
    parts.capacity = capacity;
    EXPECT_THAT(Find(parts), IsInvalid("has a storage of 48 bytes for"));
  }
  TorchArchive archive = TensorArchive({});
  archive.storages["0"].remove_suffix(1);
  EXPECT_THAT(FindTensor(archive, archive.pickle[archive.pickle.root]),
              IsInvalid("has a storage of 47 bytes for 12 numbers"));
}

TEST(TorchArchiveTest, RefusesOtherDtypesByName) {
  const auto find = [](absl::string_view type) {
    TensorParts parts;
    parts.type = std::string(type);
    return Find(parts).status();
  };
  EXPECT_THAT(find("HalfStorage"), IsInvalid("is float16, not float32: save"));
  EXPECT_THAT(find("DoubleStorage"), IsInvalid("is float64"));
  EXPECT_THAT(find("BFloat16Storage"), IsInvalid("is bfloat16"));
  EXPECT_THAT(find("LongStorage"), IsInvalid("is int64"));
  EXPECT_THAT(find("QInt8Storage"), IsInvalid("is qint8"));
  EXPECT_THAT(find("UntypedStorage"), IsInvalid("is untyped"));
}

TEST(TorchArchiveTest, RefusesValuesThatAreNoTensor) {
  TorchArchive archive;
  archive.pickle.root = archive.pickle.Float(1.0);
  EXPECT_THAT(FindTensor(archive, archive.pickle[0]),
              IsInvalid("is a float, not a tensor"));
}

}  // namespace
}  // namespace charrnn
