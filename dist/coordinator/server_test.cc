#include "dist/coordinator/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.grpc.pb.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/credentials.h"
#include "dist/coordinator/job.h"
#include "dist/coordinator/job_harness.h"
#include "dist/coordinator/membership.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/manifest.h"
#include "testing/status_matchers.h"
#include "testing/subprocess.h"
#include "testing/temp_directory.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kCancelled = absl::StatusCode::kCancelled;
constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;
constexpr auto kUnauthenticated = absl::StatusCode::kUnauthenticated;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

// Longer than a busy machine may take.
constexpr absl::Duration kLong = absl::Seconds(50);

// A connection that speaks whatever it likes.
class RawConnection {
 public:
  explicit RawConnection(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)),
              0);
    const timeval timeout = {absl::ToInt64Seconds(kLong), 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  }
  ~RawConnection() { close(fd_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  // The other side may hang up meanwhile.
  void Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  // Blocks until something has come; "" if nothing more will.
  std::string Receive() {
    char buffer[4096];
    const ssize_t received = recv(fd_, buffer, sizeof(buffer), 0);
    return received <= 0 ? "" : std::string(buffer, received);
  }

 private:
  const int fd_;
};

// The beginning of every connection, with no settings.
const char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string Frame(int type, int flags, int stream, absl::string_view payload) {
  const size_t size = payload.size();
  std::string frame;
  for (const int shift : {16, 8, 0}) {
    frame.push_back(static_cast<char>(size >> shift));
  }
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) {
    frame.push_back(static_cast<char>(stream >> shift));
  }
  return absl::StrCat(frame, payload);
}

// A call of `method` that says that a message of 1 GiB follows.
std::string CallOfAGibibyte(const std::string& method) {
  const auto text = [](const std::string& value) {
    return std::string(1, static_cast<char>(value.size())) + value;
  };
  // POST, http; then names by their number in HPACK's table, and one by itself.
  const std::string headers = absl::StrCat(
      "\x83\x86\x04", text("/charrnn.wire.Coordinator/" + method), "\x01",
      text("localhost"), "\x0f\x10", text("application/grpc"),
      absl::string_view("\0", 1), text("te"), text("trailers"));
  const std::string prefix("\0\x40\0\0\0", 5);
  return absl::StrCat(kPreface, Frame(/*SETTINGS*/ 4, 0, 0, ""),
                      Frame(/*HEADERS*/ 1, /*END_HEADERS*/ 4, 1, headers),
                      Frame(/*DATA*/ 0, 0, 1, prefix + std::string(1000, 'x')));
}

// Of this process, in MiB.
int64_t ResidentMebibytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    int64_t kibibytes = 0;
    if (absl::ConsumePrefix(&rest, "VmRSS:") &&
        absl::ConsumeSuffix(&rest, " kB") &&
        absl::SimpleAtoi(rest, &kibibytes)) {
      return kibibytes >> 10;
    }
  }
  ADD_FAILURE() << "how much memory this takes is not known";
  return 0;
}

class ServerTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<CoordinatorServer>> StartServer(
      const CoordinatorServer::Options& options) {
    EXPECT_THAT(FileSystem::Real()->CreateDirectories(run_dir_), IsOk());
    Job::Options job;
    job.run_dir = run_dir_;
    job.clock = &clock_;  // polls last until they are answered
    return CoordinatorServer::Start(*Job::Open(job), options);
  }

  // The one of the test.
  void Start(const Credentials& credentials = {}) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(server_,
                                 StartServer({"127.0.0.1:0", credentials}));
  }

  std::string Address() const {
    return absl::StrCat("127.0.0.1:", server_->port());
  }

  std::unique_ptr<CoordinatorClient> Client(
      const Credentials& credentials = {}) const {
    return std::make_unique<CoordinatorClient>(
        CoordinatorClient::Options{Address(), credentials});
  }

  static absl::Status Ask(CoordinatorClient& client) {
    return client.GetStatus({}, kLong).status();
  }

  static void Register(CoordinatorClient& client, int slots) {
    wire::RegisterHostRequest host;
    host.set_host_id("a");
    host.set_host_name("alpha");
    host.set_slots(slots);
    host.set_config_json(RunConfig());
    host.set_instruction_set("avx2");
    ASSERT_THAT(client.RegisterHost(host, kLong), IsOk());
  }

  // Registers a host, whose one worker is generation 1.
  void Form(CoordinatorClient& client) {
    Register(client, /*slots=*/1);
    const auto joined = client.Join(JoinRequest(), kLong);
    ASSERT_THAT(joined, IsOk());
    ASSERT_EQ(joined->generation(), 1);
  }

  static wire::JoinRequest JoinRequest() {
    wire::JoinRequest join;
    *join.mutable_worker() = Worker();
    join.set_instruction_set("avx2");
    return join;
  }

  static wire::Worker Worker() {
    wire::Worker worker;
    worker.set_host_id("a");
    worker.set_incarnation(1);
    return worker;
  }

  // A call that waits until the test ends it.
  static absl::Status WaitForAKey(CoordinatorClient& client, uint64_t boot) {
    wire::StoreRequest get;
    *get.mutable_worker() = Worker();
    get.set_generation(1);
    get.set_operation(wire::StoreRequest::GET);
    get.add_keys("nobody sets it");
    get.set_timeout_ms(3'600'000);
    get.set_boot(boot);
    return client.Store(get, absl::Hours(1)).status();
  }

  // Whether the server is well.
  void ExpectAnswers() { EXPECT_THAT(Ask(*Client()), IsOk()); }

  const TempDirectory directory_;
  const std::string run_dir_ = directory_.File("run");
  FakeClock clock_;
  std::unique_ptr<CoordinatorServer> server_;
};

TEST_F(ServerTest, CallsAreAnswered) {
  Start();
  EXPECT_GT(server_->port(), 0);
  const auto client = Client();
  EXPECT_EQ(client->address(), Address());
  Form(*client);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::GetStatusResponse status,
                               client->GetStatus({}, kLong));
  EXPECT_EQ(status.run_dir(), run_dir_);
  EXPECT_EQ(status.generation(), 1);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::OpenRunResponse run,
                               client->OpenRun({}, kLong));
  EXPECT_EQ(run.config_json(), RunConfig());
  wire::HeartbeatRequest beat;
  *beat.mutable_worker() = Worker();
  beat.set_generation(1);
  EXPECT_THAT(client->Heartbeat(beat, kLong), IsOk());
  wire::RecordRequest record;
  *record.mutable_worker() = Worker();
  record.set_generation(1);
  record.mutable_train()->set_step(10);
  EXPECT_THAT(client->Record(record, kLong), IsOk());
  wire::ReportExitRequest exit;
  *exit.mutable_worker() = Worker();
  EXPECT_TRUE(client->ReportExit(exit, kLong)->respawn());
  wire::WatchHostRequest watch;
  watch.set_host_id("a");
  EXPECT_EQ(client->WatchHost(watch, kLong)->state(), wire::FORMING);
  wire::LeaveHostRequest leave;
  leave.set_host_id("a");
  EXPECT_THAT(client->LeaveHost(leave, kLong), IsOk());
  EXPECT_THAT(client->Stop({}, kLong), IsOk());
  EXPECT_EQ(server_->job().AwaitEnd(kLong), JobState::kStopped);
}

TEST_F(ServerTest, AJobsErrorsComeWithTheirCodeAndText) {
  Start();
  wire::WatchHostRequest watch;
  watch.set_host_id("stranger");
  EXPECT_THAT(Client()->WatchHost(watch, kLong),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("stranger")));
}

