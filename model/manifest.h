#ifndef CHARRNN_MODEL_MANIFEST_H_
#define CHARRNN_MODEL_MANIFEST_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// MANIFEST.json tells what a checkpoint consists of, and is written last: a
// folder without one is no checkpoint.
//
//   {"format":"charrnn.checkpoint.1","files":[
//   {"name":"model.safetensors","size":1715216,"crc32c":"8a9136aa"},
//   {"name":"optimizer.safetensors","size":3428928,"crc32c":"2f7a1c09"}
//   ],"crc32c":"5b0f61d3"}
//
// Whatever changes in the format of a file that it lists changes this one's
// version too.
//
// The last checksum is that of all the text before it, up to and with "]".
inline constexpr char kManifestFileName[] = "MANIFEST.json";

// A file of a checkpoint.
struct CheckpointFile {
  std::string name;
  std::string bytes;
};

// The manifest of `files`, in their order. Equal files give equal bytes.
std::string EncodeManifest(const std::vector<CheckpointFile>& files);

// A manifest that has been read.
class Manifest {
 public:
  // Possible errors: Unimplemented, naming it, for a later version of the
  // format, which is no damage; DataLoss for what EncodeManifest has not
  // written or is damaged.
  static absl::StatusOr<Manifest> Decode(absl::string_view text);

  // The files' names, in order: plain names, each one once.
  std::vector<std::string> names() const;

  // Whether `bytes` are what the file `name` was. DataLoss names the file and
  // what is wrong; also if there is no such file.
  absl::Status Check(absl::string_view name, absl::string_view bytes) const;

 private:
  struct Entry {
    std::string name;
    size_t size = 0;
    std::string crc32c;
  };

  std::vector<Entry> entries_;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_MANIFEST_H_
