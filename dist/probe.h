#ifndef CHARRNN_DIST_PROBE_H_
#define CHARRNN_DIST_PROBE_H_

#include <functional>

#include "absl/status/status.h"

namespace charrnn {

// Called at the points of a worker's life that are named, for tests that let
// something go wrong just there: what it does to the process is its affair, and
// an error is the worker's own. Null: nothing is called.
//
//   "as it joins"                  the generation before is over
//   "as a group forms"
//   "in a sync, as its source"     "in a sync, as a receiver"
//   "before the collective"        each step has one
//   "in the collective"
//   "after the collective"         on this rank; the update follows
//   "in validation"
//   "in an upload, before its commit"
//   "in an upload, after its commit"
using Probe = std::function<absl::Status(const char* point)>;

inline absl::Status CallProbe(const Probe& probe, const char* point) {
  return probe ? probe(point) : absl::OkStatus();
}

}  // namespace charrnn

#endif  // CHARRNN_DIST_PROBE_H_
