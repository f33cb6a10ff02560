#include "testing/mistakes.h"

#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"
#include "testing/subprocess.h"
#include "testing/workplace.h"

namespace charrnn {
namespace {

TEST(MistakesTest, AMistakeThatIsToldOfPasses) {
  ExpectRefused({{"export", {"--output=x"}, {"x: ", ".safetensors or .pt"}}});
}

TEST(MistakesTest, WhatIsNoMistakeFails) {
  EXPECT_NONFATAL_FAILURE_ON_ALL_THREADS(
      ExpectRefused({{"export", {"--output=x"}, {"something else"}}}),
      "has substring \"something else\"");
}

TEST(MistakesTest, AMistakeMayNeedMoreThanFiles) {
  ExpectRefused(
      {{"export",
        {"--checkpoint=made"},
        {"made: "},
        {},
        [](const Workplace& workplace) { workplace.Write("made", ""); }}});
}

TEST(MistakesTest, GoodFlagsAndFilesAreGood) {
  const Workplace workplace;
  WriteGoodFiles(workplace);
  EXPECT_EQ(workplace.Read("text.txt"), GoodText());
  EXPECT_EQ(workplace.Read("model.safetensors"), GoodModel());
  const SubprocessResult result = workplace.Run("export", GoodFlags("export"));
  EXPECT_EQ(result.exit_code, 0) << result.stderr_text;
  EXPECT_EQ(workplace.Read("out.safetensors"), GoodModel());
}

}  // namespace
}  // namespace charrnn