TEST_F(ServerTest, WithoutTheTokenNothingIsAnswered) {
  Credentials credentials;
  credentials.token = RandomToken();
  Start(credentials);
  EXPECT_THAT(Ask(*Client(credentials)), IsOk());
  Form(*Client(credentials));
  Credentials wrong;
  wrong.token = RandomToken();
  for (const Credentials& bad : {Credentials(), wrong}) {
    const auto client = Client(bad);
    EXPECT_THAT(Ask(*client),
                StatusIs(kUnauthenticated, HasSubstr("--token_file")));
    EXPECT_THAT(client->Join(JoinRequest(), kLong), StatusIs(kUnauthenticated));
    EXPECT_THAT(client->Stop({}, kLong), StatusIs(kUnauthenticated));
    EXPECT_THAT(
        client->PutCheckpoint(Worker(), 1, 10, CheckpointFilesOf(10), kLong),
        StatusIs(kUnauthenticated));
    EXPECT_THAT(client->GetCheckpoint(10, kLong), StatusIs(kUnauthenticated));
  }
  EXPECT_FALSE(FileSystem::Real()->Exists(JoinPath(run_dir_, "checkpoints")));
}

TEST_F(ServerTest, HealthIsToldToWhoeverAsks) {
  Credentials credentials;
  credentials.token = RandomToken();
  Start(credentials);
  grpc::GenericStub stub(
      grpc::CreateChannel(Address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const grpc::Slice empty;  // of the server as a whole
  grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  std::promise<absl::Status> answered;
  stub.UnaryCall(
      &context, "/grpc.health.v1.Health/Check", {}, &request, &response,
      [&](const grpc::Status& status) {
        answered.set_value(status.ok()
                               ? absl::OkStatus()
                               : absl::UnknownError(status.error_message()));
      });
  ASSERT_THAT(answered.get_future().get(), IsOk());
  grpc::Slice slice;
  ASSERT_TRUE(response.DumpToSingleSlice(&slice).ok());
  // The first field is 1, SERVING.
  EXPECT_EQ(std::string(slice.begin(), slice.end()), "\x08\x01");
}

TEST_F(ServerTest, ASecondServerOnThePortIsRefusedByItsAddress) {
  Start();
  EXPECT_THAT(StartServer({Address(), {}}),
              StatusIs(kFailedPrecondition,
                       AllOf(HasSubstr(Address()), HasSubstr("in use"))));
  EXPECT_THAT(CoordinatorServer::Check({Address(), {}}),
              StatusIs(kFailedPrecondition,
                       AllOf(HasSubstr(Address()), HasSubstr("in use"))));
  ExpectAnswers();
}

TEST_F(ServerTest, AnAddressThatIsNoneOfThisMachinesIsRefused) {
  for (const char* address : {"192.0.2.1:0", "no_such_host:0"}) {
    EXPECT_THAT(StartServer({address, {}}),
                StatusIs(kFailedPrecondition, HasSubstr(address)));
    EXPECT_THAT(CoordinatorServer::Check({address, {}}),
                StatusIs(kFailedPrecondition, HasSubstr(address)));
  }
  // gRPC would take 65536 for 0.
  for (const char* address : {"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:x",
                              "127.0.0.1", "", ":"}) {
    const auto refusal =
        StatusIs(absl::StatusCode::kInvalidArgument,
                 AllOf(HasSubstr(address), HasSubstr("host:port")));
    EXPECT_THAT(StartServer({address, {}}), refusal);
    EXPECT_THAT(CoordinatorServer::Check({address, {}}), refusal);
  }
  EXPECT_THAT(CoordinatorServer::Check({"127.0.0.1:0", {}}), IsOk());
}

TEST_F(ServerTest, ALargeCheckpointGoesUpAndComesDownAsItWas) {
  Start();
  const auto client = Client();
  Form(*client);
  const auto files = CheckpointFilesOf(10, /*units=*/320);
  size_t largest = 0;
  for (const CheckpointFile& file : files) {
    largest = std::max(largest, file.bytes.size());
  }
  ASSERT_GT(largest, 4 << 20);  // what gRPC takes for a message
  EXPECT_THAT(client->GetCheckpoint(10, kLong),
              StatusIs(absl::StatusCode::kNotFound));
  ASSERT_THAT(client->PutCheckpoint(Worker(), 1, 10, files, kLong), IsOk());
  CHARRNN_ASSERT_OK_AND_ASSIGN(const auto got,
                               client->GetCheckpoint(10, kLong));
  EXPECT_TRUE(ByName(got) == ByName(files));
}

TEST_F(ServerTest, AFileNameThatLeadsElsewhereIsRefused) {
  Start();
  const auto client = Client();
  Form(*client);
  for (const std::string& name :
       {std::string("../../evil"), directory_.File("evil"),
        std::string("model.safetensors/../../evil"), std::string("evil"),
        std::string()}) {
    auto files = CheckpointFilesOf(10);
    files[0].name = name;
    EXPECT_THAT(client->PutCheckpoint(Worker(), 1, 10, files, kLong),
                StatusIs(kInvalidArgument))
        << name;
  }
  EXPECT_THAT(*FileSystem::Real()->ListDirectory(directory_.path()),
              ElementsAre("run"));
  EXPECT_FALSE(FileSystem::Real()->Exists(JoinPath(run_dir_, "checkpoints")));
  EXPECT_THAT(
      client->PutCheckpoint(Worker(), 1, 10, CheckpointFilesOf(10), kLong),
      IsOk());
}

TEST_F(ServerTest, AnUploadThatBreaksOffOrIsOfNobodyCommitsNothing) {
  Start();
  Form(*Client());
  const auto stub = wire::Coordinator::NewStub(
      grpc::CreateChannel(Address(), grpc::InsecureChannelCredentials()));
  const auto files = CheckpointFilesOf(10);
  {
    grpc::ClientContext context;
    wire::PutCheckpointResponse response;
    const auto writer = stub->PutCheckpoint(&context, &response);
    wire::PutCheckpointRequest request;
    *request.mutable_worker() = Worker();
    request.set_generation(1);
    request.set_step(10);
    wire::CheckpointChunk* chunk = request.mutable_chunk();
    chunk->set_file(files[0].name);
    chunk->set_file_size(1'000'000'000'000);
    chunk->set_data("x");
    writer->Write(request);
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  {
    grpc::ClientContext context;
    wire::PutCheckpointResponse response;
    const auto writer = stub->PutCheckpoint(&context, &response);
    writer->WritesDone();
    EXPECT_EQ(writer->Finish().error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_THAT(Client()->PutCheckpoint({}, 1, 10, files, kLong),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_FALSE(FileSystem::Real()->Exists(JoinPath(run_dir_, "checkpoints")));
}

TEST_F(ServerTest, CancelEndsACallThatWaitsAndThoseThatFollow) {
  Start();
  const auto client = Client();
  Register(*client, /*slots=*/2);
  // It waits for the other worker.
  auto waits = std::async(std::launch::async, [&] {
    return client->Join(JoinRequest(), absl::Hours(1)).status();
  });
  // Another one's calls are not touched.
  const auto other = Client();
  for (bool is_waiting = false; !is_waiting;) {
    CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::GetStatusResponse status,
                                 other->GetStatus({}, kLong));
    is_waiting =
        status.members_size() > 0 && status.members(0).state() == "joining";
  }
  client->Cancel();
  EXPECT_THAT(waits.get(), StatusIs(kCancelled));
  EXPECT_THAT(Ask(*client), StatusIs(kCancelled));
  EXPECT_THAT(client->GetCheckpoint(1, kLong), StatusIs(kCancelled));
  EXPECT_THAT(
      client->PutCheckpoint(Worker(), 1, 10, CheckpointFilesOf(10), kLong),
      StatusIs(kCancelled));
  EXPECT_THAT(Ask(*other), IsOk());
}

TEST_F(ServerTest, TheServersEndAnswersWhatWaits) {
  Start();
  const auto client = Client();
  Form(*client);
  CHARRNN_ASSERT_OK_AND_ASSIGN(const wire::JoinResponse joined,
                               client->Join(JoinRequest(), kLong));
  std::vector<std::future<absl::Status>> waiting;
  for (int i = 0; i < 8; ++i) {
    waiting.push_back(std::async(std::launch::async, [&] {
      return WaitForAKey(*client, joined.boot());
    }));
  }
  // One that has begun an upload and says no more.
  const auto stub = wire::Coordinator::NewStub(
      grpc::CreateChannel(Address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  wire::PutCheckpointResponse response;
  const auto writer = stub->PutCheckpoint(&context, &response);
  wire::PutCheckpointRequest request;
  *request.mutable_worker() = Worker();
  writer->Write(request);

  auto end = std::async(std::launch::async, [&] { server_.reset(); });
  ASSERT_EQ(end.wait_for(absl::ToChronoMilliseconds(kLong)),
            std::future_status::ready);
  for (auto& one : waiting) {
    EXPECT_THAT(one.get(), StatusIs(kUnavailable));
  }
  EXPECT_FALSE(writer->Finish().ok());
  EXPECT_THAT(Ask(*client), StatusIs(kUnavailable));
}

TEST_F(ServerTest, ACoordinatorThatIsAwayIsUnavailable) {
  Start();
  const auto client = Client();
  const std::string address = Address();
  EXPECT_THAT(Ask(*client), IsOk());
  server_.reset();
  EXPECT_THAT(Ask(*client), StatusIs(kUnavailable));
  // Back, and found again by the same client.
  CHARRNN_ASSERT_OK_AND_ASSIGN(server_, StartServer({address, {}}));
  absl::Status answer = Ask(*client);
  while (absl::IsUnavailable(answer)) answer = Ask(*client);
  EXPECT_THAT(answer, IsOk());
}

TEST_F(ServerTest, WhoSpeaksAnotherLanguageDoesNoHarm) {
  Start();
  ExpectAnswers();
  const int64_t before = ResidentMebibytes();
  std::mt19937 random(1);
  std::vector<std::unique_ptr<RawConnection>> open;
  for (int i = 0; i < 64; ++i) {
    std::string garbage(1 + random() % 5000, 0);
    for (char& c : garbage) c = static_cast<char>(random());
    for (const std::string& bytes :
         {garbage, kPreface + garbage,
          absl::StrCat(kPreface, Frame(4, 0, 0, ""),
                       Frame(1, 4, 1, garbage.substr(0, 500))),
          std::string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
          std::string(kPreface, 10), std::string()}) {
      open.push_back(std::make_unique<RawConnection>(server_->port()));
      open.back()->Send(bytes);
    }
  }
  // All are still open.
  ExpectAnswers();
  EXPECT_LT(ResidentMebibytes(), before + 128);
  open.clear();
  ExpectAnswers();
}

TEST_F(ServerTest, ABrowserIsToldThatThisIsNoWebServer) {
  Start();
  RawConnection connection(server_->port());
  connection.Send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  // gRPC's first frame or its refusal, and then the end.
  while (!connection.Receive().empty()) {
  }
  ExpectAnswers();
}

TEST_F(ServerTest, AMessageOfAGibibyteThatIsOnlyAnnouncedTakesNoMemory) {
  Start();
  ExpectAnswers();
  const int64_t before = ResidentMebibytes();
  std::vector<std::unique_ptr<RawConnection>> open;
  for (int i = 0; i < 32; ++i) {
    for (const char* method : {"GetStatus", "PutCheckpoint", "Store"}) {
      open.push_back(std::make_unique<RawConnection>(server_->port()));
      open.back()->Send(CallOfAGibibyte(method));
    }
  }
  for (const auto& connection : open) {
    // Until the server asks for more of the message.
    std::string answer;
    const std::string more_of_stream_1 = Frame(8, 0, 1, "1234").substr(0, 9);
    while (!absl::StrContains(answer, more_of_stream_1)) {
      const std::string more = connection->Receive();
      ASSERT_NE(more, "") << answer;
      answer += more;
    }
  }
  ExpectAnswers();
  EXPECT_LT(ResidentMebibytes(), before + 128);
}

TEST_F(ServerTest, AMessageThatIsTooLongIsRefused) {
  Start();
  const auto client = Client();
  Form(*client);
  wire::StoreRequest set;
  *set.mutable_worker() = Worker();
  set.set_generation(1);
  set.set_operation(wire::StoreRequest::SET);
  set.add_keys("k");
  set.set_value(std::string(5 << 20, 'x'));
  EXPECT_THAT(client->Store(set, kLong),
              StatusIs(absl::StatusCode::kResourceExhausted));
  ExpectAnswers();
}

// A key and a certificate for 127.0.0.1 that it signs itself.
class ServerTlsTest : public ServerTest {
 protected:
  void SetUp() override {
    if (!RunSubprocess("openssl").ok()) {
      GTEST_SKIP() << "TLS is not tested: there is no openssl(1)";
    }
  }

  Credentials Make(const std::string& name, int days = 30,
                   const std::string& alternative = "IP:127.0.0.1") {
    const std::string key = directory_.File(name + ".key");
    const std::string cert = directory_.File(name + ".crt");
    const std::string request = directory_.File(name + ".csr");
    const std::string extensions = directory_.File(name + ".ext");
    EXPECT_THAT(WriteFile(*FileSystem::Real(), extensions,
                          "subjectAltName=" + alternative + "\n"),
                IsOk());
    OpenSsl({"req", "-new", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
             "-keyout", key, "-out", request});
    OpenSsl({"x509", "-req", "-in", request, "-signkey", key, "-days",
             absl::StrCat(days), "-extfile", extensions, "-out", cert});
    Credentials credentials;
    credentials.tls_cert = FileSystem::Real()->ReadFile(cert).value_or("");
    credentials.tls_key = FileSystem::Real()->ReadFile(key).value_or("");
    return credentials;
  }

  // Who trusts the server of `credentials`.
  static Credentials Trusting(const Credentials& credentials) {
    Credentials trusting;
    trusting.tls_ca = credentials.tls_cert;
    return trusting;
  }

 private:
  static void OpenSsl(const std::vector<std::string>& arguments) {
    SubprocessOptions options;
    options.arguments = arguments;
    const auto result = RunSubprocess("openssl", options);
    ASSERT_THAT(result, IsOk());
    ASSERT_EQ(result->exit_code, 0) << result->stderr_text;
  }
};

TEST_F(ServerTlsTest, CallsGoEncrypted) {
  Credentials credentials = Make("good");
  credentials.token = RandomToken();
  Start(credentials);
  Credentials trusting = Trusting(credentials);
  trusting.token = credentials.token;
  EXPECT_THAT(Ask(*Client(trusting)), IsOk());
  trusting.token = "another";
  EXPECT_THAT(Ask(*Client(trusting)), StatusIs(kUnauthenticated));
}

TEST_F(ServerTlsTest, WhoWasWithoutTheServerForAWhileFindsTheNextOne) {
  const Credentials good = Make("good");
  Start(good);
  const std::string address = Address();
  const auto client = Client(Trusting(good));
  ASSERT_THAT(Ask(*client), IsOk());
  server_.reset();
  // Longer than gRPC waits between its first attempts.
  const absl::Time end = absl::Now() + absl::Seconds(1.5);
  while (absl::Now() < end) {
    ASSERT_THAT(Ask(*client), StatusIs(kUnavailable));
  }
  CHARRNN_ASSERT_OK_AND_ASSIGN(server_, StartServer({address, good}));
  EXPECT_THAT(Ask(*client), IsOk());
}

TEST_F(ServerTlsTest, ACertificateThatProvesNothingIsNotTrusted) {
  const Credentials good = Make("good");
  Start(good);
  // That of another authority, and none at all.
  EXPECT_THAT(Ask(*Client(Trusting(Make("other")))), StatusIs(kUnavailable));
  EXPECT_THAT(Ask(*Client()), StatusIs(kUnavailable));
  EXPECT_THAT(Ask(*Client(Trusting(good))), IsOk());
  for (const Credentials& bad :
       {Make("expired", /*days=*/-1), Make("elsewhere", 30, "IP:192.0.2.1")}) {
    server_.reset();
    Start(bad);
    EXPECT_THAT(Ask(*Client(Trusting(bad))), StatusIs(kUnavailable));
  }
}

TEST_F(ServerTlsTest, AServerInTheClearIsNotTalkedTo) {
  Start();
  EXPECT_THAT(Ask(*Client(Trusting(Make("good")))), StatusIs(kUnavailable));
  ExpectAnswers();
}

TEST_F(ServerTlsTest, CredentialsThatMakeNoSenseAreRefusedByTheirFlag) {
  const Credentials good = Make("good");
  EXPECT_THAT(CoordinatorServer::Check({"127.0.0.1:0", good}), IsOk());
  Credentials bad = good;
  bad.tls_key.clear();
  EXPECT_THAT(StartServer({"127.0.0.1:0", bad}),
              StatusIs(kFailedPrecondition, HasSubstr("--tls_key")));
  EXPECT_THAT(CoordinatorServer::Check({"127.0.0.1:0", bad}),
              StatusIs(kFailedPrecondition, HasSubstr("--tls_key")));
  bad = good;
  bad.tls_cert.clear();
  EXPECT_THAT(StartServer({"127.0.0.1:0", bad}),
              StatusIs(kFailedPrecondition, HasSubstr("--tls_cert")));
  EXPECT_THAT(CoordinatorServer::Check({"127.0.0.1:0", bad}),
              StatusIs(kFailedPrecondition, HasSubstr("--tls_cert")));
  bad.tls_cert = "nonsense";
  EXPECT_THAT(StartServer({"127.0.0.1:0", bad}),
              StatusIs(kFailedPrecondition, HasSubstr("--tls_cert")));
  EXPECT_THAT(CoordinatorServer::Check({"127.0.0.1:0", bad}),
              StatusIs(kFailedPrecondition, HasSubstr("--tls_cert")));
  bad = good;
  bad.tls_key = Make("other").tls_key;
  EXPECT_THAT(StartServer({"127.0.0.1:0", bad}),
              StatusIs(kFailedPrecondition, HasSubstr("--tls_key")));
  EXPECT_THAT(CoordinatorServer::Check({"127.0.0.1:0", bad}),
              StatusIs(kFailedPrecondition, HasSubstr("--tls_key")));
}

TEST(MayPassTest, WhatMayPassIsRepeated) {
  for (const absl::Status& passing :
       {absl::OkStatus(), absl::UnavailableError(""),
        absl::DeadlineExceededError(""), absl::UnknownError(""),
        absl::ResourceExhaustedError(""), absl::InternalError("")}) {
    EXPECT_TRUE(MayPass(passing)) << passing;
  }
  for (const absl::Status& final :
       {absl::AbortedError(""), absl::CancelledError(""),
        absl::InvalidArgumentError(""), absl::FailedPreconditionError(""),
        absl::UnauthenticatedError("")}) {
    EXPECT_FALSE(MayPass(final)) << final;
  }
}

}  // namespace
}  // namespace charrnn
