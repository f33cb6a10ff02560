#include "data/corpus_error.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

TEST(CorpusErrorTest, IsKnownWhereverItComesOut) {
  const absl::Status error = CorpusError(absl::DataLossError("damaged"));
  EXPECT_TRUE(IsCorpusError(error));
  EXPECT_TRUE(IsCorpusError(Annotate(error, "step 3")));
  EXPECT_EQ(error.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(error.message(), "damaged");
}

TEST(CorpusErrorTest, IsNoOtherError) {
  EXPECT_FALSE(IsCorpusError(absl::DataLossError("the gradient")));
  EXPECT_FALSE(IsCorpusError(absl::OkStatus()));
}

}  // namespace
}  // namespace charrnn
