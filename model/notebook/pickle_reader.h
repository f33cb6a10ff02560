#ifndef CHARRNN_MODEL_NOTEBOOK_PICKLE_READER_H_
#define CHARRNN_MODEL_NOTEBOOK_PICKLE_READER_H_

// Python's pickles, as far as torch.save needs them for dictionaries, lists,
// numbers, strings and tensors. Python's pickletools tells what each opcode
// does, torch/_utils.py and torch/serialization.py what tensors become.
//
// A pickle is a program for a stack machine, which may call any function of
// Python's. Here nothing is ever run: an opcode gives a value or is refused.

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/notebook/pickle_value.h"

namespace charrnn {

// Reads a pickle of unknown origin, of protocol 2 to 5. The result satisfies
// CheckPickle. An OrderedDict's attributes, such as a state_dict's _metadata,
// are dropped. Time and memory are bounded by the size of `bytes`, and by
// 5,000,000 values.
// InvalidArgument if it is anything else, naming an opcode that is not wanted
// and its offset, or the function or class that is: all are refused but
// OrderedDict, the storage types and torch._utils._rebuild_tensor_v2.
absl::StatusOr<Pickle> DecodePickle(absl::string_view bytes);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_NOTEBOOK_PICKLE_READER_H_
