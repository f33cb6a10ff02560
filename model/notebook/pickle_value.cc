#include "model/notebook/pickle_value.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "data/utf8.h"

namespace charrnn {
namespace {

// The checkpoint, its optimizer's state, that of one parameter, a tensor, its
// size: real ones are not a tenth as deep.
constexpr int kMaxDepth = 64;
// Bounds what comparing keys with equal beginnings takes.
constexpr size_t kMaxKeySize = 256;
// PyTorch's own bound.
constexpr size_t kMaxDimensions = 64;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("pickle: ", parts...));
}

// Visits each value once, whatever names it.
class Checker {
 public:
  explicit Checker(const Pickle& pickle)
      : pickle_(pickle), heights_(pickle.values.size(), kUnseen) {}

  // Checks the value `id`, which lies `depth` deep, and what it consists of.
  absl::Status Visit(PickleId id, int depth) {
    if (id >= pickle_.values.size()) return Invalid("a value is missing");
    if (heights_[id] == kOnTheWay) return Invalid("a value holds itself");
    if (heights_[id] != kUnseen) {
      return depth + heights_[id] > kMaxDepth ? TooDeep() : absl::OkStatus();
    }
    if (depth > kMaxDepth) return TooDeep();
    heights_[id] = kOnTheWay;
    const PickleValue& value = pickle_[id];
    int height = 0;
    for (const PickleId item : value.items) {
      CHARRNN_RETURN_IF_ERROR(Visit(item, depth + 1));
      height = std::max(height, heights_[item] + 1);
    }
    heights_[id] = static_cast<int8_t>(height);
    return Check(value);
  }

 private:
  static constexpr int8_t kUnseen = -1;
  static constexpr int8_t kOnTheWay = -2;

  static absl::Status TooDeep() {
    return Invalid("values lie more than ", kMaxDepth, " deep");
  }

  // `value` itself; its items have been seen.
  absl::Status Check(const PickleValue& value) const {
    switch (value.kind) {
      case PickleKind::kNone:
      case PickleKind::kBool:
      case PickleKind::kInt:
      case PickleKind::kFloat:
        return value.items.empty() ? absl::OkStatus() : Malformed(value);
      case PickleKind::kString:
        if (!value.items.empty() || value.text.size() > UINT32_MAX) {
          return Malformed(value);
        }
        return DecodeUtf8(value.text, [](char32_t) {}).ok()
                   ? absl::OkStatus()
                   : Invalid("a string is not UTF-8");
      case PickleKind::kTuple:
      case PickleKind::kList:
        return absl::OkStatus();
      case PickleKind::kDict:
      case PickleKind::kOrderedDict:
        return CheckDict(value);
      case PickleKind::kStorageType:
        return CheckStorageType(value);
      case PickleKind::kStorage:
        return Are(value, {PickleKind::kStorageType, PickleKind::kString,
                           PickleKind::kString, PickleKind::kInt})
                   ? absl::OkStatus()
                   : Malformed(value);
      case PickleKind::kTensor:
        return CheckTensor(value);
      case PickleKind::kFunction:
        return Invalid("the function ", absl::CHexEscape(value.text),
                       " is not called");
    }
    return Invalid("an unknown kind of value");
  }

  static absl::Status Malformed(const PickleValue& value) {
    return Invalid(PickleKindName(value.kind), " is not made as torch.save ",
                   "makes it");
  }

  bool Is(PickleId id, PickleKind kind) const {
    return pickle_[id].kind == kind;
  }

  bool Are(const PickleValue& value,
           const std::vector<PickleKind>& kinds) const {
    return std::equal(
        value.items.begin(), value.items.end(), kinds.begin(), kinds.end(),
        [&](PickleId id, PickleKind kind) { return Is(id, kind); });
  }

