#ifndef CHARRNN_CMD_JOB_REQUEST_H_
#define CHARRNN_CMD_JOB_REQUEST_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "cmd/training_flags.h"
#include "dist/coordinator/client.h"

namespace charrnn {

// What a process trains that has been given a coordinator.
struct JobRequest {
  TrainingRequest training;
  std::string config_json;  // of that
  // The job has one, and it may not be changed any more.
  bool is_the_jobs = false;
  std::string jobs_config_json;  // as it was then; may be empty
};

// What the flags say, and for those that the user has not typed, what the job
// has already. Waits for the coordinator, for `patience` at most.
//
// Possible errors: those of TrainingRequestFromFlags; Unavailable, naming the
// address, if nobody answers there; Unauthenticated.
absl::StatusOr<JobRequest> RequestFromJob(FileSystem& files,
                                          CoordinatorClient& client,
                                          absl::Duration patience,
                                          std::set<std::string> typed,
                                          const std::string& device);

}  // namespace charrnn

#endif  // CHARRNN_CMD_JOB_REQUEST_H_
