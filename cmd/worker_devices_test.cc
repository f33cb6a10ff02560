#include "cmd/worker_devices.h"

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using testing::HasSubstr;

TEST(WorkerDevicesTest, AllComputeOnTheCpuOverGloo) {
  const WorkerDevices devices = {"cpu", 0, "auto"};
  EXPECT_EQ(devices.Of(3), "cpu");
  EXPECT_EQ(devices.Backend(), "gloo");
  EXPECT_THAT(devices.Check(0, 8), IsOk());
}

TEST(WorkerDevicesTest, EachHasAGpuOfItsOwnOverNccl) {
  const WorkerDevices devices = {"cuda:0", 4, "auto"};
  EXPECT_EQ(devices.Backend(), "nccl");
  EXPECT_EQ(devices.Of(0), "cuda:0");
  EXPECT_EQ(devices.Of(3), "cuda:3");
  EXPECT_THAT(devices.Check(0, 4), IsOk());
  EXPECT_THAT(devices.Check(3, 1), IsOk());
}

TEST(WorkerDevicesTest, TheFirstOneMayBeAnyGpu) {
  const WorkerDevices devices = {"cuda:2", 4, "auto"};
  EXPECT_EQ(devices.Of(1), "cuda:3");
  EXPECT_EQ(devices.NumGpus(), 2);
  EXPECT_THAT(devices.Check(0, 2), IsOk());
  EXPECT_THAT(devices.Check(0, 3),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(WorkerDevicesTest, NcclDoesNotLetThemShareOne) {
  const WorkerDevices devices = {"cuda:0", 1, "auto"};
  EXPECT_THAT(devices.Check(0, 2),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--nproc_per_node: 2 workers from cuda:0 on "
                                 "are more than this host's 1 GPU")));
  EXPECT_THAT(devices.Check(1, 1),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(WorkerDevicesTest, GlooLetsThemShareGpusInTurn) {
  const WorkerDevices devices = {"cuda:0", 2, "gloo"};
  EXPECT_THAT(devices.Check(0, 5), IsOk());
  EXPECT_EQ(devices.Of(1), "cuda:1");
  EXPECT_EQ(devices.Of(4), "cuda:0");
}

TEST(WorkerDevicesTest, NcclIsNotForCpus) {
  const WorkerDevices devices = {"cpu", 0, "nccl"};
  EXPECT_THAT(devices.Check(0, 1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--backend=nccl: it is for GPUs")));
}

}  // namespace
}  // namespace charrnn
