#ifndef CHARRNN_MODEL_SAFETENSORS_H_
#define CHARRNN_MODEL_SAFETENSORS_H_

// The safetensors format (https://github.com/huggingface/safetensors), in
// memory. All numbers are little-endian.
//
//   8 bytes   N, the header's length
//   N bytes   the header, one JSON object, padded at its end with spaces:
//               {"__metadata__": {"key": "value", ...},
//                "name": {"dtype": "F32", "shape": [2, 3],
//                         "data_offsets": [0, 24]}, ...}
//   the rest  the tensors' bytes, row-major, without gaps; offsets count from
//             its beginning
//
// Nothing in such a file is ever run, which is why checkpoints use it.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// A named tensor whose bytes belong to someone else.
struct TensorView {
  std::string name;
  std::string dtype;           // "F32", "BF16", "I64", ...
  std::vector<int64_t> shape;  // empty: a scalar
  absl::string_view bytes;     // row-major, little-endian
};

// What a file holds. The tensors' bytes point into the file's.
struct Safetensors {
  std::vector<TensorView> tensors;              // as they lie in the file
  std::map<std::string, std::string> metadata;  // "__metadata__"
};

// The bytes of a file with `tensors` in the given order. The header is padded
// so that the data begins at a multiple of 64 bytes, a cache line, for readers
// that map files. Equal arguments give equal bytes.
// InvalidArgument if a dtype is unknown, if a tensor's bytes are not as many
// as its shape says, if a name is taken twice or is "__metadata__", or if a
// string is not UTF-8.
absl::StatusOr<std::string> EncodeSafetensors(
    const std::vector<TensorView>& tensors,
    const std::map<std::string, std::string>& metadata);

// Reads a file of unknown origin; the result holds views into `file`, which
// must outlive it. InvalidArgument, naming what is wrong, unless every byte
// is accounted for: the header at most 100 MB and inside the file, one object
// without duplicate keys or anything but the above, sizes that match shapes
// and dtypes, and data without gap, overlap or rest.
absl::StatusOr<Safetensors> DecodeSafetensors(absl::string_view file);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_SAFETENSORS_H_
