#include "model/notebook/pickle_writer.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/notebook/pickle_reader.h"
#include "model/notebook/pickle_value.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;
using Kind = PickleKind;

// What is written for the value that `make` adds and returns.
template <typename Make>
std::string Written(const Make& make) {
  Pickle pickle;
  pickle.root = make(pickle);
  const absl::StatusOr<std::string> bytes = EncodePickle(pickle);
  EXPECT_THAT(bytes, IsOk());
  return bytes.ok() ? *bytes : "";
}

// The bytes of a literal, with its zeros and without its end.
template <size_t size>
std::string Bytes(const char (&literal)[size]) {
  return std::string(literal, size - 1);
}

TEST(PickleWriterTest, WritesTheseBytes) {
  const std::string bytes = Written([](Pickle& p) {
    const PickleId storage =
        p.Group(Kind::kStorage, {p.StorageType("FloatStorage"), p.String("0"),
                                 p.String("cpu"), p.Int(300)});
    const PickleId tensor = p.Group(
        Kind::kTensor, {storage, p.Int(0), p.Group(Kind::kTuple, {p.Int(2)}),
                        p.Group(Kind::kTuple, {p.Int(1)}), p.Bool(false),
                        p.Group(Kind::kOrderedDict, {})});
    return p.Group(Kind::kDict,
                   {p.String("t"), tensor, p.String("f"), p.Float(-0.5)});
  });
  EXPECT_EQ(bytes, Bytes("\x80\2}(X\1\0\0\0tctorch._utils\n_rebuild_tensor_v2\n"
                         "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                         "0X\3\0\0\0cpuM\x2c\1tQK\0K\2\x85K\1\x85\x89"
                         "ccollections\nOrderedDict\n)RtR"
                         "X\1\0\0\0fG\xbf\xe0\0\0\0\0\0\0u."));
}

TEST(PickleWriterTest, WritesNumbersThatAreReadAgain) {
  for (const int64_t value :
       {int64_t{0}, int64_t{255}, int64_t{256}, int64_t{65535}, int64_t{65536},
        int64_t{-1}, int64_t{INT32_MAX}, int64_t{INT32_MIN},
        int64_t{INT32_MAX} + 1, int64_t{INT32_MIN} - 1, INT64_MAX, INT64_MIN}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const Pickle read,
        DecodePickle(Written([&](Pickle& p) { return p.Int(value); })));
    EXPECT_EQ(read[read.root].integer, value);
  }
  for (const double value : {0.0, 0.1, -1e300, 5e-324}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(
        const Pickle read,
        DecodePickle(Written([&](Pickle& p) { return p.Float(value); })));
    EXPECT_EQ(read[read.root].real, value);
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Pickle read, DecodePickle(Written([](Pickle& p) {
        return p.Float(std::numeric_limits<double>::quiet_NaN());
      })));
  EXPECT_TRUE(std::isnan(read[read.root].real));
}

TEST(PickleWriterTest, WritesContainersThatAreReadAgain) {
  for (const Kind kind :
       {Kind::kTuple, Kind::kList, Kind::kDict, Kind::kOrderedDict}) {
    for (const size_t size : {0, 2, 4, 6, 2000, 2002, 5000}) {
      const std::string bytes = Written([&](Pickle& p) {
        std::vector<PickleId> items;
        for (size_t i = 0; i < size; ++i) {
          items.push_back(p.Int(static_cast<int64_t>(i)));
        }
        return p.Group(kind, items);
      });
      CHARRNN_ASSERT_OK_AND_ASSIGN(const Pickle read, DecodePickle(bytes));
      const PickleValue& root = read[read.root];
      EXPECT_EQ(root.kind, kind);
      ASSERT_EQ(root.items.size(), size);
      for (size_t i = 0; i < size; ++i) {
        EXPECT_EQ(read[root.items[i]].integer, i);
      }
    }
  }
}

TEST(PickleWriterTest, AddsOneItemAsPythonDoes) {
  EXPECT_EQ(Written([](Pickle& p) { return p.Group(Kind::kList, {p.None()}); }),
            Bytes("\x80\2]Na."));
  EXPECT_EQ(Written([](Pickle& p) {
              return p.Group(Kind::kDict, {p.Int(1), p.None()});
            }),
            Bytes("\x80\2}K\1Ns."));
}

TEST(PickleWriterTest, WritesOnceWhatIsNamedTwice) {
  EXPECT_EQ(Written([](Pickle& p) {
              const PickleId text = p.String("a");
              const PickleId list = p.Group(Kind::kList, {text, p.Int(7)});
              return p.Group(Kind::kTuple, {list, text, list});
            }),
            Bytes("\x80\2](X\1\0\0\0aq\0K\7eq\1h\0h\1\x87."));
  // 300 of them, so that their numbers take more than a byte.
  const std::string many = Written([](Pickle& p) {
    std::vector<PickleId> items;
    for (int i = 0; i < 300; ++i) items.push_back(p.String(absl::StrCat(i)));
    const PickleId list = p.Group(Kind::kList, items);
    return p.Group(Kind::kTuple, {list, p.Group(Kind::kList, items)});
  });
  CHARRNN_ASSERT_OK_AND_ASSIGN(const Pickle read, DecodePickle(many));
  const PickleValue& root = read[read.root];
  EXPECT_EQ(read[root.items[0]].items, read[root.items[1]].items);
  EXPECT_EQ(read[read[root.items[0]].items[299]].text, "299");
  EXPECT_THAT(EncodePickle(read), IsOkAndHolds(many));
}

TEST(PickleWriterTest, IsNotKeptBusyByNames) {
  const std::string bytes = Written([](Pickle& p) {
    PickleId id = p.String("x");
    for (int i = 0; i < 64; ++i) id = p.Group(Kind::kList, {id, id});
    return id;  // 2^64 strings
  });
  EXPECT_LT(bytes.size(), 1000);
}

TEST(PickleWriterTest, RefusesWhatNoPickleHolds) {
  Pickle pickle;
  pickle.root = pickle.String("\xff");
  EXPECT_THAT(EncodePickle(pickle), StatusIs(absl::StatusCode::kInvalidArgument,
                                             HasSubstr("not UTF-8")));
}

}  // namespace
}  // namespace charrnn
