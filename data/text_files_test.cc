#include "data/text_files.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TextFilesTest : public testing::Test {
 protected:
  // Makes a file below the test's own folder.
  void Write(const std::string& name, const std::string& contents = "text") {
    EXPECT_THAT(files_.CreateDirectories(Dirname(Path(name))), IsOk());
    EXPECT_THAT(WriteFile(files_, Path(name), contents), IsOk());
  }

  std::string Path(const std::string& name) const {
    return directory_.File(name);
  }

  // What is found, relative to the test's own folder.
  std::vector<std::string> Find(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(Path(name));
    absl::StatusOr<std::vector<std::string>> found =
        FindTextFiles(files_, paths);
    EXPECT_THAT(found, IsOk());
    if (!found.ok()) return {};
    for (std::string& path : *found) {
      path = path.substr(directory_.path().size() + 1);
    }
    return *found;
  }

  FileSystem& files_ = *FileSystem::Real();
  const TempDirectory directory_;
};

TEST_F(TextFilesTest, FilesKeepTheOrderInWhichTheyAreNamed) {
  Write("b");
  Write("a");
  EXPECT_THAT(Find({"b", "a", "b"}), ElementsAre("b", "a", "b"));
}

TEST_F(TextFilesTest, AFoldersFilesAreSortedByTheirWholePaths) {
  Write("f/b.txt");
  Write("f/a/z.txt");
  Write("f/a.txt");
  Write("f/B/deep/down.txt");
  Write("g");
  EXPECT_THAT(Find({"g", "f"}), ElementsAre("g", "f/B/deep/down.txt", "f/a.txt",
                                            "f/a/z.txt", "f/b.txt"));
}

TEST_F(TextFilesTest, HiddenOnesAreLeftOutUnlessNamed) {
  Write("f/a.txt");
  Write("f/.b.txt");
  Write("f/.git/config");
  Write(".h/c.txt");
  EXPECT_THAT(Find({"f", "f/.b.txt", ".h"}),
              ElementsAre("f/a.txt", "f/.b.txt", ".h/c.txt"));
}

TEST_F(TextFilesTest, ALinkToAFileCountsAndOneToAFolderIsNotFollowed) {
  Write("elsewhere/a.txt");
  Write("f/b.txt");
  EXPECT_THAT(files_.CreateSymlink("../elsewhere/a.txt", Path("f/file")),
              IsOk());
  EXPECT_THAT(files_.CreateSymlink("..", Path("f/folder")), IsOk());
  EXPECT_THAT(Find({"f"}), ElementsAre("f/b.txt", "f/file"));
}

TEST_F(TextFilesTest, AFolderWithoutFilesIsNamed) {
  EXPECT_THAT(files_.CreateDirectories(Path("f/g")), IsOk());
  EXPECT_THAT(
      FindTextFiles(files_, {Path("f")}),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr(Path("f: holds no"))));
}

TEST_F(TextFilesTest, WhatThisProjectHasMadeOfTextsIsNoText) {
  const auto expect_refused = [&](const std::string& path,
                                  const std::string& folder) {
    EXPECT_THAT(FindTextFiles(files_, {Path(path)}),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(Path(folder) + ": is a shard set or"),
                               HasSubstr("name the texts"))))
        << path;
  };
  Write("f/a.txt");
  Write("f/set/shard-00000.ids");
  Write("f/set/manifest.json", "{\"format\":\"charrnn.shards.1\",");
  for (const char* path : {"f/set", "f/set/shard-00000.ids", "f"}) {
    expect_refused(path, "f/set");
  }
  Write("run/step/model.safetensors");
  Write("run/step/MANIFEST.json", "{\"format\":\"charrnn.checkpoint.1\",");
  expect_refused("run", "run/step");
}

TEST_F(TextFilesTest, AManifestOfOthersIsATextAsAnyOther) {
  Write("f/a.txt");
  Write("f/manifest.json", "{\"format\":\"theirs\"}");
  Write("g/MANIFEST.json", "");
  EXPECT_THAT(
      Find({"f", "g", "f/a.txt"}),
      ElementsAre("f/a.txt", "f/manifest.json", "g/MANIFEST.json", "f/a.txt"));
}

TEST_F(TextFilesTest, AnOutputBelowAnInputFolderIsRefused) {
  Write("f/a.txt");
  Write("g/b.txt");
  EXPECT_THAT(files_.CreateSymlink("f/deep", Path("link")), IsOk());
  EXPECT_THAT(files_.CreateDirectories(Path("f/deep")), IsOk());
  for (const char* output : {"f", "f/", "f/set", "f/a/b/c", "g/../f/set",
                             "link/set", "./f/deep/set"}) {
    EXPECT_THAT(CheckOutside(Path(output), {Path("g"), Path("f")}),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(Path(output)), HasSubstr(Path("f")))))
        << output;
  }
  for (const char* output : {"set", "fset", "f.unfinished", "f/../set"}) {
    EXPECT_THAT(CheckOutside(Path(output), {Path("g"), Path("f")}), IsOk())
        << output;
  }
  // Beside a file is not in it.
  EXPECT_THAT(CheckOutside(Path("f/set"), {Path("f/a.txt")}), IsOk());
}

}  // namespace
}  // namespace charrnn
