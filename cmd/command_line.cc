#include "cmd/command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "data/corpus_error.h"

namespace charrnn {
namespace {

// Flag files that name flag files: enough for people, and an end for one that
// names itself.
constexpr int kMaxFlagFileDepth = 8;

// The flags that every program knows, and their help.
constexpr absl::string_view kFlagFile = "flagfile";
constexpr absl::string_view kHelp = "help";
constexpr absl::string_view kVersionFlag = "version";

// Text from the user, fit for one line of a message.
std::string Shown(absl::string_view text) {
  constexpr size_t kMaxShown = 80;
  if (text.size() > kMaxShown) {
    return absl::StrCat(absl::Utf8SafeCHexEscape(text.substr(0, kMaxShown)),
                        "...");
  }
  return absl::Utf8SafeCHexEscape(text);
}

// The flags to show: a library's are not the user's business.
std::map<std::string, const absl::CommandLineFlag*> OurFlags() {
  std::map<std::string, const absl::CommandLineFlag*> result;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    const std::string file = flag->Filename();
    if (absl::StartsWith(file, "cmd/") || absl::StrContains(file, "/cmd/")) {
      result.emplace(name, flag);
    }
  }
  return result;
}

// How many characters must be inserted, deleted or replaced to make one of the
// other (Levenshtein's distance).
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

absl::Status UnknownFlag(absl::string_view name) {
  // Two letters that changed places, or a third of them wrong, is a slip; more
  // is another word. Part of a name ("epochs" of "num_epochs") is as near as
  // one wrong letter.
  size_t nearest =
      std::max(name.size() / 3, std::min<size_t>(2, name.size() / 2)) + 1;
  constexpr size_t kShortestPart = 4;
  std::string suggestion;
  std::vector<std::string> candidates = {
      std::string(kFlagFile), std::string(kHelp), std::string(kVersionFlag)};
  for (const auto& [candidate, flag] : OurFlags()) {
    candidates.push_back(candidate);
  }
  for (const std::string& candidate : candidates) {
    const bool part =
        name.size() >= kShortestPart && absl::StrContains(candidate, name);
    const size_t distance = part ? 1 : EditDistance(name, candidate);
    if (distance < nearest) {
      nearest = distance;
      suggestion = candidate;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown flag --", Shown(name),
      suggestion.empty() ? "; --help lists the flags"
                         : absl::StrCat("; did you mean --", suggestion, "?")));
}

template <typename T>
std::string WholeNumber() {
  return absl::StrCat("must be a whole number from ",
                      std::numeric_limits<T>::min(), " to ",
                      std::numeric_limits<T>::max());
}

// What is wrong with a value that `flag` refused, saying `error`.
std::string Expectation(const absl::CommandLineFlag& flag,
                        absl::string_view error) {
  if (flag.IsOfType<bool>()) return "must be true or false";
  if (flag.IsOfType<int32_t>()) return WholeNumber<int32_t>();
  if (flag.IsOfType<int64_t>()) return WholeNumber<int64_t>();
  if (flag.IsOfType<uint32_t>()) return WholeNumber<uint32_t>();
  if (flag.IsOfType<uint64_t>()) return WholeNumber<uint64_t>();
  if (flag.IsOfType<float>() || flag.IsOfType<double>()) {
    return "must be a number";
  }
  if (flag.IsOfType<absl::Duration>()) {
    return "must be a time with its unit, as in 500ms, 10s or 2m";
  }
  // absl's message, with what a type's own parser said after a semicolon.
  const std::vector<std::string> parts =
      absl::StrSplit(error, absl::MaxSplits("'; ", 1));
  // A flag file's or type's message may have lines; an error has one.
  return Shown(parts.back());
}

absl::Status SetFlag(absl::CommandLineFlag& flag, absl::string_view value) {
  std::string error;
  if (flag.ParseFrom(value, &error)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag.Name(), "=", Shown(value), ": ", Expectation(flag, error)));
}

absl::Status MissingValue(absl::string_view name, std::string example) {
  if (example.empty()) example = "VALUE";
  return absl::InvalidArgumentError(absl::StrCat(
      "--", name, ": needs a value, as in --", name, "=", example));
}

// Whether `argument` is a flag that there is, and so hardly another's value.
bool IsKnownFlag(absl::string_view argument) {
  if (!absl::ConsumePrefix(&argument, "--")) return false;
  const absl::string_view name = argument.substr(0, argument.find('='));
  return name == kFlagFile || name == kHelp || name == kVersionFlag ||
         absl::FindCommandLineFlag(name) != nullptr;
}

// Reads arguments one after the other.
class Parser {
 public:
  explicit Parser(CommandLine* result) : result_(*result) {}

