#include "model/torch_status.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

std::string FirstLine(absl::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

absl::Status OutOfMemory(absl::string_view what, absl::string_view detail) {
  return absl::ResourceExhaustedError(
      absl::StrCat(what, ": out of memory (", FirstLine(detail),
                   "): lower --batch_size, --seq_len or --hidden_dim"));
}

}  // namespace

absl::Status CatchTorch(absl::string_view what, absl::FunctionRef<void()> f) {
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
    return absl::InternalError(absl::StrCat(what, ": ", FirstLine(text)));
  } catch (const std::bad_alloc& error) {
    return OutOfMemory(what, error.what());
  } catch (const std::exception& error) {
    return absl::InternalError(
        absl::StrCat(what, ": ", FirstLine(error.what())));
  }
}

}  // namespace charrnn
