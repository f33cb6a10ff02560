#include "base/errno_status.h"

#include <string.h>

#include <array>
#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace charrnn {

absl::Status ErrnoStatus(absl::string_view path, absl::string_view what) {
  const int error = errno;
  std::array<char, 256> buffer;
  return absl::Status(
      absl::ErrnoToStatusCode(error),
      absl::StrCat(path, ": ", what, ": ",
                   strerror_r(error, buffer.data(), buffer.size())));
}

}  // namespace charrnn
