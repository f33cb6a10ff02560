#ifndef CHARRNN_DIST_COORDINATOR_CLIENT_H_
#define CHARRNN_DIST_COORDINATOR_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "dist/coordinator/coordinator.pb.h"
#include "dist/coordinator/credentials.h"
#include "model/manifest.h"

namespace charrnn {

// A worker's or supervisor's way to the coordinator. Each call is made once and
// blocks until it is answered, for `timeout` at most. Thread-safe.
//
// Possible errors of every call: Unavailable or DeadlineExceeded, if the
// coordinator is away or busy: what is safe to repeat may be repeated;
// Unauthenticated, if it is another job's; Cancelled after Cancel(); and its
// own, which coordinator.proto and dist/PROTOCOL.md tell.
class CoordinatorClient {
 public:
  struct Options {
    std::string address;  // "host:port"
    Credentials credentials;
  };

  // Calls nobody yet.
  explicit CoordinatorClient(const Options& options);
  ~CoordinatorClient();
  CoordinatorClient(const CoordinatorClient&) = delete;
  CoordinatorClient& operator=(const CoordinatorClient&) = delete;

  const std::string& address() const { return address_; }

  absl::StatusOr<wire::OpenRunResponse> OpenRun(
      const wire::OpenRunRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::RegisterHostResponse> RegisterHost(
      const wire::RegisterHostRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::WatchHostResponse> WatchHost(
      const wire::WatchHostRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::ReportExitResponse> ReportExit(
      const wire::ReportExitRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::LeaveHostResponse> LeaveHost(
      const wire::LeaveHostRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::JoinResponse> Join(const wire::JoinRequest& request,
                                          absl::Duration timeout);
  absl::StatusOr<wire::HeartbeatResponse> Heartbeat(
      const wire::HeartbeatRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::StoreResponse> Store(const wire::StoreRequest& request,
                                            absl::Duration timeout);
  absl::StatusOr<wire::RecordResponse> Record(
      const wire::RecordRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::FinishResponse> Finish(
      const wire::FinishRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::GetStatusResponse> GetStatus(
      const wire::GetStatusRequest& request, absl::Duration timeout);
  absl::StatusOr<wire::StopResponse> Stop(const wire::StopRequest& request,
                                          absl::Duration timeout);

  absl::Status PutCheckpoint(const wire::Worker& worker, int64_t generation,
                             int64_t step,
                             absl::Span<const CheckpointFile> files,
                             absl::Duration timeout);
  absl::StatusOr<std::vector<CheckpointFile>> GetCheckpoint(
      int64_t step, absl::Duration timeout);

  // Ends the calls that are under way, and all later ones at once.
  void Cancel();

 private:
  struct Grpc;

  const std::string address_;
  const std::string token_;
  const std::unique_ptr<Grpc> grpc_;
};

// Whether a call that failed like this may succeed when it is repeated. True
// of success, too.
bool MayPass(const absl::Status& error);

// Whether a job in this state has ended.
bool HasEnded(wire::JobState state);

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_CLIENT_H_
