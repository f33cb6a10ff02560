#include "model/rnn_state.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "model/grains.h"

namespace charrnn {
namespace {

constexpr int64_t kLayers = 2;
constexpr int64_t kRows = 7;
constexpr int64_t kHidden = 3;

// A state of which no two numbers are the same.
RnnState SomeState(bool has_cell) {
  const auto numbers = [](int64_t first) {
    return at::arange(first, first + kLayers * kRows * kHidden, at::kFloat)
        .view({kLayers, kRows, kHidden});
  };
  RnnState state;
  state.hidden = numbers(0);
  if (has_cell) state.cell = numbers(1000);
  return state;
}

void ExpectEqual(const RnnState& a, const RnnState& b) {
  EXPECT_TRUE(at::equal(a.hidden, b.hidden));
  ASSERT_EQ(a.cell.defined(), b.cell.defined());
  EXPECT_TRUE(!a.cell.defined() || at::equal(a.cell, b.cell));
}

TEST(RnnStateTest, RowsThatAreTakenApartAndJoinedAreWhatTheyWere) {
  for (const bool has_cell : {false, true}) {
    const RnnState state = SomeState(has_cell);
    for (int64_t cut = 0; cut <= kRows; ++cut) {
      ExpectEqual(JoinRows({StateOfRows(state, {0, cut}),
                            StateOfRows(state, {cut, kRows})}),
                  state);
    }
  }
}

TEST(RnnStateTest, RowsAreACopy) {
  // Also where all of them, or those of one layer, are contiguous as they lie.
  for (const IndexRange rows : {IndexRange{1, 3}, IndexRange{0, kRows}}) {
    for (const int64_t layers : {int64_t{1}, kLayers}) {
      RnnState state = SomeState(false);
      state.hidden = state.hidden.narrow(0, 0, layers);
      const at::Tensor before = state.hidden.clone();
      StateOfRows(state, rows).hidden.fill_(-1);
      EXPECT_TRUE(at::equal(state.hidden, before));
    }
  }
}

TEST(RnnStateTest, SharesOfUnequalSizesArePackedAndUnpacked) {
  for (const bool has_cell : {false, true}) {
    const RnnState state = SomeState(has_cell);
    std::vector<at::Tensor> packed;
    for (const IndexRange rows :
         {IndexRange{0, 3}, IndexRange{3, 5}, IndexRange{5, 7}}) {
      packed.push_back(PackState(StateOfRows(state, rows), 3));
      EXPECT_EQ(packed.back().numel(), packed.front().numel());
    }
    ExpectEqual(UnpackStates(at::cat(packed), 3, {3, 2, 2}, state), state);
  }
}

}  // namespace
}  // namespace charrnn
