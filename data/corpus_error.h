#ifndef CHARRNN_DATA_CORPUS_ERROR_H_
#define CHARRNN_DATA_CORPUS_ERROR_H_

#include "absl/status/status.h"

namespace charrnn {

// `status`, an error, marked as one of what a corpus holds or lacks: whenever
// it comes out, hours after the first step perhaps, it is the user's to mend,
// as other bad input is. Whoever passes a status on keeps the mark, Annotate()
// too.
absl::Status CorpusError(absl::Status status);

// Whether `status` is marked so.
bool IsCorpusError(const absl::Status& status);

}  // namespace charrnn

#endif  // CHARRNN_DATA_CORPUS_ERROR_H_
