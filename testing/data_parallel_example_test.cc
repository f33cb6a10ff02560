// The example of dist/data_parallel, as two processes.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/free_port.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

TEST(DataParallelExampleTest, TwoProcessesLearnTogether) {
  const int port = FreePort();
  const auto options = [&](int rank) {
    SubprocessOptions process;
    process.environment = {{"RANK", absl::StrCat(rank)},
                           {"WORLD_SIZE", "2"},
                           {"MASTER_ADDR", "127.0.0.1"},
                           {"MASTER_PORT", absl::StrCat(port)}};
    return process;
  };
  const std::string program = RunfilePath("dist/data_parallel/example");
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Subprocess> first,
                               Subprocess::Start(program, options(0)));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Subprocess> second,
                               Subprocess::Start(program, options(1)));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult one, first->Wait());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const SubprocessResult two, second->Wait());
  EXPECT_EQ(one.exit_code, 0) << one.stderr_text;
  EXPECT_EQ(two.exit_code, 0) << two.stderr_text;
  EXPECT_THAT(one.stdout_text, HasSubstr("step 19  loss "));
  EXPECT_EQ(one.stdout_text, two.stdout_text);
}

}  // namespace
}  // namespace charrnn
