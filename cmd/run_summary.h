#ifndef CHARRNN_CMD_RUN_SUMMARY_H_
#define CHARRNN_CMD_RUN_SUMMARY_H_

#include "absl/status/status.h"
#include "base/files.h"
#include "cmd/run_start.h"

namespace charrnn {

// Tells a person what is about to be trained, a line each.
void DescribeRun(const RunStart& run);

// Writes the run's best model to where --save_path wants it, if it does.
absl::Status ExportBest(FileSystem& files, const RunStart& run);

// Tells a person where the report of the run is.
void NameReport(FileSystem& files, const RunStart& run);

}  // namespace charrnn

#endif  // CHARRNN_CMD_RUN_SUMMARY_H_