  absl::Status CheckDict(const PickleValue& dict) const {
    if (dict.items.size() % 2 != 0) return Malformed(dict);
    std::vector<absl::string_view> strings;
    std::vector<int64_t> integers;
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleValue& key = pickle_[dict.items[i]];
      if (key.kind == PickleKind::kInt) {
        integers.push_back(key.integer);
      } else if (key.kind != PickleKind::kString) {
        return Invalid("a key is ", PickleKindName(key.kind),
                       ", neither a string nor an int");
      } else if (key.text.size() > kMaxKeySize) {
        return Invalid("a key has ", key.text.size(), " bytes, more than ",
                       kMaxKeySize);
      } else {
        strings.emplace_back(key.text);
      }
    }
    std::sort(strings.begin(), strings.end());
    const auto string = std::adjacent_find(strings.begin(), strings.end());
    if (string != strings.end()) {
      return Invalid("duplicate key '", absl::CHexEscape(*string), "'");
    }
    std::sort(integers.begin(), integers.end());
    const auto integer = std::adjacent_find(integers.begin(), integers.end());
    if (integer != integers.end()) {
      return Invalid("duplicate key ", *integer);
    }
    return absl::OkStatus();
  }

  static absl::Status CheckStorageType(const PickleValue& type) {
    const bool is_name =
        absl::EndsWith(type.text, "Storage") && type.items.empty() &&
        std::all_of(type.text.begin(), type.text.end(), [](char c) {
          return absl::ascii_isalnum(static_cast<unsigned char>(c));
        });
    return is_name ? absl::OkStatus() : Malformed(type);
  }

  bool IsSize(PickleId id) const {
    const std::vector<PickleId>& items = pickle_[id].items;
    return Is(id, PickleKind::kTuple) && items.size() <= kMaxDimensions &&
           std::all_of(items.begin(), items.end(), [&](PickleId item) {
             return Is(item, PickleKind::kInt);
           });
  }

  absl::Status CheckTensor(const PickleValue& tensor) const {
    const std::vector<PickleId>& items = tensor.items;
    const bool ok =
        items.size() == 6 && Is(items[0], PickleKind::kStorage) &&
        Is(items[1], PickleKind::kInt) && IsSize(items[2]) &&
        IsSize(items[3]) && Is(items[4], PickleKind::kBool) &&
        Is(items[5], PickleKind::kOrderedDict) &&
        pickle_[items[2]].items.size() == pickle_[items[3]].items.size();
    return ok ? absl::OkStatus() : Malformed(tensor);
  }

  const Pickle& pickle_;
  // Of each value how deep its parts lie below it, or one of the above.
  std::vector<int8_t> heights_;
};

}  // namespace

absl::string_view PickleKindName(PickleKind kind) {
  constexpr std::array<absl::string_view, 13> kNames = {
      "None",      "a bool",   "an int",    "a float",        "a string",
      "a tuple",   "a list",   "a dict",    "an OrderedDict", "a storage type",
      "a storage", "a tensor", "a function"};
  return kNames[static_cast<size_t>(kind)];
}

PickleId Pickle::Add(PickleValue value) {
  values.push_back(std::move(value));
  return static_cast<PickleId>(values.size() - 1);
}

PickleId Pickle::None() { return Add({}); }

PickleId Pickle::Bool(bool value) {
  return Add({PickleKind::kBool, value ? 1 : 0, 0, "", {}});
}

PickleId Pickle::Int(int64_t value) {
  return Add({PickleKind::kInt, value, 0, "", {}});
}

PickleId Pickle::Float(double value) {
  return Add({PickleKind::kFloat, 0, value, "", {}});
}

PickleId Pickle::String(absl::string_view value) {
  return Add({PickleKind::kString, 0, 0, std::string(value), {}});
}

PickleId Pickle::StorageType(absl::string_view name) {
  return Add({PickleKind::kStorageType, 0, 0, std::string(name), {}});
}

PickleId Pickle::Group(PickleKind kind, std::vector<PickleId> items) {
  return Add({kind, 0, 0, "", std::move(items)});
}

const PickleValue* Pickle::Find(const PickleValue& dict,
                                absl::string_view key) const {
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& candidate = values[dict.items[i]];
    if (candidate.kind == PickleKind::kString && candidate.text == key) {
      return &values[dict.items[i + 1]];
    }
  }
  return nullptr;
}

absl::Status CheckPickle(const Pickle& pickle) {
  return Checker(pickle).Visit(pickle.root, 0);
}

}  // namespace charrnn
