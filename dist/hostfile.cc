#include "dist/hostfile.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "dist/host_name.h"

namespace charrnn {
namespace {

absl::StatusOr<int> ParseSlots(absl::string_view text) {
  int slots = 0;
  // Digits alone, which SimpleAtoi is not as strict about.
  const bool is_number =
      std::all_of(text.begin(), text.end(),
                  [](unsigned char c) { return absl::ascii_isdigit(c); }) &&
      absl::SimpleAtoi(text, &slots);
  if (is_number && slots >= 1 && slots <= kMaxSlots) return slots;
  return absl::InvalidArgumentError(absl::StrCat(
      "slots ", Quoted(text), " are not a number from 1 to ", kMaxSlots));
}

// Reads "host", "host:slots", "[host]" or "[host]:slots".
absl::StatusOr<HostfileEntry> ParseHost(absl::string_view word) {
  absl::string_view rest = word;
  absl::string_view host;
  if (absl::ConsumePrefix(&rest, "[")) {
    const size_t close = rest.find(']');
    host = rest.substr(0, close);
    // A name in brackets would be a second way to write it.
    if (close == absl::string_view::npos || !absl::StrContains(host, ':')) {
      return absl::InvalidArgumentError(
          absl::StrCat(Quoted(word), " is not an IPv6 address in brackets"));
    }
    rest.remove_prefix(close + 1);
  } else {
    host = rest.substr(0, rest.find(':'));
    rest.remove_prefix(host.size());
    if (std::count(rest.begin(), rest.end(), ':') > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(Quoted(word),
                       " has several colons: write an IPv6 address in "
                       "brackets, '[::1]'"));
    }
  }
  CHARRNN_RETURN_IF_ERROR(CheckHostName(host));
  HostfileEntry entry;
  entry.host = std::string(host);
  if (absl::ConsumePrefix(&rest, ":")) {
    CHARRNN_ASSIGN_OR_RETURN(entry.slots, ParseSlots(rest));
  } else if (!rest.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        Quoted(word), " has ", Quoted(rest), " behind the address"));
  }
  return entry;
}

// Reads a line that has at least one word.
absl::StatusOr<HostfileEntry> ParseLine(
    const std::vector<absl::string_view>& words) {
  CHARRNN_ASSIGN_OR_RETURN(HostfileEntry entry, ParseHost(words.front()));
  for (auto word = words.begin() + 1; word != words.end(); ++word) {
    absl::string_view slots = *word;
    if (!absl::ConsumePrefix(&slots, "slots=")) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown word ", Quoted(*word),
                       ": a line is a host and perhaps 'slots=N'"));
    }
    if (entry.slots != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the slots of host ", entry.host, " are told twice"));
    }
    CHARRNN_ASSIGN_OR_RETURN(entry.slots, ParseSlots(slots));
  }
  return entry;
}

}  // namespace

absl::StatusOr<std::vector<HostfileEntry>> ParseHostfile(
    absl::string_view name, absl::string_view text) {
  std::vector<HostfileEntry> entries;
  std::map<std::string, int> lines;  // of hosts in small letters
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line.substr(0, line.find('#')), absl::ByAnyChar(" \t\r"),
                       absl::SkipEmpty());
    if (words.empty()) continue;
    const std::string place = absl::StrCat(name, ":", number);
    absl::StatusOr<HostfileEntry> entry = ParseLine(words);
    if (!entry.ok()) return Annotate(entry.status(), place);
    // Names and addresses know no small and capital letters.
    const auto [first, is_new] =
        lines.emplace(absl::AsciiStrToLower(entry->host), number);
    if (!is_new) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ": host ", entry->host, " is in line ",
                       first->second, " already"));
    }
    entries.push_back(*std::move(entry));
  }
  if (entries.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": names no host; write one a line, as 'gpu01' or 'gpu01:4'"));
  }
  return entries;
}

}  // namespace charrnn
