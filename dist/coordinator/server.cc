#include "dist/coordinator/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/status_macros.h"
#include "dist/coordinator/checkpoint_upload.h"
#include "dist/coordinator/coordinator.grpc.pb.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/credentials.h"
#include "dist/coordinator/grpc_log.h"
#include "dist/coordinator/grpc_status.h"
#include "dist/coordinator/job.h"
#include "dist/local_address.h"
#include "dist/open_file_limit.h"
#include "model/manifest.h"

namespace charrnn {
namespace {

// A connection that has not said by then what it wants is no worker's.
constexpr int kHandshakeMs = 10'000;

// A peer that has gone without a word is noticed after the sum of these.
constexpr int kKeepaliveMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;

// Collects a checkpoint, and answers once it is committed.
class Upload : public grpc::ServerReadReactor<wire::PutCheckpointRequest> {
 public:
  Upload(Job* job, wire::PutCheckpointResponse* response) : job_(job) {
    response->Clear();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Commit();
      return;
    }
    if (request_.has_worker()) {
      worker_ = request_.worker();
      generation_ = request_.generation();
      step_ = request_.step();
    }
    if (request_.has_chunk()) {
      wire::CheckpointChunk& chunk = *request_.mutable_chunk();
      const absl::Status added =
          assembler_.Add({chunk.file(), chunk.file_size(), chunk.offset(),
                          std::move(*chunk.mutable_data()), chunk.crc32c()});
      if (!added.ok()) {
        Finish(ToGrpc(added));
        return;
      }
    }
    StartRead(&request_);
  }

  void OnDone() override { delete this; }

 private:
  void Commit() {
    absl::StatusOr<std::vector<CheckpointFile>> files =
        std::move(assembler_).Finish();
    if (!files.ok()) {
      Finish(ToGrpc(files.status()));
      return;
    }
    job_->PutCheckpoint(
        worker_, generation_, step_, *std::move(files),
        [this](const absl::Status& status) { Finish(ToGrpc(status)); });
  }

  Job* const job_;
  wire::PutCheckpointRequest request_;
  wire::Worker worker_;
  int64_t generation_ = 0;
  int64_t step_ = 0;
  CheckpointAssembler assembler_;
};

// Sends a checkpoint.
class Download : public grpc::ServerWriteReactor<wire::GetCheckpointResponse> {
 public:
  Download(Job* job, int64_t step) {
    job->GetCheckpoint(step, &files_, [this](const absl::Status& status) {
      if (!status.ok()) {
        Finish(ToGrpc(status));
        return;
      }
      reader_ = std::make_unique<ChunkReader>(files_);
      Next();
    });
  }

