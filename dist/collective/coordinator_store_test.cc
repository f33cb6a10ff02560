#include "dist/collective/coordinator_store.h"

#include <c10/util/Exception.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "dist/collective/collective.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "testing/status_matchers.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

constexpr absl::Duration kLong = absl::Seconds(50);

using Bytes = std::vector<uint8_t>;

// A job of one host with two workers, who are a generation.
class CoordinatorStoreTest : public testing::Test {
 protected:
  CoordinatorStoreTest() {
    Job::Options options;
    options.run_dir = folder_.path();
    auto job = Job::Open(options);
    EXPECT_THAT(job, IsOk());
    auto server = CoordinatorServer::Start(*std::move(job), {});
    EXPECT_THAT(server, IsOk());
    server_ = *std::move(server);
    CoordinatorClient::Options address;
    address.address = absl::StrCat("127.0.0.1:", server_->port());
    client_ = std::make_unique<CoordinatorClient>(address);

    ModelConfig model;
    model.vocab_size = 2;
    wire::RegisterHostRequest host;
    host.set_host_id("h");
    host.set_host_name("alpha");
    host.set_slots(2);
    host.set_instruction_set("avx2");
    host.set_config_json(absl::StrCat(
        R"({"version": "1", "corpus": {}, "device": "cpu", "model": )",
        ToJson(model), R"(, "training": )", ToJson(TrainingConfig()),
        R"(, "sampling": )", ToJson(SamplingConfig()), "}"));
    EXPECT_THAT(client_->RegisterHost(host, kLong), IsOk());
    std::thread other([this] { Join(1); });
    Join(0);
    other.join();
  }

  static wire::Worker WorkerOf(int local_rank) {
    wire::Worker worker;
    worker.set_host_id("h");
    worker.set_local_rank(local_rank);
    worker.set_incarnation(1);
    return worker;
  }

  void Join(int local_rank) {
    wire::JoinRequest request;
    *request.mutable_worker() = WorkerOf(local_rank);
    request.set_instruction_set("avx2");
    while (joined_[local_rank].generation() == 0) {
      auto joined = client_->Join(request, kLong);
      ASSERT_THAT(joined, IsOk());
      joined_[local_rank] = *joined;
    }
  }

  c10::intrusive_ptr<CoordinatorStore> StoreOf(int local_rank) {
    return c10::make_intrusive<CoordinatorStore>(
        client_.get(), WorkerOf(local_rank), joined_[local_rank].generation(),
        joined_[local_rank].boot());
  }

  const TempDirectory folder_;
  std::unique_ptr<CoordinatorServer> server_;
  std::unique_ptr<CoordinatorClient> client_;
  wire::JoinResponse joined_[2];
};

TEST_F(CoordinatorStoreTest, KeysAreSharedByAGeneration) {
  const auto one = StoreOf(0);
  const auto two = StoreOf(1);
  one->set("key", Bytes{1, 0, 255});
  EXPECT_EQ(two->get("key"), (Bytes{1, 0, 255}));
  two->append("key", Bytes{7});
  EXPECT_EQ(one->multiGet({"key"}), (std::vector<Bytes>{{1, 0, 255, 7}}));
  EXPECT_EQ(one->add("count", 2), 2);
  EXPECT_EQ(two->add("count", 3), 5);
  EXPECT_EQ(one->compareSet("turn", {}, Bytes{1}), Bytes{1});
  EXPECT_EQ(two->compareSet("turn", Bytes{9}, Bytes{2}), Bytes{1});
  EXPECT_TRUE(one->check({"key", "count"}));
  EXPECT_FALSE(one->check({"key", "none"}));
  EXPECT_EQ(one->getNumKeys(), 3);
  EXPECT_TRUE(one->deleteKey("key"));
  EXPECT_FALSE(two->deleteKey("key"));
}

TEST_F(CoordinatorStoreTest, AKeyIsWaitedFor) {
  const auto one = StoreOf(0);
  std::thread other([&] { StoreOf(1)->set("late", Bytes{3}); });
  EXPECT_EQ(one->get("late"), Bytes{3});
  other.join();
  EXPECT_THROW(one->wait({"never"}, std::chrono::milliseconds(50)), c10::Error);
}

TEST_F(CoordinatorStoreTest, WaitingEndsWithTheGeneration) {
  const auto one = StoreOf(0);
  std::thread other([&] {
    wire::JoinRequest request;
    *request.mutable_worker() = WorkerOf(1);
    request.set_instruction_set("avx2");
    request.set_left_generation(joined_[1].generation());
    client_->Join(request, kLong).IgnoreError();
  });
  EXPECT_THROW(one->get("never"), c10::Error);
  other.join();
}

TEST_F(CoordinatorStoreTest, AnotherProcessOfTheCoordinatorIsNoticed) {
  CoordinatorStore other(client_.get(), WorkerOf(0), joined_[0].generation(),
                         joined_[0].boot() + 1);
  EXPECT_THROW(other.set("key", Bytes{1}), c10::Error);
}

TEST_F(CoordinatorStoreTest, WorkersFindEachOtherByIt) {
  const auto meet = [this](int rank) {
    Collective::Options options;
    options.rank = rank;
    options.world_size = 2;
    options.address = "127.0.0.1";
    options.timeout = kLong;
    CHARRNN_ASSERT_OK_AND_ASSIGN(const auto group,
                                 Collective::Create(StoreOf(rank), options));
    std::vector<double> values(2);
    values[rank] = rank + 1;
    ASSERT_THAT(group->Sum(absl::MakeSpan(values)), IsOk());
    EXPECT_THAT(values, testing::ElementsAre(1, 2));
  };
  std::thread other([&] { meet(1); });
  meet(0);
  other.join();
}

}  // namespace
}  // namespace charrnn
