#ifndef CHARRNN_BASE_CLOCK_H_
#define CHARRNN_BASE_CLOCK_H_

#include <mutex>

#include "absl/time/time.h"

namespace charrnn {

// Tells the time. Passed to whatever has deadlines or measures durations, so
// that tests decide what time it is. Thread-safe.
//
//   const absl::Duration start = clock->Elapsed();
//   ...
//   report.wall_s = absl::ToDoubleSeconds(clock->Elapsed() - start);
class Clock {
 public:
  virtual ~Clock() = default;

  // The machine's clock; never destroyed.
  static Clock* Real();

  // The time of day, for people and file names; somebody may set it back.
  virtual absl::Time Now() = 0;

  // The time since a fixed but unknown moment; never goes back.
  virtual absl::Duration Elapsed() = 0;
};

// A clock that stands still until it is told to go on.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::UnixEpoch()) : start_(now) {}

  // Moves both readings on by `duration`, which is not negative.
  void Advance(absl::Duration duration);

  absl::Time Now() override;
  absl::Duration Elapsed() override;

 private:
  const absl::Time start_;
  std::mutex mutex_;
  absl::Duration elapsed_;  // guarded by mutex_
};

}  // namespace charrnn

#endif  // CHARRNN_BASE_CLOCK_H_
