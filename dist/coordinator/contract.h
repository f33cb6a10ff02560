#ifndef CHARRNN_DIST_COORDINATOR_CONTRACT_H_
#define CHARRNN_DIST_COORDINATOR_CONTRACT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// What all hosts of a job must agree on: that part of a run's config.json which
// decides what a step computes and what follows it. Paths, threads and the
// like are each host's own.
//
// Compares the configuration `theirs` with the job's. Possible errors:
// FailedPrecondition, naming the first setting that differs and both values;
// InvalidArgument if either is no configuration.
absl::Status CheckContract(absl::string_view job, absl::string_view theirs);

// The instruction set with which two hosts get the same bits: the lesser one of
// "baseline", "avx2", "avx512" and "amx". InvalidArgument, naming it, for
// another name.
absl::StatusOr<std::string> CommonInstructionSet(absl::string_view a,
                                                 absl::string_view b);

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_CONTRACT_H_
