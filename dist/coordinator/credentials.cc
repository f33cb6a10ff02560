#include "dist/coordinator/credentials.h"

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace charrnn {

std::string RandomToken() {
  std::random_device device;  // the kernel's, on Linux
  std::string token;
  for (int i = 0; i < 4; ++i) {
    absl::StrAppend(&token, absl::StrFormat("%08x", uint32_t{device()}));
  }
  return token;
}

bool SameSecret(absl::string_view a, absl::string_view b) {
  // The length of a token is no secret.
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = difference | static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return difference == 0;
}

}  // namespace charrnn
