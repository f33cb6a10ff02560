#include "testing/pytorch_comparison/turns.h"

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace charrnn {

bool Turns::Begin() {
  out_ << "ready" << std::endl;
  return Await();
}

bool Turns::StepDone() {
  const absl::Duration now = clock_.Elapsed();
  milliseconds_.push_back(absl::ToDoubleMilliseconds(now - began_));
  began_ = now;
  if (--steps_left_ > 0) return true;
  out_ << absl::StrJoin(milliseconds_, " ",
                        [](std::string* line, double milliseconds) {
                          absl::StrAppendFormat(line, "%.3f", milliseconds);
                        })
       << std::endl;
  milliseconds_.clear();
  return Await();
}

bool Turns::Await() {
  std::string line;
  if (!std::getline(in_, line)) return false;
  if (!absl::SimpleAtoi(line, &steps_left_) || steps_left_ < 1) {
    status_ = absl::InvalidArgumentError(absl::StrCat(
        "\"", line, "\": a turn is a number of steps, at least 1"));
    return false;
  }
  began_ = clock_.Elapsed();
  return true;
}

}  // namespace charrnn
