// Whatever the bytes, DecodeZip refuses them, or gives members that EncodeZip
// writes and DecodeZip reads again.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "model/notebook/zip_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using charrnn::ZipMember;
  const absl::string_view file(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<std::vector<ZipMember>> members =
      charrnn::DecodeZip(file);
  if (!members.ok()) return 0;
  const absl::StatusOr<std::string> encoded = charrnn::EncodeZip(*members);
  CHARRNN_CHECK(encoded.ok()) << encoded.status();
  const absl::StatusOr<std::vector<ZipMember>> again =
      charrnn::DecodeZip(*encoded);
  CHARRNN_CHECK(again.ok()) << again.status();
  CHARRNN_CHECK(again->size() == members->size());
  for (size_t i = 0; i < members->size(); ++i) {
    CHARRNN_CHECK((*again)[i].name == (*members)[i].name);
    CHARRNN_CHECK((*again)[i].bytes == (*members)[i].bytes);
  }
  return 0;
}
