// Manifests of unknown origin.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "model/manifest.h"

namespace charrnn {
namespace {

void Decode(absl::string_view text) {
  const absl::StatusOr<Manifest> manifest = Manifest::Decode(text);
  if (!manifest.ok()) {
    CHARRNN_CHECK(absl::IsDataLoss(manifest.status()) ||
                  absl::IsUnimplemented(manifest.status()))
        << manifest.status();
    return;
  }
  for (const std::string& name : manifest->names()) {
    // Nothing that leads out of a folder.
    CHARRNN_CHECK(!name.empty() && name != "." && name != ".." &&
                  name.find('/') == std::string::npos)
        << name;
    manifest->Check(name, text).IgnoreError();
  }
}

}  // namespace
}  // namespace charrnn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  charrnn::Decode(text);
  // Under the checksum that it should have, or hardly any comes further.
  charrnn::Decode(absl::StrCat(
      text, absl::StrFormat(",\"crc32c\":\"%08x\"}\n", charrnn::Crc32c(text))));
  return 0;
}
