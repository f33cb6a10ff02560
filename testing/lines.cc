#include "testing/lines.h"

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "gtest/gtest.h"

namespace charrnn {

void Lines::Add(absl::string_view line) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lines_.emplace_back(line);
  news_.notify_all();
}

std::string Lines::Await(absl::string_view beginning,
                         const std::function<void()>& meanwhile,
                         absl::Duration longest) {
  std::string rest;
  const auto is_there = [&] {
    for (absl::string_view line : lines_) {
      if (absl::ConsumePrefix(&line, beginning)) {
        rest = std::string(line);
        return true;
      }
    }
    return false;
  };
  const absl::Time end = absl::Now() + longest;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!news_.wait_for(lock, std::chrono::milliseconds(150), is_there)) {
    if (absl::Now() > end) {
      ADD_FAILURE() << "no line began with '" << beginning << "'";
      break;
    }
    lock.unlock();
    meanwhile();
    lock.lock();
  }
  return rest;
}

bool Lines::Has(absl::string_view beginning) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const std::string& line : lines_) {
    if (absl::StartsWith(line, beginning)) return true;
  }
  return false;
}

LogCapture::LogCapture(Lines* lines) {
  SetLogSink([lines](LogSeverity /*severity*/, absl::string_view line) {
    lines->Add(line);
  });
}

LogCapture::~LogCapture() { SetLogSink(nullptr); }

}  // namespace charrnn
