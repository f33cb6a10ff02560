#include "cmd/run_summary.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cmd/device_flags.h"
#include "cmd/run_start.h"
#include "cmd/training_flags.h"
#include "data/chunk_index.h"
#include "data/stream_index.h"
#include "model/config.h"
#include "model/metrics/display.h"
#include "model/model_file.h"
#include "model/parameter_layout.h"
#include "model/training_plan.h"

namespace charrnn {

namespace {

// Characters between chunks that are farther apart than they are long, which
// nobody learns to predict.
std::string DescribeGaps(int64_t num_chunks, const TrainingConfig& training) {
  const int64_t gap = training.overlap_step - training.seq_len;
  const int64_t skipped = std::max<int64_t>(0, gap) * (num_chunks - 1);
  if (skipped == 0) return "";
  return absl::StrCat(" (--overlap_step skips ", Counted(skipped, "character"),
                      ")");
}

// What is read in which order, as one line.
std::string DescribeReading(const TrainingPlan& plan,
                            const TrainingConfig& training) {
  const std::string steps =
      absl::StrCat(Counted(plan.steps_per_epoch, "step"), " an epoch");
  const StreamIndex* const streams = plan.batches.streams();
  if (streams == nullptr) {
    return absl::StrCat(
        "chunks   ", WithThousands(plan.batches.chunks()->num_chunks()),
        " to train on",
        DescribeGaps(plan.batches.chunks()->num_chunks(), training), ", ",
        WithThousands(std::get<ChunkIndex>(plan.validation).num_chunks()),
        " to validate with; ", steps);
  }
  const auto& validation = std::get<StreamIndex>(plan.validation);
  return absl::StrCat(
      "streams  ", WithThousands(streams->num_streams()), " of ",
      Counted(streams->stream_len(), "character"), " to train on, ",
      WithThousands(validation.num_streams()), " of ",
      WithThousands(validation.stream_len()), " to validate with; ",
      streams->num_unread() > 0
          ? absl::StrCat(Counted(streams->num_unread(), "character"),
                         " at the end unread; ")
          : "",
      steps);
}

}  // namespace

void DescribeRun(const RunStart& run) {
  const TrainingRequest& request = run.request;
  for (const std::string& note : run.notes) CHARRNN_LOG(INFO) << note;
  CHARRNN_LOG(INFO) << "device   " << Describe(run.compute, request.precision);
  CHARRNN_LOG(INFO) << "text     " << request.corpus->name() << ": "
                    << Counted(request.corpus->size(), "character") << ", "
                    << request.model.vocab_size << " different";
  CHARRNN_LOG(INFO) << DescribeReading(run.plan, request.training);
  CHARRNN_LOG(INFO) << "model    " << RnnTypeName(request.model.rnn_type)
                    << ", "
                    << WithThousands(
                           ParameterLayout(request.model).num_parameters())
                    << " parameters";
  CHARRNN_LOG(INFO) << "run      " << run.directory.path;
}

absl::Status ExportBest(FileSystem& files, const RunStart& run) {
  if (run.request.save_path.empty()) return absl::OkStatus();
  CHARRNN_ASSIGN_OR_RETURN(const NamedModel best,
                           FindAndLoadModel(files, run.directory.path));
  CHARRNN_RETURN_IF_ERROR(SaveModel(files, best.model, run.request.save_path));
  CHARRNN_LOG(INFO) << "export   " << run.request.save_path;
  return absl::OkStatus();
}

void NameReport(FileSystem& files, const RunStart& run) {
  const std::string report = JoinPath(run.directory.path, "report.html");
  if (files.Exists(report)) CHARRNN_LOG(INFO) << "report   " << report;
}

}  // namespace charrnn
