// Rows of a batch, read from a corpus.

#ifndef CHARRNN_DATA_ROWS_H_
#define CHARRNN_DATA_ROWS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "data/corpus.h"

namespace charrnn {

// Fills `inputs`, [B, T], with the B rows of T ids that begin at `offsets`, and
// `targets`, [B, T], with the ids that follow each of them. Possible errors:
// those of Corpus::Read.
absl::Status ReadRows(const Corpus& corpus, absl::Span<const int64_t> offsets,
                      absl::Span<int32_t> inputs, absl::Span<int32_t> targets);

}  // namespace charrnn

#endif  // CHARRNN_DATA_ROWS_H_
