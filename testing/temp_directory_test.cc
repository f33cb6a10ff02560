#include "testing/temp_directory.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

TEST(TempDirectoryTest, IsNewAndEmpty) {
  const TempDirectory first;
  const TempDirectory second;
  EXPECT_NE(first.path(), second.path());
  EXPECT_TRUE(std::filesystem::is_directory(first.path()));
  EXPECT_TRUE(std::filesystem::is_empty(first.path()));
}

TEST(TempDirectoryTest, GoesAwayWithAllItHolds) {
  std::string path;
  {
    const TempDirectory directory;
    path = directory.path();
    std::filesystem::create_directories(directory.File("a/b"));
    std::ofstream(directory.File("a/b/c.txt")) << "text";
    ASSERT_TRUE(std::filesystem::exists(path + "/a/b/c.txt"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace charrnn
