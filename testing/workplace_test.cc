#include "testing/workplace.h"

#include <filesystem>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(WorkplaceTest, FoldersAreMadeForFiles) {
  const Workplace workplace;
  workplace.Write("a/b/c", std::string("x\0y", 3));
  EXPECT_EQ(workplace.Read("a/b/c"), std::string("x\0y", 3));
}

TEST(WorkplaceTest, ListsFilesAndLinksButNoFolders) {
  const Workplace workplace;
  workplace.Write("a/file", "");
  workplace.Write("empty/", "");
  std::filesystem::create_symlink("a", workplace.Path("link"));
  EXPECT_THAT(workplace.List(), ElementsAre("a/file", "link"));
}

TEST(WorkplaceTest, ASnapshotTellsContentsAndTargets) {
  const Workplace workplace;
  workplace.Write("a/file", "text");
  std::filesystem::create_symlink("gone", workplace.Path("link"));
  EXPECT_THAT(
      workplace.Snapshot(),
      ElementsAre(Pair("a", ""), Pair("a/file", "text"), Pair("link", "gone")));
}

TEST(WorkplaceTest, TextHasTheSizeThatIsSaid) {
  const std::string text = PlainText(100);
  EXPECT_EQ(text, PlainText(100));
  EXPECT_NEAR(text.size(), 3000, 500);
  EXPECT_EQ(std::set<char>(text.begin(), text.end()).size(), 18);
}

TEST(WorkplaceTest, KnowsTheWholeCheckpointsOfARun) {
  const Workplace workplace;
  for (const char* name :
       {"run/checkpoints/step-00000002/MANIFEST.json",
        "run/checkpoints/step-00000001/MANIFEST.json",
        "run/checkpoints/step-00000003/model.safetensors",
        "run/checkpoints/step-00000004.unfinished/MANIFEST.json",
        "run/checkpoints/step-00000000.deleted/MANIFEST.json",
        "other/checkpoints/step-00000009/MANIFEST.json"}) {
    workplace.Write(name, "");
  }
  EXPECT_THAT(workplace.Checkpoints("run"),
              ElementsAre("step-00000001", "step-00000002"));
}

}  // namespace
}  // namespace charrnn
