// trainer.json of unknown origin.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "model/train_progress.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<charrnn::TrainProgress> progress =
      charrnn::TrainProgressFromJson(text);
  if (!progress.ok()) return 0;
  const std::string json = ToJson(*progress);
  const absl::StatusOr<charrnn::TrainProgress> again =
      charrnn::TrainProgressFromJson(json);
  CHARRNN_CHECK(again.ok()) << again.status() << json;
  CHARRNN_CHECK(ToJson(*again) == json) << json;
  return 0;
}
