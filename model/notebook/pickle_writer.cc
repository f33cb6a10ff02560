#include "model/notebook/pickle_writer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "model/notebook/pickle_opcode.h"
#include "model/notebook/pickle_value.h"

namespace charrnn {
namespace {

using Op = PickleOpcode;
using Kind = PickleKind;

// What torch.save writes unless told otherwise, and torch.load expects.
constexpr char kProtocol = 2;
// How many items Python adds to a dictionary or list at once.
constexpr size_t kBatchSize = 1000;

class Pickler {
 public:
  // `pickle` must have passed CheckPickle and outlive this object.
  explicit Pickler(const Pickle& pickle)
      : pickle_(pickle),
        num_uses_(pickle.values.size()),
        memo_(pickle.values.size(), kNotKept) {}

  std::string Run() {
    Count(pickle_.root);
    Code(Op::kProto);
    out_.push_back(kProtocol);
    Write(pickle_.root);
    Code(Op::kStop);
    return std::move(out_);
  }

 private:
  static constexpr uint32_t kNotKept = std::numeric_limits<uint32_t>::max();

  void Count(PickleId id) {
    if (num_uses_[id]++ > 0) return;
    for (const PickleId item : pickle_[id].items) Count(item);
  }

  void Code(Op code) { out_.push_back(static_cast<char>(code)); }

  void Number(uint64_t value, int size) {
    AppendLittleEndian(value, size, &out_);
  }

  // Writes the value `id`, or if that has been done, where it is kept.
  void Write(PickleId id) {
    if (memo_[id] != kNotKept) {
      const bool is_small = memo_[id] <= 0xff;
      Code(is_small ? Op::kBinGet : Op::kLongBinGet);
      Number(memo_[id], is_small ? 1 : 4);
      return;
    }
    const PickleValue& value = pickle_[id];
    WriteValue(value);
    const bool is_scalar = value.items.empty() && value.text.empty();
    if (num_uses_[id] > 1 && !is_scalar) {
      memo_[id] = num_kept_++;
      const bool is_small = memo_[id] <= 0xff;
      Code(is_small ? Op::kBinPut : Op::kLongBinPut);
      Number(memo_[id], is_small ? 1 : 4);
    }
  }

  void WriteValue(const PickleValue& value) {
    switch (value.kind) {
      case Kind::kNone:
        return Code(Op::kNone);
      case Kind::kBool:
        return Code(value.integer ? Op::kNewTrue : Op::kNewFalse);
      case Kind::kInt:
        return WriteInt(value.integer);
      case Kind::kFloat:
        return WriteFloat(value.real);
      case Kind::kString:
        return WriteString(value.text);
      case Kind::kTuple:
        return WriteTuple(value.items);
      case Kind::kList:
        Code(Op::kEmptyList);
        return WriteItems(value.items, 1, Op::kAppend, Op::kAppends);
      case Kind::kDict:
        Code(Op::kEmptyDict);
        return WriteItems(value.items, 2, Op::kSetItem, Op::kSetItems);
      case Kind::kOrderedDict:
        WriteGlobal("collections.OrderedDict");
        Code(Op::kEmptyTuple);
        Code(Op::kReduce);
        return WriteItems(value.items, 2, Op::kSetItem, Op::kSetItems);
      case Kind::kStorageType:
        return WriteGlobal(absl::StrCat("torch.", value.text));
      case Kind::kStorage:
        Code(Op::kMark);
        WriteString("storage");
        for (const PickleId item : value.items) Write(item);
        Code(Op::kTuple);
        return Code(Op::kBinPersId);
      case Kind::kTensor:
        WriteGlobal("torch._utils._rebuild_tensor_v2");
        WriteTuple(value.items);
        return Code(Op::kReduce);
      case Kind::kFunction:
        return;  // CheckPickle lets none through
    }
  }

  void WriteInt(int64_t value) {
    if (value >= 0 && value <= 0xff) {
      Code(Op::kBinInt1);
      Number(value, 1);
    } else if (value >= 0 && value <= 0xffff) {
      Code(Op::kBinInt2);
      Number(value, 2);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
      Code(Op::kBinInt);
      Number(value, 4);
    } else {
      Code(Op::kLong1);
      Number(sizeof(value), 1);
      Number(value, sizeof(value));
    }
  }

  void WriteFloat(double value) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    Code(Op::kBinFloat);
    Number(__builtin_bswap64(bits), sizeof(bits));
  }

  void WriteString(absl::string_view text) {
    Code(Op::kBinUnicode);
    Number(text.size(), 4);
    out_.append(text.data(), text.size());
  }

  // Writes "module.name".
  void WriteGlobal(absl::string_view name) {
    const size_t dot = name.rfind('.');
    Code(Op::kGlobal);
    absl::StrAppend(&out_, name.substr(0, dot), "\n", name.substr(dot + 1),
                    "\n");
  }

  void WriteTuple(const std::vector<PickleId>& items) {
    if (items.empty()) return Code(Op::kEmptyTuple);
    if (items.size() > 3) Code(Op::kMark);
    for (const PickleId item : items) Write(item);
    switch (items.size()) {
      case 1:
        return Code(Op::kTuple1);
      case 2:
        return Code(Op::kTuple2);
      case 3:
        return Code(Op::kTuple3);
      default:
        return Code(Op::kTuple);
    }
  }

  // Adds `items`, `width` of which belong together, with `one` where they are
  // one, else with `many`.
  void WriteItems(const std::vector<PickleId>& items, size_t width, Op one,
                  Op many) {
    for (size_t i = 0; i < items.size(); i += width * kBatchSize) {
      const size_t end = std::min(items.size(), i + width * kBatchSize);
      const bool is_one = end - i == width;
      if (!is_one) Code(Op::kMark);
      for (size_t k = i; k < end; ++k) Write(items[k]);
      Code(is_one ? one : many);
    }
  }

  const Pickle& pickle_;
  std::string out_;
  std::vector<uint32_t> num_uses_;
  std::vector<uint32_t> memo_;  // where each value is kept
  uint32_t num_kept_ = 0;
};

}  // namespace

absl::StatusOr<std::string> EncodePickle(const Pickle& pickle) {
  CHARRNN_RETURN_IF_ERROR(CheckPickle(pickle));
  return Pickler(pickle).Run();
}

}  // namespace charrnn
