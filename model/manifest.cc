#include "model/manifest.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/strict_json.h"

namespace charrnn {
namespace {

using nlohmann::json;

// The version is part of the name: a reader of version 1 refuses version 2.
constexpr char kFormat[] = "charrnn.checkpoint.1";

// An object, its files, one of them.
constexpr int kDepth = 3;

std::string ChecksumText(absl::string_view bytes) {
  return absl::StrFormat("%08x", Crc32c(bytes));
}

absl::Status Broken(absl::string_view what) {
  return absl::DataLossError(absl::StrCat(kManifestFileName, ": ", what));
}

// The string under `key` of a value that should be an object; else empty.
std::string StringAt(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : "";
}

// What ends a manifest whose text before it is `body`.
std::string Ending(absl::string_view body) {
  return absl::StrCat(",\"crc32c\":\"", ChecksumText(body), "\"}\n");
}

}  // namespace

std::string EncodeManifest(const std::vector<CheckpointFile>& files) {
  std::string body = absl::StrCat("{\"format\":\"", kFormat, "\",\"files\":[");
  for (const CheckpointFile& file : files) {
    nlohmann::ordered_json entry;
    entry["name"] = file.name;
    entry["size"] = file.bytes.size();
    entry["crc32c"] = ChecksumText(file.bytes);
    absl::StrAppend(&body, &file == files.data() ? "\n" : ",\n", entry.dump());
  }
  absl::StrAppend(&body, "\n]");
  return absl::StrCat(body, Ending(body));
}

absl::StatusOr<Manifest> Manifest::Decode(absl::string_view text) {
  absl::string_view body = text;
  body.remove_suffix(std::min(text.size(), Ending("").size()));
  if (text != absl::StrCat(body, Ending(body))) {
    return Broken("its bytes are not those that were written");
  }
  const absl::StatusOr<json> object = ParseStrictJson(text, kDepth);
  if (!object.ok()) return Broken(object.status().message());
  const std::string format = StringAt(*object, "format");
  if (format != kFormat) {
    return absl::UnimplementedError(
        absl::StrCat(kManifestFileName, ": its format is '", format,
                     "', this program reads '", kFormat,
                     "': use the program that has written it"));
  }
  const auto files = object->find("files");
  if (files == object->end() || !files->is_array()) {
    return Broken("it lists no files");
  }
  Manifest manifest;
  std::set<std::string> names;
  for (const json& file : *files) {
    Entry entry = {StringAt(file, "name"), 0, StringAt(file, "crc32c")};
    // It is joined to a folder's path.
    if (entry.name.empty() || entry.name == "." || entry.name == ".." ||
        absl::StrContains(entry.name, '/') ||
        !names.insert(entry.name).second) {
      return Broken("a file has no name of its own");
    }
    const auto size = file.find("size");
    if (size == file.end() || !size->is_number_unsigned()) {
      return Broken(absl::StrCat("file '", entry.name, "' has no size"));
    }
    entry.size = size->get<uint64_t>();
    manifest.entries_.push_back(std::move(entry));
  }
  return manifest;
}

std::vector<std::string> Manifest::names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const Entry& entry : entries_) names.push_back(entry.name);
  return names;
}

absl::Status Manifest::Check(absl::string_view name,
                             absl::string_view bytes) const {
  const auto entry = std::find_if(
      entries_.begin(), entries_.end(),
      [&](const Entry& candidate) { return candidate.name == name; });
  if (entry == entries_.end()) {
    return Broken(absl::StrCat("it does not list ", name));
  }
  if (bytes.size() != entry->size) {
    return absl::DataLossError(absl::StrCat(name, ": has ", bytes.size(),
                                            " bytes where ", kManifestFileName,
                                            " says ", entry->size));
  }
  if (ChecksumText(bytes) != entry->crc32c) {
    return absl::DataLossError(absl::StrCat(
        name, ": its bytes are not those that were written (their CRC32C is ",
        ChecksumText(bytes), ", ", kManifestFileName, " says ", entry->crc32c,
        ")"));
  }
  return absl::OkStatus();
}

}  // namespace charrnn
