#include "model/metrics/samples_file.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "model/metrics/display.h"
#include "model/train_observer.h"

namespace charrnn {

absl::StatusOr<std::unique_ptr<SamplesFile>> SamplesFile::Open(
    FileSystem* files, const std::string& path) {
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                           files->OpenForWrite(path, WriteMode::kAppend));
  return absl::WrapUnique(new SamplesFile(std::move(file)));
}

void SamplesFile::OnSample(const SampleReport& report) {
  log_.Append(absl::StrFormat("==== step %d, loss %.4f (%.3f bpc) ====\n%s\n\n",
                              report.step, report.loss,
                              BitsPerChar(report.loss), report.text));
}

}  // namespace charrnn
