#include "data/packed_ids.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/little_endian.h"

namespace charrnn {
namespace {

TEST(IdBytesTest, AreAsFewAsTheVocabularyAllows) {
  EXPECT_EQ(IdBytes(1), 1);
  EXPECT_EQ(IdBytes(256), 1);
  EXPECT_EQ(IdBytes(257), 2);
  EXPECT_EQ(IdBytes(65'536), 2);
  EXPECT_EQ(IdBytes(65'537), 4);
}

TEST(IdsCrc32cTest, IsThatOfTheIdsAsWordsHoweverTheyAreStored) {
  // More than are widened at once, and no whole number of such pieces.
  constexpr int kIds = 10'001;
  for (const int id_bytes : {1, 2, 4}) {
    std::string packed;
    std::string words;
    for (int i = 0; i < kIds; ++i) {
      AppendLittleEndian(i * 7 % 251, id_bytes, &packed);
      AppendLittleEndian(i * 7 % 251, 4, &words);
    }
    EXPECT_EQ(ExtendIdsCrc32c(0, packed, id_bytes), Crc32c(words)) << id_bytes;
    const absl::string_view whole = packed;
    const uint32_t begun = ExtendIdsCrc32c(0, whole.substr(0, 4), id_bytes);
    EXPECT_EQ(ExtendIdsCrc32c(begun, whole.substr(4), id_bytes), Crc32c(words))
        << id_bytes;
  }
}

}  // namespace
}  // namespace charrnn
