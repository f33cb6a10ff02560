#ifndef CHARRNN_TESTING_PYTORCH_COMPARISON_TURNS_H_
#define CHARRNN_TESTING_PYTORCH_COMPARISON_TURNS_H_

#include <cstdint>
#include <istream>
#include <ostream>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace charrnn {

// One side of a comparison, which computes only when it is its turn, so that
// the sides take turns on the same cores. What is said, a line each:
//
//   this side:  ready
//   the driver: 3                          a turn of three steps, or
//   this side:  103.211 101.760 102.014    their milliseconds
//   the driver: (closes the stream)        no further turn
//
// A step is timed from the end of the one before it, and a turn's first step
// from its beginning. One thread at a time.
class Turns {
 public:
  // None is owned.
  Turns(Clock* clock, std::istream* in, std::ostream* out)
      : clock_(*clock), in_(*in), out_(*out) {}

  // Says that this side is ready, and blocks until its first turn. Returns
  // whether there is one.
  bool Begin();

  // Notes that a step is done. After a turn's last one, answers and blocks
  // until the next turn. Returns whether there is a step to do.
  bool StepDone();

  // InvalidArgument, naming it, if the driver has said what is no turn; it
  // counts as none.
  const absl::Status& status() const { return status_; }

 private:
  // Whether a turn has begun.
  bool Await();

  Clock& clock_;
  std::istream& in_;
  std::ostream& out_;
  int64_t steps_left_ = 0;  // in this turn
  absl::Duration began_;    // the step under way
  std::vector<double> milliseconds_;
  absl::Status status_;
};

}  // namespace charrnn

#endif  // CHARRNN_TESTING_PYTORCH_COMPARISON_TURNS_H_
