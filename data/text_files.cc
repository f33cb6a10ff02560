#include "data/text_files.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "data/shard_format.h"

namespace charrnn {
namespace {

// What the first file of a shard set's or a checkpoint's folder is called.
constexpr std::array<const char*, 2> kManifests = {kShardManifestFileName,
                                                   "MANIFEST.json"};
constexpr absl::string_view kBeginning = "{\"format\":\"charrnn.";

// Whether `folder` holds no manifest of ours: a text of that name may be there.
absl::Status CheckHoldsTexts(FileSystem& files, const std::string& folder) {
  for (const char* name : kManifests) {
    const auto file = files.OpenForRead(JoinPath(folder, name));
    if (!file.ok()) continue;
    std::array<char, kBeginning.size()> bytes;
    const absl::StatusOr<size_t> size = (*file)->Read(absl::MakeSpan(bytes));
    if (!size.ok() || absl::string_view(bytes.data(), *size) != kBeginning) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        folder, ": is a shard set or a checkpoint, as its ", name,
        " says, and no text: name the texts that it was made of, or leave it "
        "out"));
  }
  return absl::OkStatus();
}

// Adds the files below `folder` in any order.
absl::Status AddFilesBelow(FileSystem& files, const std::string& folder,
                           std::vector<std::string>* found) {
  CHARRNN_RETURN_IF_ERROR(CheckHoldsTexts(files, folder));
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           files.ListDirectory(folder));
  for (const std::string& name : names) {
    if (name.front() == '.') continue;
    const std::string path = JoinPath(folder, name);
    CHARRNN_ASSIGN_OR_RETURN(const FileKind kind, files.Kind(path));
    if (kind == FileKind::kDirectory) {
      CHARRNN_RETURN_IF_ERROR(AddFilesBelow(files, path, found));
    } else if (kind == FileKind::kFile ||
               // Only a folder can be listed.
               (kind == FileKind::kSymlink &&
                !files.ListDirectory(path).ok())) {
      found->push_back(path);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FindTextFiles(
    FileSystem& files, const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  for (const std::string& path : paths) {
    CHARRNN_RETURN_IF_ERROR(CheckHoldsTexts(files, Dirname(path)));
    if (!files.ListDirectory(path).ok()) {
      found.push_back(path);
      continue;
    }
    std::vector<std::string> below;
    CHARRNN_RETURN_IF_ERROR(AddFilesBelow(files, path, &below));
    if (below.empty()) {
      return absl::NotFoundError(
          absl::StrCat(path, ": holds no files: name a folder of texts"));
    }
    std::sort(below.begin(), below.end());
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

absl::Status CheckOutside(const std::string& output,
                          const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  std::error_code unknown;
  const fs::path absolute = fs::weakly_canonical(output, unknown);
  if (unknown) return absl::OkStatus();  // Who makes it will say why not.
  for (const std::string& input : inputs) {
    const fs::path folder = fs::canonical(input, unknown);
    if (unknown || !fs::is_directory(folder, unknown)) continue;
    const auto [end, _] = std::mismatch(folder.begin(), folder.end(),
                                        absolute.begin(), absolute.end());
    if (end != folder.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--output=", output, ": lies in ", input,
                     ", which is to be read: name a folder elsewhere"));
  }
  return absl::OkStatus();
}

}  // namespace charrnn
