#include "data/shard_format.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/crc32c.h"
#include "base/little_endian.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strict_json.h"
#include "data/packed_ids.h"
#include "data/split.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// The version is part of the name: a reader of version 1 refuses version 2.
constexpr char kFormat[] = "charrnn.shards.1";

// An object, its vocabulary, its symbols.
constexpr int kDepth = 3;

// Far above any disk, and so low that nothing computed from it overflows.
constexpr int64_t kMaxIds = int64_t{1} << 56;

constexpr absl::string_view kMagic = "charrnn\n";
constexpr uint32_t kShardVersion = 1;
constexpr int64_t kCrcBytes = sizeof(uint32_t);

// The footer: magic, version, id_bytes, index, num_ids, checksum.
constexpr int64_t kFooterBytes = 8 + 4 + 4 + 8 + 8 + kCrcBytes;

absl::Status Broken(absl::string_view what) {
  return absl::DataLossError(absl::StrCat(kShardManifestFileName, ": ", what));
}

std::string Hex(uint32_t crc32c) { return absl::StrFormat("%08x", crc32c); }

// What ends a manifest whose text before it is `body`.
std::string Ending(absl::string_view body) {
  return absl::StrCat(",\"crc32c\":\"", Hex(Crc32c(body)), "\"}\n");
}

// As JSON; a file's name need not be UTF-8, and JSON must be.
std::string Dump(const ordered_json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false,
                    ordered_json::error_handler_t::replace);
}

// `entries`, a line each.
template <typename Entry, typename Function>
std::string Lines(const std::vector<Entry>& entries, Function to_json) {
  std::string lines;
  for (const Entry& entry : entries) {
    absl::StrAppend(&lines, &entry == entries.data() ? "\n" : ",\n",
                    Dump(to_json(entry)));
  }
  return lines;
}

// Takes the values out of an object of unknown origin, and remembers the first
// one that is not as it should be.
class Fields {
 public:
  // `name` is what messages call the object.
  Fields(const json& object, std::string name)
      : object_(object), name_(std::move(name)) {}

  int64_t Count(const char* key) {
    const json* value = Find(key);
    if (value == nullptr || !value->is_number_unsigned() ||
        value->get<uint64_t>() > uint64_t{kMaxIds}) {
      return Fail<int64_t>(key);
    }
    return value->get<int64_t>();
  }

  double Number(const char* key) {
    const json* value = Find(key);
    if (value == nullptr || !value->is_number()) return Fail<double>(key);
    return value->get<double>();
  }

  std::string Text(const char* key) {
    const json* value = Find(key);
    if (value == nullptr || !value->is_string()) return Fail<std::string>(key);
    return value->get<std::string>();
  }

  uint32_t Checksum(const char* key) {
    uint32_t crc32c = 0;
    if (!absl::SimpleHexAtoi(Text(key), &crc32c)) return Fail<uint32_t>(key);
    return crc32c;
  }

  // The value under `key`, which is an object or an array; else an empty one.
  json Container(const char* key, json::value_t type) {
    const json* value = Find(key);
    if (value == nullptr || value->type() != type) return Fail<json>(key);
    return *value;
  }

  const absl::Status& status() const { return status_; }

 private:
  const json* Find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  template <typename Value>
  Value Fail(const char* key) {
    if (status_.ok()) {
      status_ = Broken(absl::StrCat(name_, " has no good \"", key, "\""));
    }
    return Value();
  }

  const json& object_;
  const std::string name_;
  absl::Status status_;
};

absl::StatusOr<std::vector<SourceFile>> SourcesOf(const json& array) {
  std::vector<SourceFile> sources;
  for (const json& value : array) {
    Fields fields(value, absl::StrCat("source ", sources.size()));
    sources.push_back({fields.Text("name"), fields.Count("bytes"),
                       fields.Checksum("crc32c")});
    CHARRNN_RETURN_IF_ERROR(fields.status());
  }
  return sources;
}

absl::StatusOr<std::vector<ShardEntry>> ShardsOf(const json& array) {
  std::vector<ShardEntry> shards;
  for (const json& value : array) {
    Fields fields(value, absl::StrCat("shard ", shards.size()));
    shards.push_back({fields.Count("ids"), fields.Checksum("crc32c")});
    CHARRNN_RETURN_IF_ERROR(fields.status());
  }
  return shards;
}