  // Takes all of `arguments`, `depth` flag files deep.
  absl::Status Parse(absl::Span<const std::string> arguments, int depth) {
    while (!arguments.empty() &&
           result_.request == CommandLine::Request::kRun) {
      absl::string_view argument = arguments.front();
      arguments.remove_prefix(1);
      if (argument == "--") {
        result_.positional.insert(result_.positional.end(), arguments.begin(),
                                  arguments.end());
        return absl::OkStatus();
      }
      if (argument == "-" || !absl::ConsumePrefix(&argument, "-")) {
        result_.positional.emplace_back(argument);
        continue;
      }
      absl::ConsumePrefix(&argument, "-");
      CHARRNN_RETURN_IF_ERROR(ParseFlag(argument, &arguments, depth));
    }
    return absl::OkStatus();
  }

 private:
  // Takes the flag `text`, without its dashes, and its value, which may be the
  // first of `rest`.
  absl::Status ParseFlag(absl::string_view text,
                         absl::Span<const std::string>* rest, int depth) {
    const size_t equals = text.find('=');
    const bool has_value = equals != absl::string_view::npos;
    const absl::string_view name = text.substr(0, equals);
    absl::string_view value = has_value ? text.substr(equals + 1) : "";
    if (!has_value && (name == kHelp || name == "h")) {
      result_.request = CommandLine::Request::kHelp;
      return absl::OkStatus();
    }
    if (!has_value && name == kVersionFlag) {
      result_.request = CommandLine::Request::kVersion;
      return absl::OkStatus();
    }

    absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    if (flag == nullptr && !has_value && absl::StartsWith(name, "no")) {
      flag = absl::FindCommandLineFlag(name.substr(2));
      if (flag != nullptr && flag->IsOfType<bool>()) {
        result_.typed.emplace(flag->Name());
        return SetFlag(*flag, "false");
      }
      flag = nullptr;
    }
    if (flag == nullptr && name != kFlagFile) return UnknownFlag(name);

    if (!has_value && flag != nullptr && flag->IsOfType<bool>()) {
      value = "true";
    } else if (!has_value) {
      if (rest->empty() || IsKnownFlag(rest->front())) {
        return MissingValue(name,
                            flag == nullptr ? "FILE" : flag->DefaultValue());
      }
      value = rest->front();
      rest->remove_prefix(1);
    }
    if (flag == nullptr) return ParseFile(value, depth + 1);
    result_.typed.emplace(flag->Name());
    return SetFlag(*flag, value);
  }

  // Takes the flags in the file `name`, one a line, written as they would be
  // typed; a value may have spaces. # begins a line of comment.
  absl::Status ParseFile(absl::string_view name, int depth) {
    if (depth > kMaxFlagFileDepth) {
      return absl::InvalidArgumentError(
          absl::StrCat("--flagfile=", Shown(name), ": flag files name each ",
                       "other more than ", kMaxFlagFileDepth, " deep"));
    }
    const absl::StatusOr<std::string> text =
        FileSystem::Real()->ReadFile(UserPath(name));
    if (!text.ok()) return Annotate(text.status(), "--flagfile");
    int number = 0;
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      ++number;
      line = absl::StripAsciiWhitespace(line);
      if (line.empty() || line[0] == '#') continue;
      CHARRNN_RETURN_IF_ERROR(
          Annotate(ParseLine(line, depth),
                   absl::StrCat(absl::Utf8SafeCHexEscape(name), ":", number)));
    }
    return absl::OkStatus();
  }

  absl::Status ParseLine(absl::string_view line, int depth) {
    if (line[0] != '-' || line == "-" || line == "--") {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", Shown(line), "' is not a flag; write --name=value"));
    }
    std::vector<std::string> arguments;
    const size_t end_of_name = line.find_first_of("= \t");
    if (end_of_name == absl::string_view::npos || line[end_of_name] == '=') {
      arguments = {std::string(line)};
    } else {
      arguments = {std::string(line.substr(0, end_of_name)),
                   std::string(absl::StripLeadingAsciiWhitespace(
                       line.substr(end_of_name)))};
    }
    const size_t num_positional = result_.positional.size();
    CHARRNN_RETURN_IF_ERROR(Parse(arguments, depth));
    if (result_.positional.size() == num_positional) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "'", Shown(arguments.back()), "' follows a flag that takes none"));
  }

  CommandLine& result_;
};