  void OnWriteDone(bool ok) override {
    if (ok) {
      Next();
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }

  void OnDone() override { delete this; }

 private:
  void Next() {
    auto chunk = reader_->Next();
    if (!chunk.has_value()) {
      Finish(grpc::Status::OK);
      return;
    }
    wire::CheckpointChunk& out = *response_.mutable_chunk();
    out.set_file(chunk->file);
    out.set_file_size(chunk->file_size);
    out.set_offset(chunk->offset);
    out.set_data(std::move(chunk->data));
    out.set_crc32c(chunk->crc32c);
    StartWrite(&response_);
  }

  std::vector<CheckpointFile> files_;
  std::unique_ptr<ChunkReader> reader_;
  wire::GetCheckpointResponse response_;
};

// Refuses a stream.
template <typename Reactor>
class Refusal : public Reactor {
 public:
  explicit Refusal(const absl::Status& why) { this->Finish(ToGrpc(why)); }
  void OnDone() override { delete this; }
};

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(
    const Credentials& credentials) {
  SilenceGrpcLog();
  if (credentials.tls_cert.empty() != credentials.tls_key.empty()) {
    return absl::FailedPreconditionError(
        "--tls_cert and --tls_key go together: give both or neither");
  }
  if (credentials.tls_cert.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back(
      {credentials.tls_key, credentials.tls_cert});
  return grpc::SslServerCredentials(options);
}

// Whether a server could begin with these. gRPC does not tell a certificate
// that is none from an address that is taken.
bool MakeSense(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  grpc::CallbackGenericService nothing;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", credentials);
  builder.RegisterCallbackGenericService(&nothing);
  return builder.BuildAndStart() != nullptr;
}

absl::Status NoCertificate() {
  return absl::FailedPreconditionError(
      "--tls_cert, --tls_key: they are no certificate and its key, in PEM");
}

absl::Status CannotListen(const std::string& address) {
  return absl::FailedPreconditionError(absl::StrCat(
      address,
      ": cannot listen there: the address is in use, perhaps by another "
      "coordinator, or is none of this machine's"));
}

}  // namespace

class CoordinatorServer::Service : public wire::Coordinator::CallbackService {
 public:
  Service(Job* job, std::string token) : job_(job), token_(std::move(token)) {}

#define CHARRNN_UNARY(Method)                                            \
  grpc::ServerUnaryReactor* Method(grpc::CallbackServerContext* context, \
                                   const wire::Method##Request* request, \
                                   wire::Method##Response* response)     \
      override {                                                         \
    return Call(context, *request, response, &Job::Method);              \
  }
  CHARRNN_UNARY(OpenRun)
  CHARRNN_UNARY(RegisterHost)
  CHARRNN_UNARY(WatchHost)
  CHARRNN_UNARY(ReportExit)
  CHARRNN_UNARY(LeaveHost)
  CHARRNN_UNARY(Join)
  CHARRNN_UNARY(Heartbeat)
  CHARRNN_UNARY(Store)
  CHARRNN_UNARY(Record)
  CHARRNN_UNARY(Finish)
  CHARRNN_UNARY(GetStatus)
  CHARRNN_UNARY(Stop)
#undef CHARRNN_UNARY

  grpc::ServerReadReactor<wire::PutCheckpointRequest>* PutCheckpoint(
      grpc::CallbackServerContext* context,
      wire::PutCheckpointResponse* response) override {
    using Reactor = grpc::ServerReadReactor<wire::PutCheckpointRequest>;
    const absl::Status status = Authorize(*context);
    if (!status.ok()) return new Refusal<Reactor>(status);
    return new Upload(job_, response);
  }

  grpc::ServerWriteReactor<wire::GetCheckpointResponse>* GetCheckpoint(
      grpc::CallbackServerContext* context,
      const wire::GetCheckpointRequest* request) override {
    using Reactor = grpc::ServerWriteReactor<wire::GetCheckpointResponse>;
    const absl::Status status = Authorize(*context);
    if (!status.ok()) return new Refusal<Reactor>(status);
    return new Download(job_, request->step());
  }

 private:
  absl::Status Authorize(const grpc::CallbackServerContext& context) const {
    if (token_.empty()) return absl::OkStatus();
    const auto token = context.client_metadata().find(kTokenKey);
    if (token == context.client_metadata().end()) {
      return absl::UnauthenticatedError(
          "the coordinator wants the job's token: give --token_file");
    }
    if (!SameSecret({token->second.data(), token->second.size()}, token_)) {
      return absl::UnauthenticatedError(
          "the token is not this job's: give the --token_file of its "
          "coordinator");
    }
    return absl::OkStatus();
  }

  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context,
                                 const Request& request, Response* response,
                                 void (Job::*call)(const Request&, Response*,
                                                   const Job::Done&)) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const absl::Status status = Authorize(*context);
    if (!status.ok()) {
      reactor->Finish(ToGrpc(status));
      return reactor;
    }
    (job_->*call)(request, response, [reactor](const absl::Status& answer) {
      reactor->Finish(ToGrpc(answer));
    });
    return reactor;
  }

  Job* const job_;
  const std::string token_;
};

struct CoordinatorServer::Grpc {
  std::unique_ptr<grpc::Server> server;
};

CoordinatorServer::CoordinatorServer() = default;

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    std::unique_ptr<Job> job, const Options& options) {
  auto credentials = ServerCredentials(options.credentials);
  if (!credentials.ok()) return credentials.status();
  // gRPC would take 65536 for 0.
  CHARRNN_RETURN_IF_ERROR(ParseHostPort(options.listen).status());
  std::unique_ptr<CoordinatorServer> server(new CoordinatorServer);
  server->job_ = std::move(job);
  server->service_ =
      std::make_unique<Service>(server->job_.get(), options.credentials.token);
  static const bool plugged_in = [] {
    // Debian's abseil is built with its search for cycles of locks, which takes
    // a sixth of the time of a server with thousands of connections.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)plugged_in;
  RaiseOpenFileLimit();
  grpc::ServerBuilder builder;
  // gRPC shares ports by default, between strangers too.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             kHandshakeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             kKeepaliveTimeoutMs);
  builder.AddListeningPort(options.listen, *credentials, &server->port_);
  builder.RegisterService(server->service_.get());
  server->grpc_ = std::make_unique<Grpc>();
  server->grpc_->server = builder.BuildAndStart();
  if (server->grpc_->server == nullptr || server->port_ == 0) {
    return MakeSense(*credentials) ? CannotListen(options.listen)
                                   : NoCertificate();
  }
  return server;
}

absl::Status CoordinatorServer::Check(const Options& options) {
  auto credentials = ServerCredentials(options.credentials);
  if (!credentials.ok()) return credentials.status();
  CHARRNN_RETURN_IF_ERROR(ParseHostPort(options.listen).status());
  if (!MakeSense(*credentials)) return NoCertificate();
  // By a socket that is gone again at once, which gRPC's would not be.
  return CanListen(options.listen) ? absl::OkStatus()
                                   : CannotListen(options.listen);
}

CoordinatorServer::~CoordinatorServer() {
  // What waits is answered by the job's end; only then can the server end.
  if (grpc_ != nullptr && grpc_->server != nullptr) {
    job_->StopAnswering();
    grpc_->server->Shutdown(std::chrono::system_clock::now() +
                            std::chrono::milliseconds(200));
  }
}

}  // namespace charrnn
