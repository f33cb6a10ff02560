#include "model/notebook/torch_archive.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "model/notebook/pickle_reader.h"
#include "model/notebook/pickle_value.h"
#include "model/notebook/pickle_writer.h"
#include "model/notebook/zip_archive.h"

namespace charrnn {
namespace {

// What torch.save calls the root where it does not know the file's name.
constexpr char kRoot[] = "archive";
constexpr char kPickleName[] = "/data.pkl";
constexpr char kConstantsName[] = "/constants.pkl";
constexpr char kStoragePrefix[] = "/data/";
// The first byte of every pickle since protocol 2.
constexpr char kPickleMark = '\x80';

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// "float16" for "HalfStorage".
std::string Dtype(absl::string_view storage_type) {
  constexpr std::array<std::pair<absl::string_view, absl::string_view>, 8>
      kDtypes = {{{"Float", "float32"},
                  {"Double", "float64"},
                  {"Half", "float16"},
                  {"Long", "int64"},
                  {"Int", "int32"},
                  {"Short", "int16"},
                  {"Char", "int8"},
                  {"Byte", "uint8"}}};
  const absl::string_view type = absl::StripSuffix(storage_type, "Storage");
  for (const auto& [name, dtype] : kDtypes) {
    if (type == name) return std::string(dtype);
  }
  return absl::AsciiStrToLower(type);  // BFloat16, Bool, ComplexFloat, ...
}

absl::Status IsTorchScript() {
  return Invalid(
      "it is a TorchScript archive, of torch.jit.save: save the model's "
      "state_dict() with torch.save");
}

// The name of the folder that all members of an archive lie in.
absl::StatusOr<std::string> FindRoot(const std::vector<ZipMember>& members) {
  std::vector<std::string> roots;
  for (const ZipMember& member : members) {
    absl::string_view name = member.name;
    if (absl::ConsumeSuffix(&name, kPickleName) &&
        !absl::StrContains(name, '/')) {
      roots.emplace_back(name);
    }
  }
  if (roots.empty()) {
    return Invalid("member 'data.pkl' is missing: not a file of torch.save");
  }
  if (roots.size() > 1) return Invalid("it has more than one 'data.pkl'");
  return roots[0];
}

// Multiplies and adds. False if the result is no int64_t.
bool AddProduct(int64_t a, int64_t b, int64_t* sum) {
  int64_t product;
  return !__builtin_mul_overflow(a, b, &product) &&
         !__builtin_add_overflow(*sum, product, sum);
}

std::vector<int64_t> Integers(const Pickle& pickle, PickleId tuple) {
  std::vector<int64_t> integers;
  for (const PickleId item : pickle[tuple].items) {
    integers.push_back(pickle[item].integer);
  }
  return integers;
}

bool IsRowMajor(const TorchTensor& tensor) {
  int64_t expected = 1;
  for (size_t d = tensor.shape.size(); d > 0; --d) {
    const int64_t extent = tensor.shape[d - 1];
    if (extent != 1 && tensor.strides[d - 1] != expected) return false;
    expected *= extent;
  }
  return true;
}

}  // namespace

absl::StatusOr<TorchArchive> DecodeTorchArchive(absl::string_view file) {
  if (!file.empty() && file[0] == kPickleMark) {
    return Invalid(
        "it is a pickle without an archive, as PyTorch saved before 1.6: load "
        "it with a current PyTorch and torch.save it again");
  }
  const absl::StatusOr<std::vector<ZipMember>> members = DecodeZip(file);
  if (!members.ok()) {
    // Compressed as it is, no member of such an archive is looked at.
    return absl::StrContains(file, kConstantsName) ? IsTorchScript()
                                                   : members.status();
  }
  CHARRNN_ASSIGN_OR_RETURN(const std::string root, FindRoot(*members));
  TorchArchive archive;
  absl::string_view pickle;
  for (const ZipMember& member : *members) {
    absl::string_view name = member.name;
    if (name == absl::StrCat(root, kPickleName)) pickle = member.bytes;
    if (!absl::ConsumePrefix(&name, root)) continue;
    if (name == kConstantsName) return IsTorchScript();
    if (name == "/byteorder" && member.bytes != "little") {
      return Invalid("its numbers are not little-endian");
    }
    if (absl::ConsumePrefix(&name, kStoragePrefix)) {
      archive.storages.emplace(name, member.bytes);
    }
  }
  CHARRNN_ASSIGN_OR_RETURN(archive.pickle, DecodePickle(pickle));
  return archive;
}

absl::StatusOr<std::string> EncodeTorchArchive(
    const Pickle& pickle, const std::vector<absl::string_view>& storages) {
  CHARRNN_ASSIGN_OR_RETURN(const std::string pickled, EncodePickle(pickle));
  const auto name = [](absl::string_view last) {
    return absl::StrCat(kRoot, last);
  };
  std::vector<ZipMember> members = {{name(kPickleName), pickled},
                                    {name("/.format_version"), "1"},
                                    {name("/.storage_alignment"), "64"},
                                    {name("/byteorder"), "little"}};
  for (size_t i = 0; i < storages.size(); ++i) {
    members.push_back({name(absl::StrCat(kStoragePrefix, i)), storages[i]});
  }
  members.push_back({name("/version"), "3\n"});
  return EncodeZip(members);
}

absl::StatusOr<TorchTensor> FindTensor(const TorchArchive& archive,
                                       const PickleValue& value) {
  const Pickle& pickle = archive.pickle;
  if (value.kind != PickleKind::kTensor) {
    return Invalid("is ", PickleKindName(value.kind), ", not a tensor");
  }
  const PickleValue& storage = pickle[value.items[0]];
  const std::string dtype = Dtype(pickle[storage.items[0]].text);
  if (dtype != "float32") {
    return Invalid("is ", dtype, ", not float32: save model.float()");
  }
  const std::string& key = pickle[storage.items[1]].text;
  const int64_t capacity = pickle[storage.items[3]].integer;
  const auto found = archive.storages.find(key);
  if (found == archive.storages.end()) {
    return Invalid("lacks its member 'data/",
                   absl::CHexEscape(key.substr(0, 100)), "'");
  }
  const absl::string_view bytes = found->second;
  if (bytes.size() % sizeof(float) != 0 || capacity < 0 ||
      static_cast<uint64_t>(capacity) != bytes.size() / sizeof(float)) {
    return Invalid("has a storage of ", bytes.size(), " bytes for ", capacity,
                   " numbers");
  }

  TorchTensor tensor;
  tensor.shape = Integers(pickle, value.items[2]);
  tensor.strides = Integers(pickle, value.items[3]);
  tensor.size = 1;
  const int64_t offset = pickle[value.items[1]].integer;
  int64_t last = offset;
  bool inside = offset >= 0;
  for (size_t d = 0; d < tensor.shape.size() && inside; ++d) {
    inside =
        tensor.shape[d] > 0 && tensor.strides[d] >= 0 &&
        AddProduct(tensor.shape[d] - 1, tensor.strides[d], &last) &&
        !__builtin_mul_overflow(tensor.size, tensor.shape[d], &tensor.size);
  }
  // The size too, because strides of 0 make much of little.
  if (!inside || last >= capacity || tensor.size > capacity) {
    return Invalid("reaches out of its storage of ", capacity, " numbers");
  }
  tensor.bytes = bytes.substr(sizeof(float) * offset);
  return tensor;
}

absl::string_view RowMajorBytes(const TorchTensor& tensor,
                                std::list<std::string>& copies) {
  if (IsRowMajor(tensor)) {
    return tensor.bytes.substr(0, sizeof(float) * tensor.size);
  }
  std::string& copy = copies.emplace_back();
  copy.reserve(sizeof(float) * tensor.size);
  std::vector<int64_t> index(tensor.shape.size());
  int64_t offset = 0;
  for (int64_t i = 0; i < tensor.size; ++i) {
    copy.append(tensor.bytes.data() + sizeof(float) * offset, sizeof(float));
    // On to the next element: the last index counts fastest.
    for (size_t d = index.size(); d > 0; --d) {
      offset += tensor.strides[d - 1];
      if (++index[d - 1] < tensor.shape[d - 1]) break;
      offset -= tensor.strides[d - 1] * tensor.shape[d - 1];
      index[d - 1] = 0;
    }
  }
  return copy;
}

}  // namespace charrnn
