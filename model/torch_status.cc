#include "model/torch_status.h"

#include <c10/util/Exception.h>

#include <exception>
#include <mutex>
#include <new>
#include <set>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/log.h"

namespace charrnn {
namespace {

absl::string_view FirstLine(absl::string_view text) {
  return text.substr(0, text.find('\n'));
}

// Of the text of an error, what is for a user: its first line, without the
// place in the library's source, "[/a/b.cpp:12] ", that some begin with.
absl::string_view ForAUser(absl::string_view text) {
  absl::string_view line = FirstLine(text);
  if (absl::StartsWith(line, "[")) {
    const size_t end = line.find("] ");
    const absl::string_view place = line.substr(0, end);
    if (end != absl::string_view::npos && absl::StrContains(place, '/') &&
        absl::StrContains(place, ':')) {
      line.remove_prefix(end + 2);
    }
  }
  return line;
}

absl::Status OutOfMemory(absl::string_view what, absl::string_view detail) {
  return absl::ResourceExhaustedError(
      absl::StrCat(what, ": out of memory (", FirstLine(detail), ")"));
}

// Logs each of LibTorch's warnings the first time that it comes.
class WarnOnce : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!seen_.insert(warning.msg()).second) return;
    }
    CHARRNN_LOG(WARNING) << "LibTorch: " << FirstLine(warning.msg());
  }

 private:
  std::mutex mutex_;
  std::set<std::string> seen_;  // guarded by mutex_
};

}  // namespace

absl::Status CatchTorch(absl::string_view what, absl::FunctionRef<void()> f) {
  static WarnOnce* const warn_once = new WarnOnce;  // never destroyed
  const c10::WarningUtils::WarningHandlerGuard guard(warn_once);
  try {
    f();
    return absl::OkStatus();
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemory(what, error.what_without_backtrace());
  } catch (const c10::Error& error) {
    const absl::string_view text = error.what_without_backtrace();
    // The CPU's allocator has no exception type of its own.
    if (absl::StrContains(text, "DefaultCPUAllocator")) {
      return OutOfMemory(what, text);
    }
    return absl::InternalError(absl::StrCat(what, ": ", ForAUser(text)));
  } catch (const std::bad_alloc& error) {
    return OutOfMemory(what, error.what());
  } catch (const std::exception& error) {
    return absl::InternalError(
        absl::StrCat(what, ": ", ForAUser(error.what())));
  }
}

}  // namespace charrnn
