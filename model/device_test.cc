#include "model/device.h"

#include <ATen/Context.h>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::HasSubstr;

CudaSupport TwoGpus() {
  CudaSupport cuda;
  cuda.built = true;
  cuda.num_devices = 2;
  cuda.driver_version = 13020;
  cuda.runtime_version = 13000;
  return cuda;
}

CudaSupport OldDriver() {
  CudaSupport cuda = TwoGpus();
  cuda.num_devices = 0;
  cuda.driver_version = 12040;
  cuda.error = "CUDA driver version is insufficient for CUDA runtime version";
  return cuda;
}

TEST(ChooseDeviceTest, AutoTakesAGpuWhereThereIsOneAndSaysSo) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DeviceChoice choice,
                               ChooseDevice("auto", TwoGpus()));
  EXPECT_EQ(choice.device, "cuda:0");
  EXPECT_THAT(choice.reason, HasSubstr("2 GPUs"));
}

TEST(ChooseDeviceTest, AutoFallsBackToTheCpuAndSaysWhy) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DeviceChoice plain,
                               ChooseDevice("auto", CudaSupport()));
  EXPECT_EQ(plain.device, "cpu");
  EXPECT_THAT(plain.reason, HasSubstr("--config=cuda"));
  CHARRNN_ASSERT_OK_AND_ASSIGN(const DeviceChoice old,
                               ChooseDevice("auto", OldDriver()));
  EXPECT_EQ(old.device, "cpu");
  EXPECT_THAT(old.reason, HasSubstr("12.4"));
}

TEST(ChooseDeviceTest, AGpuThatWasAskedForIsTaken) {
  EXPECT_EQ(ChooseDevice("cuda", TwoGpus())->device, "cuda:0");
  EXPECT_EQ(ChooseDevice("cuda:1", TwoGpus())->device, "cuda:1");
  EXPECT_EQ(ChooseDevice("cpu", TwoGpus())->device, "cpu");
}

TEST(ChooseDeviceTest, WithoutAUsableGpuTheReasonIsNamed) {
  EXPECT_THAT(ChooseDevice("cuda", CudaSupport()),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("built without --config=cuda")));
  EXPECT_THAT(ChooseDevice("cuda", OldDriver()),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("supports CUDA 12.4, this program needs "
                                 "13.0")));
  CudaSupport no_driver = OldDriver();
  no_driver.driver_version = 0;
  EXPECT_THAT(ChooseDevice("cuda", no_driver),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("no NVIDIA driver")));
  CudaSupport no_gpu = TwoGpus();
  no_gpu.num_devices = 0;
  EXPECT_THAT(ChooseDevice("cuda", no_gpu),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("no GPU was found")));
}

TEST(ChooseDeviceTest, AGpuThatIsNotThereIsRefused) {
  EXPECT_THAT(ChooseDevice("cuda:2", TwoGpus()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("this machine has 2 GPUs")));
}

TEST(ChooseDeviceTest, AnythingElseIsRefused) {
  for (const char* flag : {"", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x",
                           "cuda1", "cuda:1 ", "cuda:99999999999"}) {
    EXPECT_THAT(ChooseDevice(flag, TwoGpus()),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("must be auto, cpu, cuda or cuda:N")))
        << flag;
  }
}

TEST(AllowTensorFloat32Test, IsForGpusAlone) {
  const at::Context& context = at::globalContext();
  const auto of_cpu = [&] {
    return context.float32Precision(at::Float32Backend::MKLDNN,
                                    at::Float32Op::MATMUL);
  };
  const at::Float32Precision before = of_cpu();
  AllowTensorFloat32("cpu");
  EXPECT_FALSE(context.allowTF32CuBLAS());
  AllowTensorFloat32("cuda:0");
  EXPECT_TRUE(context.allowTF32CuBLAS());
  EXPECT_EQ(of_cpu(), before);
}

}  // namespace
}  // namespace charrnn
