// Whatever the bytes, DecodePickle refuses them, or gives a value that
// EncodePickle writes and DecodePickle reads again.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "model/notebook/pickle_reader.h"
#include "model/notebook/pickle_value.h"
#include "model/notebook/pickle_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using charrnn::Pickle;
  const absl::StatusOr<Pickle> pickle =
      charrnn::DecodePickle({reinterpret_cast<const char*>(data), size});
  if (!pickle.ok()) return 0;
  const absl::StatusOr<std::string> encoded = charrnn::EncodePickle(*pickle);
  CHARRNN_CHECK(encoded.ok()) << encoded.status();
  const absl::StatusOr<Pickle> again = charrnn::DecodePickle(*encoded);
  CHARRNN_CHECK(again.ok()) << again.status();
  // Values that share parts have no simple order; equal bytes mean equal ones.
  CHARRNN_CHECK(*charrnn::EncodePickle(*again) == *encoded);
  return 0;
}