// Appends `text`, indented, in lines of at most 80 characters.
void AppendWrapped(absl::string_view text, absl::string_view indent,
                   std::string* out) {
  constexpr size_t kWidth = 80;
  std::string line;
  for (const absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    if (!line.empty() && line.size() + 1 + word.size() > kWidth) {
      absl::StrAppend(out, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? indent : " ", word);
  }
  absl::StrAppend(out, line, "\n");
}

void AppendFlagHelp(absl::string_view flag, absl::string_view help,
                    std::string* out) {
  absl::StrAppend(out, "  --", flag, "\n");
  AppendWrapped(help, "      ", out);
}

absl::Status ParseAndRun(
    int argc, const char* const* argv, const Program& program,
    const std::function<absl::Status(const CommandLine&)>& run) {
  CHARRNN_ASSIGN_OR_RETURN(const CommandLine command_line,
                           ParseCommandLine(argc, argv, program));
  switch (command_line.request) {
    case CommandLine::Request::kHelp:
      return WriteStdout(HelpText(program));
    case CommandLine::Request::kVersion:
      return WriteStdout(
          absl::StrCat(program.name, " (charrnn) ", kVersion, "\n"));
    case CommandLine::Request::kRun:
      break;
  }
  return run(command_line);
}

// Gives the standard descriptors that the caller has closed to /dev/null. A
// file that is opened later would get their numbers, and with them what is
// written for a person.
void OpenStandardDescriptors() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(standard, F_GETFD) != -1) continue;
    // Not for writing to stdout: that its text is lost must not be kept secret.
    // The lowest free number is the one that is missing.
    open("/dev/null", standard == STDERR_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                             const Program& program) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1),
                                           argv + argc);
  CommandLine result;
  result.arguments = arguments;
  CHARRNN_RETURN_IF_ERROR(Parser(&result).Parse(arguments, /*depth=*/0));
  if (program.arguments.empty() && !result.positional.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unexpected argument '", Shown(result.positional[0]),
                     "'; flags begin with --, and --help lists them"));
  }
  return result;
}

std::map<std::string, std::string> FlagValues() {
  std::map<std::string, std::string> values;
  for (const auto& [name, flag] : OurFlags()) {
    values.emplace(name, flag->CurrentValue());
  }
  return values;
}

std::string HelpText(const Program& program) {
  std::string help;
  AppendWrapped(program.summary, "", &help);
  absl::StrAppend(&help, "\nUsage: ", program.name, " [flags]",
                  program.arguments.empty() ? "" : " ", program.arguments,
                  "\n\nFlags, with their defaults:\n");
  for (const auto& [name, flag] : OurFlags()) {
    const std::string value = flag->DefaultValue();
    const bool quoted = value.empty() || absl::StrContains(value, ' ');
    AppendFlagHelp(
        absl::StrCat(name, "=", quoted ? "\"" : "", value, quoted ? "\"" : ""),
        flag->Help(), &help);
  }
  absl::StrAppend(&help, "\n");
  AppendFlagHelp(
      "flagfile=FILE",
      "Reads flags from FILE, one a line; a line that begins with # is a "
      "comment.",
      &help);
  AppendFlagHelp("help", "Shows this text.", &help);
  AppendFlagHelp("version", "Shows the program's version.", &help);
  return help;
}

std::string UserPath(absl::string_view path) {
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  if (path.empty() || directory == nullptr) return std::string(path);
  return JoinPath(directory, path);
}

absl::Status WriteStdout(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(written);
    } else if (errno == EPIPE) {
      signal(SIGPIPE, SIG_DFL);
      raise(SIGPIPE);
    } else if (errno != EINTR) {
      // No fault of the input, whatever errno says: it may be EBADF.
      return absl::InternalError(
          absl::ErrnoToStatus(errno, "stdout: cannot write").message());
    }
  }
  return absl::OkStatus();
}

int ExitCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kUnauthenticated:
      return 2;
    case absl::StatusCode::kCancelled:
      return 3;
    default:
      return 1;
  }
}

int RunMain(int argc, const char* const* argv, const Program& program,
            const std::function<absl::Status(const CommandLine&)>& run) {
  signal(SIGPIPE, SIG_IGN);
  OpenStandardDescriptors();
  absl::Status status;
  try {
    status = ParseAndRun(argc, argv, program, run);
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& exception) {
    // LibTorch's texts go on with a stack trace.
    const std::string text = exception.what();
    status = absl::InternalError(text.substr(0, text.find('\n')));
  }
  if (!status.ok()) {
    WriteToStderr(absl::StrCat(
        program.name, ": ",
        absl::StrReplaceAll(status.message(), {{"\n", " "}}), "\n"));
  }
  // Damage in a text is bad input, which no code of its own says.
  return ExitCode(IsCorpusError(status) ? absl::StatusCode::kInvalidArgument
                                        : status.code());
}

}  // namespace charrnn
