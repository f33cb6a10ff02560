#include "base/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

// What a handler may touch: lock-free atomics, and memory that never changes.
std::atomic<bool> received{false};
static_assert(std::atomic<bool>::is_always_lock_free);
const std::string* notice_line = nullptr;

void OnSignal(int signal_number) {
  const int error = errno;
  if (received.exchange(true)) {
    // Delivered as soon as this handler returns, with nobody to handle it.
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  } else {
    std::ignore =
        write(STDERR_FILENO, notice_line->data(), notice_line->size());
  }
  errno = error;
}

}  // namespace

void StopSignal::Install(absl::string_view notice) {
  // A terminal shows ^C where its cursor is. Never freed, for the handler's
  // sake.
  notice_line = new std::string(
      absl::StrCat(isatty(STDERR_FILENO) == 1 ? "\n" : "", notice, "\n"));
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) {
    struct sigaction action = {};
    if (sigaction(number, nullptr, &action) != 0) continue;
    if (action.sa_handler == SIG_IGN) continue;
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, nullptr);
  }
}

bool StopSignal::Received() { return received.load(); }

}  // namespace charrnn
