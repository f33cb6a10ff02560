#ifndef CHARRNN_DIST_COLLECTIVE_AGREEMENT_H_
#define CHARRNN_DIST_COLLECTIVE_AGREEMENT_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "dist/collective/collective.h"
#include "model/trainer.h"

namespace charrnn {

// What the processes of a group agree upon with each step: the control vector.
// Each says what it wishes, how long its step took and what its grains' losses
// are, and all learn the same. One thread.
class Agreement {
 public:
  // What this process wishes at the moment; any thread's news.
  using LocalWish = std::function<Wish()>;

  // Nothing is owned, everything outlives this.
  Agreement(Collective* collective, Clock* clock, LocalWish local_wish)
      : collective_(collective),
        clock_(clock),
        local_wish_(std::move(local_wish)) {
    Resume();
  }

  // This process goes on after the last step's collective, or at the start:
  // from here on counts what its next step takes.
  void Resume() { step_began_ = clock_->Elapsed(); }

  // Meets the others. `values` has those of this process, zeros elsewhere, and
  // afterwards everybody's. Possible errors: the collective's.
  absl::Status Agree(absl::Span<double> values);

  // What all wish since the last step: kStop if anybody wishes to stop, else
  // kYield if anybody wishes to yield.
  Wish wish() const { return wish_; }

  // Of the last step: who was the last to arrive, and how long the step took
  // there up to the collective.
  int slowest_rank() const { return slowest_rank_; }
  absl::Duration slowest_step() const { return slowest_step_; }

 private:
  Collective* const collective_;
  Clock* const clock_;
  const LocalWish local_wish_;
  absl::Duration step_began_;
  Wish wish_ = Wish::kNone;
  int slowest_rank_ = 0;
  absl::Duration slowest_step_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COLLECTIVE_AGREEMENT_H_
