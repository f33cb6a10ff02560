// Writes a trained model to a file of its own.

#include <filesystem>
#include <string>
#include <system_error>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"
#include "model/model_file.h"
#include "model/model_snapshot.h"

ABSL_FLAG(std::string, checkpoint, "runs/latest",
          "What to export: a run's folder (its best model), a step's folder, a "
          ".safetensors or a .pt file.");
ABSL_FLAG(std::string, output, "",
          "File to write: x.safetensors, or x.pt as the PyTorch notebook saves "
          "it.");

namespace charrnn {
namespace {

absl::Status Export(const CommandLine&) {
  FileSystem& files = *FileSystem::Real();
  const std::string output = UserPath(absl::GetFlag(FLAGS_output));
  if (output.empty()) {
    return absl::InvalidArgumentError(
        "--output: name the file to write, as in --output=model.pt");
  }
  if (const absl::Status fit = CheckModelPath(files, output); !fit.ok()) {
    return Annotate(fit, "--output");
  }
  CHARRNN_ASSIGN_OR_RETURN(
      const std::string input,
      FindModelFile(files, UserPath(absl::GetFlag(FLAGS_checkpoint))));
  std::error_code unknown;
  if (std::filesystem::equivalent(input, output, unknown)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--output=", output, ": is the file to export: name another one"));
  }
  CHARRNN_ASSIGN_OR_RETURN(const ModelSnapshot model, LoadModel(files, input));
  CHARRNN_RETURN_IF_ERROR(SaveModel(files, model, output));
  CHARRNN_LOG(INFO) << "model    " << input;
  CHARRNN_LOG(INFO) << "export   " << output;
  return absl::OkStatus();
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"export",
       "Writes a trained model to a file of its own, as .safetensors or for "
       "PyTorch.",
       /*arguments=*/""},
      charrnn::Export);
}
