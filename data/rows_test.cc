#include "data/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "data/corpus.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

TEST(RowsTest, ATargetIsWhatFollowsItsInput) {
  const std::unique_ptr<Corpus> corpus = SnippetCorpus(Encoding::kUtf8);
  const std::string text(SnippetText());
  const std::vector<int64_t> offsets = {7, 100, 336};
  std::vector<int32_t> inputs(30);
  std::vector<int32_t> targets(30);
  ASSERT_TRUE(ReadRows(*corpus, offsets, absl::MakeSpan(inputs),
                       absl::MakeSpan(targets))
                  .ok());
  std::string expected;
  std::string following;
  for (const int64_t offset : offsets) {
    expected += text.substr(offset, 10);
    following += text.substr(offset + 1, 10);
  }
  EXPECT_EQ(corpus->vocab().Decode(inputs), expected);
  EXPECT_EQ(corpus->vocab().Decode(targets), following);
}

// Notes in which order it is asked.
class AskedCorpus : public Corpus {
 public:
  int64_t size() const override { return 1000; }
  const Vocab& vocab() const override { return snippet_->vocab(); }
  std::string name() const override { return "asked"; }
  void WillRead(int64_t offset, int64_t count) const override {
    asked.push_back({offset, count});
  }
  absl::Status Read(int64_t, absl::Span<int32_t>) const override {
    EXPECT_EQ(asked.size(), 2) << "read before all was said";
    return absl::OkStatus();
  }

  mutable std::vector<std::vector<int64_t>> asked;

 protected:
  uint32_t ids_crc32c() const override { return 0; }

 private:
  std::unique_ptr<Corpus> snippet_ = SnippetCorpus(Encoding::kUtf8);
};

TEST(RowsTest, WhatWillBeReadIsSaidBeforeAnyIsRead) {
  const AskedCorpus corpus;
  std::vector<int32_t> ids(10);
  ASSERT_TRUE(
      ReadRows(corpus, {3, 70}, absl::MakeSpan(ids), absl::MakeSpan(ids)).ok());
  EXPECT_THAT(corpus.asked, testing::ElementsAre(testing::ElementsAre(3, 6),
                                                 testing::ElementsAre(70, 6)));
}

}  // namespace
}  // namespace charrnn