// The text of a manifest that is whole, as an object of this version.
absl::StatusOr<json> ParseManifest(absl::string_view text) {
  absl::string_view body = text;
  body.remove_suffix(std::min(text.size(), Ending("").size()));
  if (text != absl::StrCat(body, Ending(body))) {
    return Broken(
        "its bytes are not those that were written: copy or prepare the set "
        "again");
  }
  absl::StatusOr<json> object = ParseStrictJson(text, kDepth);
  if (!object.ok()) return Broken(object.status().message());
  Fields fields(*object, "it");
  const std::string format = fields.Text("format");
  CHARRNN_RETURN_IF_ERROR(fields.status());
  if (format != kFormat) {
    return absl::UnimplementedError(
        absl::StrCat(kShardManifestFileName, ": its format is '", format,
                     "', this program reads '", kFormat,
                     "': use the program that has written it"));
  }
  return object;
}

absl::Status CheckSplit(const ShardManifest& manifest) {
  const absl::StatusOr<Split> split =
      SplitCorpus(manifest.num_ids, manifest.fractions);
  if (!split.ok()) return Broken(split.status().message());
  const Split& claimed = manifest.split;
  if (claimed.train_size != split->train_size ||
      claimed.validation_size != split->validation_size ||
      claimed.test_size != split->test_size) {
    return Broken(absl::StrFormat(
        "it splits %d ids into %d, %d and %d where its fractions %g and %g "
        "make %d, %d and %d",
        manifest.num_ids, claimed.train_size, claimed.validation_size,
        claimed.test_size, manifest.fractions.validation,
        manifest.fractions.test, split->train_size, split->validation_size,
        split->test_size));
  }
  return absl::OkStatus();
}

// A symbol has one to four bytes of text, or is one byte.
absl::Status CheckTextBytes(const ShardManifest& manifest) {
  const bool bytes = manifest.vocab.encoding() == Encoding::kBytes;
  const int64_t most = manifest.num_ids * (bytes ? 1 : 4);
  if (manifest.text_bytes >= manifest.num_ids && manifest.text_bytes <= most) {
    return absl::OkStatus();
  }
  return Broken(absl::StrCat("it says that ", manifest.num_ids,
                             " ids stand for ", manifest.text_bytes,
                             " bytes of text"));
}

// Copies ids of the type `Id`, and returns the greatest one.
template <typename Id>
uint32_t Unpack(absl::string_view packed, absl::Span<int32_t> ids) {
  const char* next = packed.data();
  uint32_t greatest = 0;
  for (int32_t& id : ids) {
    Id value;  // In files as in memory: x86-64 is little-endian.
    std::memcpy(&value, next, sizeof(value));
    next += sizeof(value);
    greatest = std::max<uint32_t>(greatest, value);
    id = static_cast<int32_t>(value);
  }
  return greatest;
}

}  // namespace

std::string ShardFileName(int64_t index) {
  return absl::StrFormat("shard-%05d.ids", index);
}

absl::Status CheckShardManifest(const ShardManifest& manifest) {
  if (manifest.id_bytes != IdBytes(manifest.vocab.size())) {
    return Broken(absl::StrCat("it says that an id has ", manifest.id_bytes,
                               " bytes where its vocabulary of ",
                               manifest.vocab.size(), " makes ",
                               IdBytes(manifest.vocab.size())));
  }
  if (manifest.num_ids < 0 || manifest.num_ids > kMaxIds) {
    return Broken(
        absl::StrCat("it says that there are ", manifest.num_ids, " ids"));
  }
  int64_t total = 0;
  for (const ShardEntry& shard : manifest.shards) {
    if (shard.num_ids < 1 || shard.num_ids > manifest.num_ids - total) {
      return Broken(absl::StrCat("shard ", &shard - manifest.shards.data(),
                                 " cannot have ", shard.num_ids, " of ",
                                 manifest.num_ids, " ids"));
    }
    total += shard.num_ids;
  }
  if (total != manifest.num_ids) {
    return Broken(absl::StrCat("it says that there are ", manifest.num_ids,
                               " ids, and its shards have ", total));
  }
  CHARRNN_RETURN_IF_ERROR(CheckTextBytes(manifest));
  for (const SourceFile& source : manifest.sources) {
    if (source.bytes < 0) {
      return Broken(absl::StrCat("source ", source.name, " cannot have ",
                                 source.bytes, " bytes"));
    }
  }
  return CheckSplit(manifest);
}

