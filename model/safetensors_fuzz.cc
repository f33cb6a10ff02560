// What DecodeSafetensors accepts is all of the file; EncodeSafetensors writes
// it, and it is read as the same. All else is InvalidArgument.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using charrnn::Safetensors;
  const absl::string_view file(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Safetensors> read = charrnn::DecodeSafetensors(file);
  if (!read.ok()) {
    CHARRNN_CHECK(absl::IsInvalidArgument(read.status())) << read.status();
    return 0;
  }
  const absl::StatusOr<std::string> written =
      charrnn::EncodeSafetensors(read->tensors, read->metadata);
  CHARRNN_CHECK(written.ok()) << written.status();
  const absl::StatusOr<Safetensors> again =
      charrnn::DecodeSafetensors(*written);
  CHARRNN_CHECK(again.ok()) << again.status();

  CHARRNN_CHECK(again->metadata == read->metadata);
  CHARRNN_CHECK(again->tensors.size() == read->tensors.size());
  // From the file's end to where the data begins.
  const char* end = file.data() + file.size();
  for (size_t i = read->tensors.size(); i-- > 0;) {
    const charrnn::TensorView& tensor = read->tensors[i];
    CHARRNN_CHECK(tensor.bytes.data() + tensor.bytes.size() == end);
    end = tensor.bytes.data();
    const charrnn::TensorView& same = again->tensors[i];
    CHARRNN_CHECK(same.name == tensor.name);
    CHARRNN_CHECK(same.dtype == tensor.dtype);
    CHARRNN_CHECK(same.shape == tensor.shape);
    CHARRNN_CHECK(same.bytes == tensor.bytes);
  }
  CHARRNN_CHECK(end >= file.data() + 8) << "data in the header's length";
  return 0;
}
