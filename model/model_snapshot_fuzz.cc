// A model that DecodeModel accepts, EncodeModel writes, and that file's model
// is written as the same file. All else is InvalidArgument.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "model/model_snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using charrnn::ModelSnapshot;
  const absl::string_view file(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<ModelSnapshot> read = charrnn::DecodeModel(file);
  if (!read.ok()) {
    CHARRNN_CHECK(absl::IsInvalidArgument(read.status())) << read.status();
    return 0;
  }
  const absl::StatusOr<std::string> written = charrnn::EncodeModel(*read);
  CHARRNN_CHECK(written.ok()) << written.status();
  const absl::StatusOr<ModelSnapshot> again = charrnn::DecodeModel(*written);
  CHARRNN_CHECK(again.ok()) << again.status();
  CHARRNN_CHECK(again->vocab == read->vocab);
  // Bytes, because a parameter may be NaN.
  const absl::StatusOr<std::string> same = charrnn::EncodeModel(*again);
  CHARRNN_CHECK(same.ok()) << same.status();
  CHARRNN_CHECK(*same == *written);
  return 0;
}
