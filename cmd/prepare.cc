// Makes a shard set of texts, for train and others to read.

#include "data/prepare.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/one_line.h"
#include "base/status_macros.h"
#include "base/stop_signal.h"
#include "base/terminal_line.h"
#include "base/thread_pool.h"
#include "cmd/command_line.h"
#include "cmd/prepare_flags.h"
#include "cmd/prepare_progress.h"
#include "data/text_encoder.h"
#include "data/unknown_characters.h"
#include "model/metrics/display.h"

namespace charrnn {
namespace {

// What became of characters that the vocabulary lacks; empty if there are none.
std::string UnknownNote(const PrepareOptions& options,
                        const PrepareResult& result) {
  const UnknownCharacters& unknown = result.unknown;
  if (unknown.count() == 0) return "";
  const bool dropped =
      options.vocab.has_value() && options.unknown == UnknownPolicy::kDrop;
  return absl::StrCat(
      Counted(unknown.count(), "character"), " (", unknown.Shown(), ") ",
      options.vocab.has_value() ? "that the vocabulary lacks "
                                : absl::StrCat("that occur fewer than ",
                                               options.min_count, " times "),
      dropped ? "were left out" : "are read as U+FFFD");
}

std::string NameOfText(const std::vector<std::string>& inputs) {
  if (inputs.size() == 1) return OneLine(inputs.front());
  return Counted(static_cast<int64_t>(inputs.size()), "file");
}

void Describe(const PrepareOptions& options, const PrepareResult& result,
              absl::Duration elapsed) {
  if (const std::string note = UnknownNote(options, result); !note.empty()) {
    CHARRNN_LOG(WARNING) << note;
  }
  const double megabytes = static_cast<double>(result.text_bytes) / 1e6;
  CHARRNN_LOG(INFO) << "text     " << NameOfText(options.inputs) << ": "
                    << Counted(result.num_ids, "character") << " in "
                    << Counted(result.text_bytes, "byte") << ", vocabulary of "
                    << WithThousands(result.vocab_size);
  CHARRNN_LOG(INFO) << "split    " << WithThousands(result.split.train_size)
                    << " to train on, "
                    << WithThousands(result.split.validation_size)
                    << " to validate with, "
                    << WithThousands(result.split.test_size) << " to test with";
  CHARRNN_LOG(INFO) << "shards   " << options.output << ": "
                    << Counted(result.num_shards, "shard");
  CHARRNN_LOG(INFO) << "time     " << ShortDuration(elapsed)
                    << absl::StrFormat(
                           ", %.1f MB/s",
                           megabytes / absl::ToDoubleSeconds(elapsed));
}

absl::StatusOr<PrepareResult> PrepareAloud(FileSystem& files,
                                           PrepareRequest& request) {
  ThreadPool pool(request.num_threads);
  PrepareProgress progress(TerminalLine::ToStderr());
  request.options.progress = [&](const PrepareOptions::Progress& so_far) {
    progress.Show(so_far);
  };
  return Prepare(files, pool, request.options);
}

absl::Status RunPrepare(const CommandLine& command_line) {
  FileSystem& files = *FileSystem::Real();
  CHARRNN_ASSIGN_OR_RETURN(PrepareRequest request,
                           PrepareRequestFromFlags(files, command_line));
  StopSignal::Install(
      "prepare: stopping: what was made is removed; once more leaves at once");
  request.options.stop = StopSignal::Received;
  const absl::Duration start = Clock::Real()->Elapsed();
  CHARRNN_ASSIGN_OR_RETURN(const PrepareResult result,
                           PrepareAloud(files, request));
  Describe(request.options, result, Clock::Real()->Elapsed() - start);
  return absl::OkStatus();
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"prepare",
       "Makes a shard set of texts, which may be larger than memory: a folder "
       "for --data_path of train, train_dist and evaluate. A folder stands for "
       "all files in it.",
       /*arguments=*/"FILE_OR_FOLDER..."},
      charrnn::RunPrepare);
}
