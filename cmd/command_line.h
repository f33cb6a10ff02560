#ifndef CHARRNN_CMD_COMMAND_LINE_H_
#define CHARRNN_CMD_COMMAND_LINE_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// A thin driver over absl's flags, in place of absl::ParseCommandLine(), which
// ends the process with code 1 on an unknown flag and after --help, and shows
// help by file name.
//
//   ABSL_FLAG(int, seq_len, 128, "Characters in a chunk.");
//
//   absl::Status Train(const charrnn::CommandLine& command_line) { ... }
//
//   int main(int argc, char** argv) {
//     return charrnn::RunMain(argc, argv,
//                             {"train", "Trains a model.", /*arguments=*/""},
//                             Train);
//   }
//
// Flags are written --name=value, --name value, or with one dash; a flag that
// is true or false also --name and --noname. The last one wins. `--` ends them.
// Every program also knows --flagfile=FILE, --help and --version.

namespace charrnn {

// What --version prints and a run's config.json records.
inline constexpr absl::string_view kVersion = "1.0.0";

// What a program says about itself.
struct Program {
  std::string name;     // as in "train: unknown flag --sede"
  std::string summary;  // what it does, in a sentence or two

  // What follows the flags, as "FILE_OR_FOLDER..."; empty: nothing may.
  std::string arguments;
};

// What the user gave, apart from the flags' values.
struct CommandLine {
  enum class Request { kRun, kHelp, kVersion };

  // kHelp and kVersion: nothing after that flag has been looked at.
  Request request = Request::kRun;

  // All that followed the program's name, as it was given.
  std::vector<std::string> arguments;

  // The arguments that are no flags.
  std::vector<std::string> positional;

  // The names of the flags that the user gave, here or in a flag file, so that
  // a default can be told from a wish.
  std::set<std::string> typed;
};

// Sets absl's flags from a program's arguments. Errors, one line each:
// kInvalidArgument for an unknown flag (suggests the nearest), a bad value
// (says what is expected), a missing value, an argument where none may be;
// a flag file's own, with its line, such as kNotFound. Flags before the error
// have been set.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                             const Program& program);

// Our own flags, those that files under cmd/ define, by name with the values
// that they have now.
std::map<std::string, std::string> FlagValues();

// What --help prints: what the program does, and the flags that files under
// cmd/ define, with their defaults, in lines of at most 80 characters.
std::string HelpText(const Program& program);

// A path as the user meant it: `bazel run` starts programs elsewhere, and says
// in BUILD_WORKING_DIRECTORY where the user was. Empty stays empty.
std::string UserPath(absl::string_view path);

// Writes all of `text` to stdout, unbuffered. Ends the process quietly, by
// SIGPIPE, if nobody reads any more, as in `sample | head`. Other errors: what
// the system says, such as kResourceExhausted for a full disk.
absl::Status WriteStdout(absl::string_view text);

// What a process ends with: 0 done, 2 bad input, 3 stopped by a signal
// (kCancelled), 1 any other failure. RunMain() has 2 for a CorpusError() too,
// whatever its code.
int ExitCode(absl::StatusCode code);

// A main function: parses the command line, answers --help and --version, or
// calls `run`, and returns the exit code. An error, or as a last resort an
// exception, is one line on stderr. Writing to a pipe or socket that nobody
// reads is an error of that call from here on, not the end of the process.
int RunMain(int argc, const char* const* argv, const Program& program,
            const std::function<absl::Status(const CommandLine&)>& run);

}  // namespace charrnn

#endif  // CHARRNN_CMD_COMMAND_LINE_H_
