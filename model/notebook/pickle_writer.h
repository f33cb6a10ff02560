#ifndef CHARRNN_MODEL_NOTEBOOK_PICKLE_WRITER_H_
#define CHARRNN_MODEL_NOTEBOOK_PICKLE_WRITER_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/notebook/pickle_value.h"

namespace charrnn {

// The bytes of a pickle of protocol 2, of the shape that torch.save writes and
// torch.load reads by default (weights_only=True); see pickle_reader.h. What is
// named twice is written once. Equal values give equal bytes.
// Possible errors: those of CheckPickle.
absl::StatusOr<std::string> EncodePickle(const Pickle& pickle);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_NOTEBOOK_PICKLE_WRITER_H_
