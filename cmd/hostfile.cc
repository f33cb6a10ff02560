// Reads a hostfile for scripts: prints "host slots" for each host, in order;
// slots is 0 where the file does not tell them.

#include "dist/hostfile.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "cmd/command_line.h"

namespace charrnn {
namespace {

absl::Status PrintHosts(const CommandLine& command_line) {
  if (command_line.positional.size() != 1) {
    return absl::InvalidArgumentError("name one file");
  }
  const std::string& name = command_line.positional.front();
  CHARRNN_ASSIGN_OR_RETURN(const std::string text,
                           FileSystem::Real()->ReadFile(UserPath(name)));
  CHARRNN_ASSIGN_OR_RETURN(const std::vector<HostfileEntry> hosts,
                           ParseHostfile(name, text));
  std::string lines;
  for (const HostfileEntry& entry : hosts) {
    absl::StrAppend(&lines, entry.host, " ", entry.slots, "\n");
  }
  return WriteStdout(lines);
}

}  // namespace
}  // namespace charrnn

int main(int argc, char** argv) {
  return charrnn::RunMain(
      argc, argv,
      {"hostfile",
       "Checks a hostfile, and prints its hosts with their slots, one a line; "
       "0 where the file does not tell them.",
       "FILE"},
      charrnn::PrintHosts);
}
