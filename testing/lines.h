#ifndef CHARRNN_TESTING_LINES_H_
#define CHARRNN_TESTING_LINES_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace charrnn {

// Collects the lines that others write on threads of their own, and waits for
// one. Thread-safe.
class Lines {
 public:
  void Add(absl::string_view line);

  // Blocks until there is a line that begins so, and calls `meanwhile` again
  // and again; returns the rest of the first such line. After `longest` the
  // test has failed, and the rest is empty.
  std::string Await(absl::string_view beginning,
                    const std::function<void()>& meanwhile,
                    absl::Duration longest = absl::Minutes(1));

  bool Has(absl::string_view beginning);

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<std::string> lines_;  // guarded by mutex_
};

// Has the lines of CHARRNN_LOG in `lines`, and not on stderr, while it lives.
class LogCapture {
 public:
  explicit LogCapture(Lines* lines);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
};

}  // namespace charrnn

#endif  // CHARRNN_TESTING_LINES_H_
