#include "data/rows.h"

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "data/corpus.h"

namespace charrnn {

absl::Status ReadRows(const Corpus& corpus, absl::Span<const int64_t> offsets,
                      absl::Span<int32_t> inputs, absl::Span<int32_t> targets) {
  if (offsets.empty()) return absl::OkStatus();
  const size_t seq_len = inputs.size() / offsets.size();
  // All of them first: a disk is asked for a batch at once, not row by row.
  for (const int64_t offset : offsets) {
    corpus.WillRead(offset, static_cast<int64_t>(seq_len) + 1);
  }
  for (size_t row = 0; row < offsets.size(); ++row) {
    CHARRNN_RETURN_IF_ERROR(
        corpus.Read(offsets[row], inputs.subspan(row * seq_len, seq_len)));
    CHARRNN_RETURN_IF_ERROR(
        corpus.Read(offsets[row] + 1, targets.subspan(row * seq_len, seq_len)));
  }
  return absl::OkStatus();
}

}  // namespace charrnn
