#ifndef CHARRNN_MODEL_NOTEBOOK_TORCH_ARCHIVE_H_
#define CHARRNN_MODEL_NOTEBOOK_TORCH_ARCHIVE_H_

// The files that torch.save writes since PyTorch 1.6, in memory: a zip archive
// (see zip_archive.h) of
//
//   <root>/data.pkl            what was saved, pickled (see pickle_reader.h)
//   <root>/.format_version     "1"
//   <root>/.storage_alignment  "64"
//   <root>/byteorder           "little"; older ones are without these three
//   <root>/data/<key>          a storage: the numbers that tensors are views of
//   <root>/version             "3\n"
//
// where <root> is the name that the file once had. PyTorch's sources are their
// description: torch/serialization.py and caffe2/serialize/inline_container.cc.

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/notebook/pickle_value.h"

namespace charrnn {

struct TorchArchive {
  Pickle pickle;
  std::map<std::string, absl::string_view> storages;  // by key
};

// Reads a file of unknown origin; the result holds views into `file`, which
// must outlive it. Possible errors: those of DecodeZip and DecodePickle, and
// InvalidArgument if a file of an older PyTorch, of torch.jit.save or from a
// big-endian machine is given, or one that torch.save did not write.
absl::StatusOr<TorchArchive> DecodeTorchArchive(absl::string_view file);

// The bytes of an archive that torch.load reads by default. The keys of
// `storages` are "0", "1" and so on. Equal arguments give equal bytes.
// Possible errors: those of EncodePickle and EncodeZip.
absl::StatusOr<std::string> EncodeTorchArchive(
    const Pickle& pickle, const std::vector<absl::string_view>& storages);

// A tensor of float32 numbers, each of which lies inside the file.
struct TorchTensor {
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements, none negative
  int64_t size = 0;              // elements; at most those of its storage
  absl::string_view bytes;       // the storage's, from the first element on
};

// The tensor `value`, of `archive`. InvalidArgument if it is none, or of
// another dtype than float32, which is named; if its storage is missing or not
// as long as it is said to be; or if it reaches out of it. Nothing is allocated
// from a size that the file names.
absl::StatusOr<TorchTensor> FindTensor(const TorchArchive& archive,
                                       const PickleValue& value);

// The bytes of the tensor's elements, row-major: those of the file if that is
// how they lie there, else a copy, which `copies` keeps.
absl::string_view RowMajorBytes(const TorchTensor& tensor,
                                std::list<std::string>& copies);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_NOTEBOOK_TORCH_ARCHIVE_H_
