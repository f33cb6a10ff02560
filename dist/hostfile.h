#ifndef CHARRNN_DIST_HOSTFILE_H_
#define CHARRNN_DIST_HOSTFILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

struct HostfileEntry {
  // A name or address that CheckHostName() accepts; IPv6 without brackets.
  std::string host;

  // Workers to start there; 0: not told, as many as it has devices or cores.
  int slots = 0;
};

// More workers than this on one machine are taken for a mistake.
inline constexpr int kMaxSlots = 4096;

// Reads the text of a hostfile, one host a line:
//
//   # the cluster
//   gpu01                 as many workers as it has devices
//   gpu02:4               4 workers, as mpirun's --host has it
//   gpu03 slots=4         the same, as its --hostfile has it
//   [2001:db8::7]:4       an IPv6 address stands in brackets
//
// where what follows a '#' is a comment. Hosts stay in their order. Possible
// error: InvalidArgument, beginning with `name`, the file's, and the line
// ("hosts:3: ..."): a host that CheckHostName() does not accept or that is
// there twice, slots that are no number from 1 to kMaxSlots, anything else in a
// line; no host at all.
absl::StatusOr<std::vector<HostfileEntry>> ParseHostfile(
    absl::string_view name, absl::string_view text);

}  // namespace charrnn

#endif  // CHARRNN_DIST_HOSTFILE_H_
