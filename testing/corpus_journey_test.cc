// A corpus needs no more memory than a small one, whatever its size, and no
// more than a limit below what the text alone would take.

#include "testing/corpus_journey.h"

#include <cstdint>
#include <cstdio>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using testing::HasSubstr;

constexpr int64_t kMegabyte = int64_t{1} << 20;

CorpusJourney::Options OfSize(int64_t text_bytes) {
  CorpusJourney::Options options;
  options.text_bytes = text_bytes;
  options.train_flags = {"--embedding_dim=8", "--hidden_dim=16",
                         "--batch_size=16", "--seq_len=32", "--threads=1"};
  options.first_steps = 200;
  options.last_steps = 300;
  options.val_fraction = 0.0005;
  return options;
}

// The same program in both journeys.
void ExpectNoMoreThan(const LimitedRun& small, const LimitedRun& large) {
  EXPECT_EQ(small.exit_code, 0) << small.stderr_text;
  EXPECT_EQ(large.exit_code, 0) << large.stderr_text;
  std::printf("%.1f MB, %.1f s; of the small one %.1f MB, %.1f s\n",
              static_cast<double>(large.peak.anonymous) / 1e6, large.wall_s,
              static_cast<double>(small.peak.anonymous) / 1e6, small.wall_s);
  // An allocator's moods, and peaks so short that one may be missed; the text
  // is twice that.
  EXPECT_LE(large.peak.anonymous, small.peak.anonymous + 32 * kMegabyte);
}

TEST(LargeCorpusTest, TakesNoMoreMemoryThanASmallOne) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs memory of its own";
#endif
  CorpusJourney::Options options = OfSize(kMegabyte);
  CorpusJourney small(options);
  options.text_bytes = 64 * kMegabyte;
  options.limit_bytes = 96 * kMegabyte;
  CorpusJourney large(options);
  const LimitedRun prepared = large.Prepare();
  ExpectNoMoreThan(small.Prepare(), prepared);
  ExpectNoMoreThan(small.Train(), large.Train());
  const LimitedRun evaluation = large.Evaluate();
  ExpectNoMoreThan(small.Evaluate(), evaluation);
  EXPECT_THAT(evaluation.stdout_text, HasSubstr("\"bpc\":"));
  const LimitedRun resumed = large.Resume();
  ExpectNoMoreThan(small.Resume(), resumed);
  EXPECT_THAT(resumed.stderr_text, HasSubstr("going on from step 200"));

  if (!prepared.limited) GTEST_SKIP() << "not limited: " << prepared.note;
  // The limit is one: what has all of the text in memory does not fit.
  EXPECT_NE(large.TrainOnTheText().exit_code, 0);
}

}  // namespace
}  // namespace charrnn
