// Whatever the bytes, DecodeNotebookCheckpoint refuses them, or gives a model
// that EncodeNotebookCheckpoint writes and DecodeNotebookCheckpoint reads
// again.
//
// An input that is no archive stands for the data.pkl of one with the storages
// 0 to 6, of 64 numbers each: few changes to an archive get past its CRCs.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "model/model_snapshot.h"
#include "model/notebook/notebook_checkpoint.h"
#include "model/notebook/zip_archive.h"

namespace {

constexpr int kNumStorages = 7;
constexpr size_t kStorageSize = 256;

std::string Archive(absl::string_view pickle) {
  const std::string storage(kStorageSize, '?');
  std::vector<charrnn::ZipMember> members = {{"fuzz/data.pkl", pickle}};
  for (int i = 0; i < kNumStorages; ++i) {
    members.push_back({absl::StrCat("fuzz/data/", i), storage});
  }
  return *charrnn::EncodeZip(members);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using charrnn::ModelSnapshot;
  absl::string_view file(reinterpret_cast<const char*>(data), size);
  std::string archive;
  if (!absl::StartsWith(file, "PK")) {
    archive = Archive(file);
    file = archive;
  }
  const absl::StatusOr<ModelSnapshot> model =
      charrnn::DecodeNotebookCheckpoint(file);
  if (!model.ok()) return 0;
  const absl::StatusOr<std::string> encoded =
      charrnn::EncodeNotebookCheckpoint(*model);
  CHARRNN_CHECK(encoded.ok()) << encoded.status();
  const absl::StatusOr<ModelSnapshot> again =
      charrnn::DecodeNotebookCheckpoint(*encoded);
  CHARRNN_CHECK(again.ok()) << again.status();
  CHARRNN_CHECK(again->vocab == model->vocab);
  // Bytes, because a parameter may be no number.
  CHARRNN_CHECK(*charrnn::EncodeNotebookCheckpoint(*again) == *encoded);
  return 0;
}
