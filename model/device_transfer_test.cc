#include "model/device_transfer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <cstddef>
#include <cstdint>

#include "data/batch_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using testing::ElementsAre;

// 2 rows of 3 characters that count up from `first`.
Batch BatchFrom(int32_t first) {
  Batch batch;
  batch.rows = 2;
  batch.seq_len = 3;
  for (int32_t i = 0; i < 6; ++i) {
    batch.inputs.push_back(first + i);
    batch.targets.push_back(first + i + 1);
  }
  return batch;
}

TEST(IdCopierTest, BringsInputsBeforeTargets) {
  IdCopier copier(at::kCPU);
  EXPECT_FALSE(copier.has_begun());
  copier.Begin(BatchFrom(7));
  EXPECT_TRUE(copier.has_begun());
  const at::Tensor ids = copier.Take();
  EXPECT_FALSE(copier.has_begun());
  EXPECT_TRUE(at::equal(
      ids, at::tensor({7, 8, 9, 10, 11, 12, 8, 9, 10, 11, 12, 13}, at::kInt)
               .view({2, 2, 3})));
}

TEST(IdCopierTest, WhatWasTakenStaysWhileTheNextIsCopied) {
  IdCopier copier(at::kCPU);
  copier.Begin(BatchFrom(0));
  for (int32_t first = 0; first < 5; ++first) {
    const at::Tensor ids = copier.Take();
    copier.Begin(BatchFrom(first + 1));
    EXPECT_EQ(ids.flatten()[0].item<int32_t>(), first);
  }
}

TEST(IdCopierTest, BatchesMayBeShorterAndLonger) {
  IdCopier copier(at::kCPU);
  for (const int seq_len : {1, 3, 2}) {
    const auto size = size_t{2} * seq_len;
    Batch batch = BatchFrom(0);
    batch.seq_len = seq_len;
    batch.inputs.resize(size);
    batch.targets.resize(size);
    copier.Begin(batch);
    const at::Tensor ids = copier.Take();
    EXPECT_EQ(ids.sizes(), at::IntArrayRef({2, 2, seq_len}));
    EXPECT_EQ(ids.flatten()[static_cast<int64_t>(size)].item<int32_t>(), 1);
  }
}

TEST(LateNumbersTest, AreThoseOfTheDevice) {
  const LateNumbers late(at::tensor({0.5, -3.0}, at::kDouble));
  EXPECT_THAT(late.Wait(), ElementsAre(0.5, -3.0));
}

}  // namespace
}  // namespace charrnn
