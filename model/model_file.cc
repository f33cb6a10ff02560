#include "model/model_file.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "model/manifest.h"
#include "model/model_snapshot.h"
#include "model/notebook/notebook_checkpoint.h"

namespace charrnn {
namespace {

constexpr char kSafetensors[] = ".safetensors";
constexpr char kNotebook[] = ".pt";

// With which a zip archive that holds anything begins (APPNOTE.TXT, 4.3.7); a
// safetensors file only if its header has 67,324,752 bytes.
constexpr absl::string_view kZipMagic = "PK\x03\x04";

// A pickle by itself, as PyTorch wrote before it wrote archives: PROTO, and
// then what no safetensors file begins with, whose first eight bytes are a
// number below 10^8.
bool IsBarePickle(absl::string_view bytes) {
  constexpr size_t kHeaderLength = 8;
  return absl::StartsWith(bytes, "\x80") && bytes.size() >= kHeaderLength &&
         LittleEndian(bytes.substr(0, kHeaderLength)) > 100'000'000;
}

// A file of a checkpoint against what its manifest says. Possible errors:
// InvalidArgument if it is not that; the file system's.
absl::Status CheckManifest(FileSystem& files, const std::string& file,
                           absl::string_view bytes) {
  const std::string folder = Dirname(file);
  const auto text = files.ReadFile(JoinPath(folder, kManifestFileName));
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  CHARRNN_RETURN_IF_ERROR(text.status());
  // Others have files of that name too.
  if (!absl::StartsWith(*text, "{\"format\":\"charrnn.") &&
      !absl::StartsWith(Basename(folder), "step-")) {
    return absl::OkStatus();
  }
  const absl::StatusOr<Manifest> manifest = Manifest::Decode(*text);
  absl::Status intact = manifest.status();
  if (manifest.ok()) {
    for (const std::string& name : manifest->names()) {
      if (name == Basename(file)) intact = manifest->Check(name, bytes);
    }
  }
  // Of input, and so no loss of ours.
  if (!absl::IsDataLoss(intact)) return intact;
  return absl::InvalidArgumentError(absl::StrCat(
      "is broken: ", intact.message(), ": name another checkpoint"));
}

}  // namespace

absl::StatusOr<std::string> FindModelFile(FileSystem& files,
                                          const std::string& path) {
  if (!files.Exists(path)) {
    return absl::NotFoundError(absl::StrCat(
        path,
        ": there is no such checkpoint: train a model first, or name one that "
        "there is"));
  }
  // A folder can be listed, through links as well.
  if (!files.ListDirectory(path).ok()) return path;
  std::vector<std::string> folders;
  for (const char* link : {"best", "latest"}) {
    // What it leads to now, for a run that goes on moves it.
    const auto target = files.ReadSymlink(JoinPath(path, link));
    if (target.ok()) folders.push_back(*target);
  }
  folders.emplace_back();
  // A run that ended before it could make its links.
  const std::string checkpoints = JoinPath(path, "checkpoints");
  if (const auto names = files.ListDirectory(checkpoints); names.ok()) {
    for (auto name = names->rbegin(); name != names->rend(); ++name) {
      // Unfinished, or set aside.
      if (absl::StrContains(*name, '.') &&
          !absl::EndsWith(*name, ".replaced")) {
        continue;
      }
      folders.push_back(JoinPath("checkpoints", *name));
    }
  }
  for (const std::string& folder : folders) {
    std::string file = JoinPath(JoinPath(path, folder), kModelFileName);
    if (files.Exists(file)) return file;
  }
  return absl::NotFoundError(absl::StrCat(
      path, ": holds no checkpoint (neither best/", kModelFileName, " nor ",
      kModelFileName,
      "): wait for its first one, or name a run's folder, a checkpoint's or a "
      "model's file"));
}

absl::StatusOr<ModelSnapshot> LoadModel(FileSystem& files,
                                        const std::string& file) {
  CHARRNN_ASSIGN_OR_RETURN(const std::string bytes, files.ReadFile(file));
  if (const absl::Status intact = CheckManifest(files, file, bytes);
      !intact.ok()) {
    return Annotate(intact, file);
  }
  absl::StatusOr<ModelSnapshot> model = DecodeModel(bytes);
  const char* expected = "not a model that train has written";
  if (!model.ok() && (absl::StartsWith(bytes, kZipMagic) ||
                      IsBarePickle(bytes) || absl::EndsWith(file, kNotebook))) {
    model = DecodeNotebookCheckpoint(bytes);
    expected = "not a model of the notebook's";
  }
  if (!model.ok()) {
    return Annotate(model.status(), absl::StrCat(file, ": ", expected));
  }
  if (!std::all_of(model->parameters.begin(), model->parameters.end(),
                   [](float weight) { return std::isfinite(weight); })) {
    return absl::InvalidArgumentError(absl::StrCat(
        file, ": has weights that are not finite: name another checkpoint"));
  }
  return model;
}

absl::StatusOr<NamedModel> FindAndLoadModel(FileSystem& files,
                                            const std::string& path) {
  CHARRNN_ASSIGN_OR_RETURN(std::string file, FindModelFile(files, path));
  absl::StatusOr<ModelSnapshot> model = LoadModel(files, file);
  if (absl::IsNotFound(model.status())) {
    // A run that goes on has deleted it meanwhile, and has newer ones.
    CHARRNN_ASSIGN_OR_RETURN(file, FindModelFile(files, path));
    model = LoadModel(files, file);
  }
  CHARRNN_RETURN_IF_ERROR(model.status());
  return NamedModel{std::move(file), *std::move(model)};
}

absl::Status CheckModelPath(FileSystem& files, const std::string& path) {
  if (!absl::EndsWith(path, kSafetensors) && !absl::EndsWith(path, kNotebook)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": the name must end in ", kSafetensors, " or ", kNotebook));
  }
  // Only a folder can be listed.
  if (!files.ListDirectory(Dirname(path)).ok()) {
    return absl::NotFoundError(
        absl::StrCat(path, ": there is no folder ", Dirname(path),
                     ": make it, or name another place"));
  }
  if (files.ListDirectory(path).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is a folder: name a file"));
  }
  return CheckWritable(files, path);
}

absl::Status SaveModel(FileSystem& files, const ModelSnapshot& model,
                       const std::string& path) {
  CHARRNN_ASSIGN_OR_RETURN(const std::string bytes,
                           absl::EndsWith(path, kNotebook)
                               ? EncodeNotebookCheckpoint(model)
                               : EncodeModel(model));
  return WriteFileAtomically(files, path, bytes);
}

}  // namespace charrnn
