#include "model/safetensors.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "base/strict_json.h"

namespace charrnn {
namespace {

using nlohmann::json;

constexpr size_t kPrefixSize = 8;
// The bound of the reference implementation.
constexpr uint64_t kMaxHeaderSize = 100'000'000;
constexpr size_t kAlignment = 64;
constexpr char kMetadataKey[] = "__metadata__";
// The header, a tensor, its shape.
constexpr int kHeaderDepth = 3;

struct DtypeSize {
  absl::string_view name;
  int64_t bytes;
};
constexpr std::array<DtypeSize, 15> kDtypes = {{{"BOOL", 1},
                                                {"U8", 1},
                                                {"I8", 1},
                                                {"F8_E4M3", 1},
                                                {"F8_E5M2", 1},
                                                {"U16", 2},
                                                {"I16", 2},
                                                {"F16", 2},
                                                {"BF16", 2},
                                                {"U32", 4},
                                                {"I32", 4},
                                                {"F32", 4},
                                                {"U64", 8},
                                                {"I64", 8},
                                                {"F64", 8}}};

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("safetensors: ", parts...));
}

// For messages: names come from the file.
std::string Quoted(absl::string_view name) {
  return json(std::string(name))
      .dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
}

// The number of bytes that `shape` of `dtype` takes.
absl::StatusOr<int64_t> ByteSize(const TensorView& tensor) {
  const auto* dtype =
      std::find_if(kDtypes.begin(), kDtypes.end(),
                   [&](const DtypeSize& d) { return d.name == tensor.dtype; });
  if (dtype == kDtypes.end()) {
    return Invalid("tensor ", Quoted(tensor.name), " has an unknown dtype ",
                   Quoted(tensor.dtype));
  }
  int64_t size = dtype->bytes;
  for (const int64_t extent : tensor.shape) {
    if (extent < 0 || __builtin_mul_overflow(size, extent, &size)) {
      return Invalid("tensor ", Quoted(tensor.name),
                     " has a shape that no memory holds");
    }
  }
  return size;
}

absl::StatusOr<std::map<std::string, std::string>> DecodeMetadata(
    const json& value) {
  if (!value.is_object()) return Invalid("__metadata__ is no object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      return Invalid("__metadata__ ", Quoted(key), " is no string");
    }
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

absl::StatusOr<int64_t> NonNegative(const json& value, absl::string_view what,
                                    absl::string_view name) {
  // Larger numbers than uint64_t holds are parsed as floating point.
  if (!value.is_number_unsigned() ||
      value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    return Invalid("tensor ", Quoted(name), " has an invalid ", what);
  }
  return value.get<int64_t>();
}

// One tensor's entry, with a view into `data`, whose size bounds the offsets.
absl::StatusOr<TensorView> DecodeTensor(const std::string& name,
                                        const json& entry,
                                        absl::string_view data) {
  TensorView tensor;
  tensor.name = name;
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    return Invalid("tensor ", Quoted(name),
                   " does not have exactly dtype, shape and data_offsets");
  }
  const json& dtype = entry["dtype"];
  const json& shape = entry["shape"];
  const json& offsets = entry["data_offsets"];
  if (!dtype.is_string() || !shape.is_array() || !offsets.is_array() ||
      offsets.size() != 2) {
    return Invalid("tensor ", Quoted(name), " has an entry of a wrong type");
  }
  tensor.dtype = dtype.get<std::string>();
  for (const json& extent : shape) {
    CHARRNN_ASSIGN_OR_RETURN(const int64_t value,
                             NonNegative(extent, "shape", name));
    tensor.shape.push_back(value);
  }
  CHARRNN_ASSIGN_OR_RETURN(const int64_t size, ByteSize(tensor));
  CHARRNN_ASSIGN_OR_RETURN(const int64_t begin,
                           NonNegative(offsets[0], "data offset", name));
  CHARRNN_ASSIGN_OR_RETURN(const int64_t end,
                           NonNegative(offsets[1], "data offset", name));
  if (begin > end || static_cast<uint64_t>(end) > data.size()) {
    return Invalid("tensor ", Quoted(name), " lies outside the file's data");
  }
  if (end - begin != size) {
    return Invalid("tensor ", Quoted(name), " has ", end - begin,
                   " bytes where its shape takes ", size);
  }
  tensor.bytes = data.substr(begin, size);
  return tensor;
}

}  // namespace

