// The smallest program on RunMain(), and one that fails in every way a program
// can; command_line_test.cc runs it.

#include <stdexcept>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cmd/command_line.h"
#include "data/corpus_error.h"

ABSL_FLAG(int, count, 1, "How many lines to write.");
ABSL_FLAG(std::string, fail, "",
          "How to fail: error, bad_input, damage, cancelled or exception.");

namespace {

absl::Status Run(const charrnn::CommandLine& command_line) {
  const std::string fail = absl::GetFlag(FLAGS_fail);
  if (fail == "error") return absl::InternalError("out of\nluck");
  if (fail == "bad_input") return absl::NotFoundError("no such text");
  if (fail == "damage") {
    return charrnn::CorpusError(absl::DataLossError("a bit was flipped"));
  }
  if (fail == "cancelled") return absl::CancelledError("stopped at step 3");
  if (fail == "exception") throw std::runtime_error("thrown\nstack trace");
  for (int i = 0; i < absl::GetFlag(FLAGS_count); ++i) {
    const absl::Status status = charrnn::WriteStdout(absl::StrCat(
        "line ", i, command_line.positional.empty() ? "" : " of ",
        command_line.positional.empty() ? "" : command_line.positional[0],
        "\n"));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv, {"example", "Writes lines.", /*arguments=*/"[TITLE]"}, Run);
}