std::string EncodeShardManifest(const ShardManifest& manifest) {
  ordered_json head;
  head["format"] = kFormat;
  head["vocab"] = ordered_json::parse(manifest.vocab.ToJson());
  head["id_bytes"] = manifest.id_bytes;
  head["ids"] = manifest.num_ids;
  head["ids_crc32c"] = Hex(manifest.ids_crc32c);
  head["text_bytes"] = manifest.text_bytes;
  head["val_fraction"] = manifest.fractions.validation;
  head["test_fraction"] = manifest.fractions.test;
  head["train"] = manifest.split.train_size;
  head["validation"] = manifest.split.validation_size;
  head["test"] = manifest.split.test_size;
  std::string body = Dump(head);
  body.pop_back();  // the object goes on
  absl::StrAppend(&body, ",\n\"sources\":[",
                  Lines(manifest.sources,
                        [](const SourceFile& source) {
                          return ordered_json{{"name", source.name},
                                              {"bytes", source.bytes},
                                              {"crc32c", Hex(source.crc32c)}};
                        }),
                  "],\n\"shards\":[",
                  Lines(manifest.shards,
                        [](const ShardEntry& shard) {
                          return ordered_json{{"ids", shard.num_ids},
                                              {"crc32c", Hex(shard.crc32c)}};
                        }),
                  "]");
  return absl::StrCat(body, Ending(body));
}

absl::StatusOr<ShardManifest> DecodeShardManifest(absl::string_view text) {
  CHARRNN_ASSIGN_OR_RETURN(const json object, ParseManifest(text));
  Fields fields(object, "it");
  const absl::StatusOr<Vocab> vocab =
      Vocab::FromJson(fields.Container("vocab", json::value_t::object).dump());
  CHARRNN_RETURN_IF_ERROR(fields.status());
  if (!vocab.ok()) return Broken(vocab.status().message());
  ShardManifest manifest(*vocab);
  manifest.id_bytes = static_cast<int>(
      std::min<int64_t>(fields.Count("id_bytes"), kFooterBytes));
  manifest.num_ids = fields.Count("ids");
  manifest.ids_crc32c = fields.Checksum("ids_crc32c");
  manifest.text_bytes = fields.Count("text_bytes");
  manifest.fractions = {fields.Number("val_fraction"),
                        fields.Number("test_fraction")};
  manifest.split = {fields.Count("train"), fields.Count("validation"),
                    fields.Count("test")};
  CHARRNN_ASSIGN_OR_RETURN(
      manifest.sources,
      SourcesOf(fields.Container("sources", json::value_t::array)));
  CHARRNN_ASSIGN_OR_RETURN(
      manifest.shards,
      ShardsOf(fields.Container("shards", json::value_t::array)));
  CHARRNN_RETURN_IF_ERROR(fields.status());
  CHARRNN_RETURN_IF_ERROR(CheckShardManifest(manifest));
  // Whatever is left in the text that no field has asked for.
  if (EncodeShardManifest(manifest) != text) {
    return Broken("it is not as this version writes it");
  }
  return manifest;
}

bool IsShardManifest(absl::string_view text) {
  return absl::StartsWith(text, "{\"format\":\"charrnn.shards.");
}

int64_t ShardFileBytes(int id_bytes, int64_t num_ids) {
  const int64_t id_area = num_ids * id_bytes;
  const int64_t blocks = (id_area + kShardBlockBytes - 1) / kShardBlockBytes;
  return id_area + blocks * kCrcBytes + kFooterBytes;
}