absl::StatusOr<std::string> EncodeSafetensors(
    const std::vector<TensorView>& tensors,
    const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  std::set<std::string> names = {kMetadataKey};
  size_t offset = 0;
  for (const TensorView& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      return Invalid("the tensor name ", Quoted(tensor.name), " is taken");
    }
    CHARRNN_ASSIGN_OR_RETURN(const int64_t size, ByteSize(tensor));
    if (static_cast<uint64_t>(size) != tensor.bytes.size()) {
      return Invalid("tensor ", Quoted(tensor.name), " has ",
                     tensor.bytes.size(), " bytes where its shape takes ",
                     size);
    }
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::type_error&) {
    return Invalid("a name or the metadata is not UTF-8");
  }
  text.resize(
      (kPrefixSize + text.size() + kAlignment - 1) / kAlignment * kAlignment -
          kPrefixSize,
      ' ');
  if (text.size() > kMaxHeaderSize) {
    return Invalid("a header of ", text.size(), " bytes is more than ",
                   kMaxHeaderSize);
  }

  std::string file;
  file.reserve(kPrefixSize + text.size() + offset);
  AppendLittleEndian(text.size(), kPrefixSize, &file);
  file += text;
  for (const TensorView& tensor : tensors) {
    file.append(tensor.bytes.data(), tensor.bytes.size());
  }
  return file;
}

absl::StatusOr<Safetensors> DecodeSafetensors(absl::string_view file) {
  if (file.size() < kPrefixSize) {
    return Invalid("a file of ", file.size(), " bytes has no header");
  }
  const uint64_t header_size = LittleEndian(file.substr(0, kPrefixSize));
  if (header_size > kMaxHeaderSize || header_size > file.size() - kPrefixSize) {
    return Invalid("a header of ", header_size, " bytes in a file of ",
                   file.size());
  }
  const absl::string_view data = file.substr(kPrefixSize + header_size);
  const absl::StatusOr<json> header =
      ParseStrictJson(file.substr(kPrefixSize, header_size), kHeaderDepth);
  if (!header.ok()) return Invalid("header: ", header.status().message());
  if (!header->is_object()) return Invalid("the header is no object");

  Safetensors result;
  for (const auto& [name, entry] : header->items()) {
    if (name == kMetadataKey) {
      CHARRNN_ASSIGN_OR_RETURN(result.metadata, DecodeMetadata(entry));
      continue;
    }
    CHARRNN_ASSIGN_OR_RETURN(TensorView tensor,
                             DecodeTensor(name, entry, data));
    result.tensors.push_back(std::move(tensor));
  }

  // By address; of those at the same one, empty tensors first.
  const auto position = [](const TensorView& tensor) {
    return std::make_pair(tensor.bytes.data(), tensor.bytes.size());
  };
  std::sort(result.tensors.begin(), result.tensors.end(),
            [&](const TensorView& a, const TensorView& b) {
              return position(a) < position(b);
            });
  const char* expected = data.data();
  for (const TensorView& tensor : result.tensors) {
    if (tensor.bytes.data() != expected) {
      return Invalid("tensor ", Quoted(tensor.name),
                     " leaves a gap or overlaps another");
    }
    expected += tensor.bytes.size();
  }
  const size_t rest = data.data() + data.size() - expected;
  if (rest != 0) {
    return Invalid(rest, " bytes behind the last tensor");
  }
  return result;
}

}  // namespace charrnn
