// A configuration that is read is valid, and it is read as the same from what
// ToJson() makes of it. All else is InvalidArgument.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "model/config.h"

namespace {

template <typename Config>
void Check(absl::StatusOr<Config> (*from_json)(absl::string_view),
           absl::string_view text) {
  const absl::StatusOr<Config> read = from_json(text);
  if (!read.ok()) {
    CHARRNN_CHECK(absl::IsInvalidArgument(read.status())) << read.status();
    return;
  }
  CHARRNN_CHECK(charrnn::Validate(*read).ok()) << charrnn::Validate(*read);
  const std::string written = charrnn::ToJson(*read);
  const absl::StatusOr<Config> again = from_json(written);
  CHARRNN_CHECK(again.ok()) << again.status();
  // Every field, and numbers with all their digits.
  CHARRNN_CHECK(charrnn::ToJson(*again) == written) << written;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  Check(charrnn::ModelConfigFromJson, text);
  Check(charrnn::TrainingConfigFromJson, text);
  Check(charrnn::DataConfigFromJson, text);
  Check(charrnn::SamplingConfigFromJson, text);
  return 0;
}
