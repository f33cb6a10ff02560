#ifndef CHARRNN_MODEL_NOTEBOOK_NOTEBOOK_CHECKPOINT_H_
#define CHARRNN_MODEL_NOTEBOOK_NOTEBOOK_CHECKPOINT_H_

// The checkpoints of the PyTorch notebook that this program replaces, `.pt`
// files (see torch_archive.h) of
//
//   torch.save({"model_state": model.state_dict(),
//               "config": {"rnn_type": "GRU", "embedding_dim": 256, ...},
//               "stoi": {"\n": 0, " ": 1, ...},
//               "itos": ["\n", " ", ...]}, path)
//
// where the model has the layers of ParameterLayout. The configuration holds
// ModelConfig's fields but vocab_size, DataConfig's and SamplingConfig's but
// the seed; what else it holds is not ours. It says three things of which the
// notebook knows nothing, where they are so: "test_fraction", above 0;
// "data_order": "streams"; and "encoding": "bytes" of models over bytes, which
// have the characters U+0000 to U+00FF for these.

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/model_snapshot.h"

namespace charrnn {

// The bytes of a file that the notebook goes on with, and that torch.load reads
// by default (weights_only=True). Equal models give equal bytes.
// InvalidArgument if the parts of `model` do not belong together; and the
// errors of EncodeZip, for models of 4 GiB.
absl::StatusOr<std::string> EncodeNotebookCheckpoint(
    const ModelSnapshot& model);

// Reads a file of unknown origin, from whatever device it was saved. `itos` may
// also be a dictionary {0: "\n", ...}, numbers may be ints where floats are
// meant, DataConfig's fields may be missing, for their defaults, and tensors
// may have the names that torch.compile and DistributedDataParallel give them.
// InvalidArgument, naming what is wrong, if it is anything else, also if the
// tensors are not exactly the model's and float32, if a character of `itos` is
// not one or not in ascending order, or if `stoi` does not say the same.
// Nothing in the file is run, and none of its sizes believed unchecked.
absl::StatusOr<ModelSnapshot> DecodeNotebookCheckpoint(absl::string_view file);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_NOTEBOOK_NOTEBOOK_CHECKPOINT_H_
