#include "data/corpus_error.h"

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace charrnn {
namespace {

constexpr absl::string_view kMark = "charrnn/corpus";

}  // namespace

absl::Status CorpusError(absl::Status status) {
  status.SetPayload(kMark, absl::Cord());
  return status;
}

bool IsCorpusError(const absl::Status& status) {
  return status.GetPayload(kMark).has_value();
}

}  // namespace charrnn
