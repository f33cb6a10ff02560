#ifndef CHARRNN_DIST_COORDINATOR_SERVER_H_
#define CHARRNN_DIST_COORDINATOR_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dist/coordinator/credentials.h"
#include "dist/coordinator/job.h"

namespace charrnn {

// Puts a job on the network, by gRPC, with the standard health service and
// reflection beside it. A call that waits costs no thread. Raises the process's
// limit of open files, as each connection is one.
//
//   CHARRNN_ASSIGN_OR_RETURN(auto job, Job::Open(job_options));
//   CHARRNN_ASSIGN_OR_RETURN(
//       auto server, CoordinatorServer::Start(std::move(job), server_options));
//   server->job().AwaitEnd(absl::InfiniteDuration());
class CoordinatorServer {
 public:
  struct Options {
    // Where to be reached: "host:port"; port 0: any that is free.
    std::string listen = "127.0.0.1:0";
    Credentials credentials;
  };

  // InvalidArgument if the address is none; FailedPrecondition, naming it, if
  // it cannot be listened on or the credentials make no sense.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(
      std::unique_ptr<Job> job, const Options& options);

  // What Start() would say of `options` at this moment: for whoever opens a job
  // only if it can be served.
  static absl::Status Check(const Options& options);

  // Answers what still waits, and ends.
  ~CoordinatorServer();
  CoordinatorServer(const CoordinatorServer&) = delete;
  CoordinatorServer& operator=(const CoordinatorServer&) = delete;

  Job& job() { return *job_; }
  int port() const { return port_; }

 private:
  class Service;
  struct Grpc;

  CoordinatorServer();

  std::unique_ptr<Job> job_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Grpc> grpc_;
  int port_ = 0;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_SERVER_H_
