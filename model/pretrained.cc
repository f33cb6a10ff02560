#include "model/pretrained.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "model/char_rnn.h"
#include "model/config.h"
#include "model/model_file.h"
#include "model/model_snapshot.h"
#include "model/parameter_layout.h"
#include "model/torch_status.h"

namespace charrnn {

absl::StatusOr<Pretrained> LoadPretrained(FileSystem& files,
                                          const std::string& path,
                                          const std::string& device) {
  CHARRNN_ASSIGN_OR_RETURN(NamedModel loaded, FindAndLoadModel(files, path));
  ModelSnapshot& snapshot = loaded.model;
  std::unique_ptr<CharRnn> network;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("allocating the model", [&] {
    at::Tensor flat =
        at::empty({static_cast<int64_t>(snapshot.parameters.size())});
    std::copy(snapshot.parameters.begin(), snapshot.parameters.end(),
              flat.mutable_data_ptr<float>());
    network =
        std::make_unique<CharRnn>(snapshot.config, flat.to(at::Device(device)));
  }));
  std::string description =
      absl::StrCat(loaded.file, ": ", RnnTypeName(snapshot.config.rnn_type),
                   " of ", network->layout().num_parameters(), " parameters, ",
                   snapshot.vocab.size(), " characters known");
  return Pretrained{std::move(network), std::move(snapshot.vocab),
                    snapshot.data, std::move(description)};
}

}  // namespace charrnn
