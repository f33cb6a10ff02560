// A vocabulary that is read numbers its symbols from 0, finds each again, and
// is read as the same from what ToJson() makes of it. All else is
// InvalidArgument.

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "data/vocab.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using charrnn::Vocab;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Vocab> vocab = Vocab::FromJson(text);
  if (!vocab.ok()) {
    CHARRNN_CHECK(absl::IsInvalidArgument(vocab.status())) << vocab.status();
    return 0;
  }
  const absl::StatusOr<Vocab> again = Vocab::FromJson(vocab->ToJson());
  CHARRNN_CHECK(again.ok()) << again.status();
  CHARRNN_CHECK(*again == *vocab);

  CHARRNN_CHECK(vocab->size() >= 1);
  std::vector<int32_t> ids(vocab->size());
  std::iota(ids.begin(), ids.end(), 0);
  const absl::StatusOr<Vocab::Encoded> found =
      vocab->Encode(vocab->Decode(ids));
  CHARRNN_CHECK(found.ok()) << found.status();
  CHARRNN_CHECK(found->ids == ids);
  return 0;
}
