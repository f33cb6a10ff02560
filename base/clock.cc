#include "base/clock.h"

#include <chrono>
#include <mutex>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace charrnn {
namespace {

class RealClock : public Clock {
 public:
  absl::Time Now() override { return absl::Now(); }

  absl::Duration Elapsed() override {
    return absl::FromChrono(
        std::chrono::steady_clock::now().time_since_epoch());
  }
};

}  // namespace

Clock* Clock::Real() {
  static Clock* const clock = new RealClock;
  return clock;
}

void FakeClock::Advance(absl::Duration duration) {
  std::lock_guard<std::mutex> lock(mutex_);
  elapsed_ += duration;
}

absl::Time FakeClock::Now() { return start_ + Elapsed(); }

absl::Duration FakeClock::Elapsed() {
  std::lock_guard<std::mutex> lock(mutex_);
  return elapsed_;
}

}  // namespace charrnn
