#include "dist/coordinator/client.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "dist/coordinator/checkpoint_upload.h"
#include "dist/coordinator/coordinator.grpc.pb.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/credentials.h"
#include "dist/coordinator/grpc_log.h"
#include "dist/coordinator/grpc_status.h"
#include "model/manifest.h"

namespace charrnn {
namespace {

// Reconnecting: left to itself, gRPC waits for up to two minutes.
constexpr int kFirstBackoffMs = 100;
constexpr int kMaxBackoffMs = 500;

// What a connection may take. A coordinator that is away refuses at once; a
// busy one, or a far one with TLS, needs its time.
constexpr int kConnectMs = 5'000;

// A coordinator whose host has gone without a word is noticed after the sum.
constexpr int kKeepaliveMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;

std::shared_ptr<grpc::Channel> MakeChannel(
    const CoordinatorClient::Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackoffMs);
  // By which gRPC means the former, whatever its name says.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxBackoffMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // Not a connection that another channel has given up.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A proxy that the environment names is for the web.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (options.credentials.tls_ca.empty()) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = options.credentials.tls_ca;
    credentials = grpc::SslCredentials(tls);
  }
  return grpc::CreateCustomChannel(options.address, credentials, arguments);
}

}  // namespace

struct CoordinatorClient::Grpc {
  using Stub = wire::Coordinator::Stub;

  // A call's context, known to Cancel() while it lives.
  class Context {
   public:
    Context(Grpc* grpc, const std::string& token, absl::Duration timeout)
        : grpc_(grpc) {
      context_.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
      if (!token.empty()) context_.AddMetadata(kTokenKey, token);
      const std::lock_guard<std::mutex> lock(grpc_->mutex);
      grpc_->contexts.insert(&context_);
      if (grpc_->cancelled) context_.TryCancel();
    }
    ~Context() {
      const std::lock_guard<std::mutex> lock(grpc_->mutex);
      grpc_->contexts.erase(&context_);
    }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    grpc::ClientContext* get() { return &context_; }

   private:
    Grpc* const grpc_;
    grpc::ClientContext context_;
  };

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(
      const std::string& token, absl::Duration timeout,
      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                   Response*),
      const Request& request) {
    Context context(this, token, timeout);
    Response response;
    const std::shared_ptr<Stub> used = CurrentStub();
    absl::Status status =
        Told((used.get()->*method)(context.get(), request, &response), used);
    if (!status.ok()) return status;
    return response;
  }

  std::shared_ptr<Stub> CurrentStub() {
    const std::lock_guard<std::mutex> lock(mutex);
    return stub;
  }

  // How a call over `used` ended. A coordinator that ends may cancel what it
  // has not answered, which is not what Cancelled means to the caller.
  absl::Status Told(const grpc::Status& status,
                    const std::shared_ptr<Stub>& used) {
    const std::lock_guard<std::mutex> lock(mutex);
    // A channel over TLS that has failed may never connect again
    // (github.com/grpc/grpc, issue 33593).
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE && stub == used) {
      stub = wire::Coordinator::NewStub(MakeChannel(options));
    }
    if (status.error_code() == grpc::StatusCode::CANCELLED && !cancelled) {
      return absl::UnavailableError("the coordinator has ended the call");
    }
    return FromGrpc(status);
  }

  explicit Grpc(const Options& the_options) : options(the_options) {
    SilenceGrpcLog();
    stub = wire::Coordinator::NewStub(MakeChannel(options));
  }

  const Options options;
  std::mutex mutex;
  std::shared_ptr<Stub> stub;               // guarded by mutex
  std::set<grpc::ClientContext*> contexts;  // guarded by mutex
  bool cancelled = false;                   // guarded by mutex
};

CoordinatorClient::CoordinatorClient(const Options& options)
    : address_(options.address),
      token_(options.credentials.token),
      grpc_(std::make_unique<Grpc>(options)) {}

CoordinatorClient::~CoordinatorClient() = default;

void CoordinatorClient::Cancel() {
  const std::lock_guard<std::mutex> lock(grpc_->mutex);
  grpc_->cancelled = true;
  for (grpc::ClientContext* context : grpc_->contexts) context->TryCancel();
}

#define CHARRNN_UNARY(Method)                                             \
  absl::StatusOr<wire::Method##Response> CoordinatorClient::Method(       \
      const wire::Method##Request& request, absl::Duration timeout) {     \
    return grpc_->Call(token_, timeout, &wire::Coordinator::Stub::Method, \
                       request);                                          \
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

absl::Status CoordinatorClient::PutCheckpoint(
    const wire::Worker& worker, int64_t generation, int64_t step,
    absl::Span<const CheckpointFile> files, absl::Duration timeout) {
  Grpc::Context context(grpc_.get(), token_, timeout);
  wire::PutCheckpointResponse response;
  const auto stub = grpc_->CurrentStub();
  const auto writer = stub->PutCheckpoint(context.get(), &response);
  wire::PutCheckpointRequest request;
  *request.mutable_worker() = worker;
  request.set_generation(generation);
  request.set_step(step);
  bool open = writer->Write(request);
  ChunkReader reader(files);
  while (open) {
    auto chunk = reader.Next();
    if (!chunk.has_value()) break;
    request.Clear();
    wire::CheckpointChunk& out = *request.mutable_chunk();
    out.set_file(chunk->file);
    out.set_file_size(chunk->file_size);
    out.set_offset(chunk->offset);
    out.set_data(std::move(chunk->data));
    out.set_crc32c(chunk->crc32c);
    open = writer->Write(request);
  }
  writer->WritesDone();
  return grpc_->Told(writer->Finish(), stub);
}

absl::StatusOr<std::vector<CheckpointFile>> CoordinatorClient::GetCheckpoint(
    int64_t step, absl::Duration timeout) {
  Grpc::Context context(grpc_.get(), token_, timeout);
  wire::GetCheckpointRequest request;
  request.set_step(step);
  const auto stub = grpc_->CurrentStub();
  const auto reader = stub->GetCheckpoint(context.get(), request);
  CheckpointAssembler assembler;
  wire::GetCheckpointResponse response;
  absl::Status added;
  while (reader->Read(&response)) {
    if (!added.ok()) continue;
    wire::CheckpointChunk& chunk = *response.mutable_chunk();
    added = assembler.Add({chunk.file(), chunk.file_size(), chunk.offset(),
                           std::move(*chunk.mutable_data()), chunk.crc32c()});
    if (!added.ok()) context.get()->TryCancel();
  }
  const absl::Status finished = grpc_->Told(reader->Finish(), stub);
  CHARRNN_RETURN_IF_ERROR(added);
  CHARRNN_RETURN_IF_ERROR(finished);
  return std::move(assembler).Finish();
}

bool MayPass(const absl::Status& error) {
  return error.ok() || absl::IsUnavailable(error) ||
         absl::IsDeadlineExceeded(error) || absl::IsUnknown(error) ||
         absl::IsResourceExhausted(error) || absl::IsInternal(error);
}

bool HasEnded(wire::JobState state) {
  return state == wire::FINISHED || state == wire::STOPPED ||
         state == wire::FAILED || state == wire::REFUSED;
}

}  // namespace charrnn
