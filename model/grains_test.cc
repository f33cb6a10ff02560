#include "model/grains.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

// A sum that shows in which order it was made.
struct Term {
  std::string text;
  void operator+=(const Term& other) {
    text = absl::StrCat("(", text, "+", other.text, ")");
  }
};

std::string TreeOf(int n) {
  std::vector<Term> terms;
  for (int i = 0; i < n; ++i) terms.push_back({absl::StrCat(i)});
  TreeSum(absl::MakeSpan(terms));
  return terms[0].text;
}

TEST(GrainsTest, RowsOfAllGrainsTileTheBatch) {
  for (int64_t rows = 1; rows <= 40; ++rows) {
    for (int64_t grains = 1; grains <= 12; ++grains) {
      const int64_t count = NumGrains(rows, grains);
      int64_t next = 0;
      for (int64_t g = 0; g < count; ++g) {
        const IndexRange range = GrainRows(rows, count, g);
        EXPECT_EQ(range.begin, next);
        EXPECT_GT(range.size(), 0);
        next = range.end;
      }
      EXPECT_EQ(next, rows);
    }
  }
}

TEST(TreeSumTest, TheTreeIsFixedByTheNumberOfTerms) {
  EXPECT_EQ(TreeOf(1), "0");
  EXPECT_EQ(TreeOf(2), "(0+1)");
  EXPECT_EQ(TreeOf(3), "((0+1)+2)");
  EXPECT_EQ(TreeOf(8), "(((0+1)+(2+3))+((4+5)+(6+7)))");
  EXPECT_EQ(TreeOf(5), "(((0+1)+(2+3))+4)");
}

TEST(TreeSumTest, SharesDoTheirPartsOfTheSameTree) {
  for (int64_t n = 1; n <= 20; ++n) {
    for (int64_t num_shares = 1; num_shares <= n; ++num_shares) {
      std::vector<Term> terms;
      for (int i = 0; i < n; ++i) terms.push_back({absl::StrCat(i)});
      const auto add = [&](int64_t i, int64_t j) { terms[i] += terms[j]; };
      std::vector<IndexRange> shares;
      for (int64_t share = 0; share < num_shares; ++share) {
        shares.push_back(GrainRows(n, num_shares, share));
        TreeSumWithin(n, shares.back(), [&](int64_t i, int64_t j) {
          EXPECT_GE(i, shares.back().begin);
          EXPECT_LT(j, shares.back().end);
          add(i, j);
        });
      }
      TreeSumAcross(n, shares, add);
      EXPECT_EQ(terms[0].text, TreeOf(static_cast<int>(n)))
          << num_shares << " shares";
    }
  }
}

TEST(TreeSumTest, ArraysAreSummedByTheSameTree) {
  // Numbers whose sum depends on the order.
  const std::vector<float> values = {1e8f, 1.0f,  -1e8f, 0.3f,
                                     7.0f, 1e-3f, 2.5e7f};
  std::vector<float> scalars = values;
  TreeSum(absl::MakeSpan(scalars));
  std::vector<std::vector<float>> arrays;
  std::vector<float*> terms;
  for (const float value : values) arrays.push_back({value, 0, value});
  for (std::vector<float>& array : arrays) terms.push_back(array.data());
  TreeSumArrays(terms, 0, 1);
  TreeSumArrays(terms, 2, 3);
  EXPECT_EQ(arrays[0][0], scalars[0]);
  EXPECT_EQ(arrays[0][1], 0);
  EXPECT_EQ(arrays[0][2], scalars[0]);
}

}  // namespace
}  // namespace charrnn