std::string EncodeShardEnd(const ShardLabel& label,
                           absl::Span<const uint32_t> block_crc32cs) {
  std::string end;
  end.reserve(block_crc32cs.size() * kCrcBytes + kFooterBytes);
  for (const uint32_t crc32c : block_crc32cs) {
    AppendLittleEndian(crc32c, kCrcBytes, &end);
  }
  absl::StrAppend(&end, kMagic);
  AppendLittleEndian(kShardVersion, 4, &end);
  AppendLittleEndian(label.id_bytes, 4, &end);
  AppendLittleEndian(label.index, 8, &end);
  AppendLittleEndian(label.num_ids, 8, &end);
  AppendLittleEndian(Crc32c(end), kCrcBytes, &end);
  return end;
}

uint32_t ShardCrc32c(absl::string_view shard_end) {
  CHARRNN_CHECK(shard_end.size() >= kCrcBytes) << shard_end.size();
  return static_cast<uint32_t>(
      LittleEndian(shard_end.substr(shard_end.size() - kCrcBytes)));
}

absl::Status CheckShardEnd(absl::string_view shard_end,
                           const ShardManifest& manifest, int64_t index) {
  const ShardEntry& entry = manifest.shards[index];
  const int64_t expected = ShardFileBytes(manifest.id_bytes, entry.num_ids) -
                           entry.num_ids * manifest.id_bytes;
  if (static_cast<int64_t>(shard_end.size()) != expected) {
    return absl::DataLossError(
        absl::StrCat("it has ", shard_end.size(),
                     " bytes behind its ids where there should be ", expected));
  }
  const absl::string_view summed =
      shard_end.substr(0, shard_end.size() - kCrcBytes);
  absl::string_view footer = shard_end.substr(shard_end.size() - kFooterBytes);
  if (footer.substr(0, kMagic.size()) != kMagic ||
      Crc32c(summed) != ShardCrc32c(shard_end)) {
    return absl::DataLossError(
        "its end is damaged, or it is no shard: copy or prepare it again");
  }
  const auto take = [&footer](size_t size) {
    const uint64_t value = LittleEndian(footer.substr(0, size));
    footer.remove_prefix(size);
    return value;
  };
  footer.remove_prefix(kMagic.size());
  const uint64_t version = take(4);
  if (version != kShardVersion) {
    return absl::UnimplementedError(absl::StrCat(
        "its format is version ", version, ", this program reads version ",
        kShardVersion, ": use the program that has written it"));
  }
  const uint64_t id_bytes = take(4);
  const uint64_t own_index = take(8);
  const uint64_t num_ids = take(8);
  if (own_index != static_cast<uint64_t>(index)) {
    return absl::DataLossError(
        absl::StrCat("is shard ", own_index, " of a set where shard ", index,
                     " should be: give the files their own names again"));
  }
  if (id_bytes != static_cast<uint64_t>(manifest.id_bytes) ||
      num_ids != static_cast<uint64_t>(entry.num_ids) ||
      ShardCrc32c(shard_end) != entry.crc32c) {
    return absl::DataLossError(
        absl::StrCat("belongs to another set than ", kShardManifestFileName,
                     ": copy both from one place, or prepare the set again"));
  }
  return absl::OkStatus();
}

absl::Status CheckShardBlock(absl::string_view block_bytes,
                             absl::string_view crc32c_bytes) {
  const uint32_t crc32c = Crc32c(block_bytes);
  const auto expected = static_cast<uint32_t>(LittleEndian(crc32c_bytes));
  if (crc32c == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "is damaged: the CRC32C is ", Hex(crc32c), " where the shard's table ",
      "says ", Hex(expected), ": copy or prepare it again"));
}

absl::Status UnpackIds(absl::string_view packed, int id_bytes, int vocab_size,
                       absl::Span<int32_t> ids) {
  CHARRNN_CHECK(packed.size() == ids.size() * id_bytes)
      << packed.size() << " bytes, " << ids.size() << " ids of " << id_bytes;
  uint32_t greatest = 0;
  switch (id_bytes) {
    case 1:
      greatest = Unpack<uint8_t>(packed, ids);
      break;
    case 2:
      greatest = Unpack<uint16_t>(packed, ids);
      break;
    default:
      greatest = Unpack<uint32_t>(packed, ids);
  }
  if (greatest < static_cast<uint32_t>(vocab_size)) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("holds the id ", greatest, ", beyond the vocabulary of ",
                   vocab_size, ": prepare the set again"));
}

}  // namespace charrnn
