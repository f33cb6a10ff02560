#include "model/model_file.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "model/model_snapshot.h"

namespace charrnn {

absl::StatusOr<std::string> FindModelFile(FileSystem& files,
                                          const std::string& path) {
  if (!files.Exists(path)) {
    return absl::NotFoundError(absl::StrCat(
        path,
        ": there is no such checkpoint: train a model first, or name "
        "another with --checkpoint"));
  }
  // A folder can be listed, through links as well.
  if (!files.ListDirectory(path).ok()) return path;
  for (const char* part : {"best", "latest", ""}) {
    std::string file = JoinPath(JoinPath(path, part), kModelFileName);
    if (files.Exists(file)) return file;
  }
  return absl::NotFoundError(
      absl::StrCat(path, ": holds no checkpoint yet (neither best/",
                   kModelFileName, " nor ", kModelFileName,
                   "): wait for the run's first one, or name another with "
                   "--checkpoint"));
}

absl::StatusOr<ModelSnapshot> LoadModel(FileSystem& files,
                                        const std::string& file) {
  CHARRNN_ASSIGN_OR_RETURN(const std::string bytes, files.ReadFile(file));
  auto model = DecodeModel(bytes);
  if (!model.ok()) {
    return Annotate(model.status(),
                    absl::StrCat(file, ": not a model that train has written"));
  }
  return model;
}

}  // namespace charrnn
