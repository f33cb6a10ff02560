#include "model/notebook/pickle_reader.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
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

// A vocabulary of all of Unicode, there and back, has 4.5 million.
constexpr size_t kMaxValues = 5'000'000;
// Each is a container that is being filled, inside the one before.
constexpr size_t kMaxMarks = 64;
constexpr size_t kMaxNameShown = 100;
constexpr char kFirstProtocol = 2;
constexpr char kLastProtocol = 5;

constexpr char kOrderedDict[] = "collections.OrderedDict";
constexpr char kRebuildTensor[] = "torch._utils._rebuild_tensor_v2";
constexpr char kStorageTag[] = "storage";
// Of _rebuild_tensor_v2. A seventh would be metadata of complex numbers.
constexpr size_t kNumTensorArguments = 6;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("pickle: ", parts...));
}

// A two's complement number of at most 8 bytes.
int64_t SignedLittleEndian(absl::string_view bytes) {
  if (bytes.empty()) return 0;
  const int unused = static_cast<int>(64 - 8 * bytes.size());
  return static_cast<int64_t>(LittleEndian(bytes) << unused) >> unused;
}

// What to do about a function that is refused.
absl::string_view WayOut(absl::string_view function) {
  if (absl::StartsWith(function, "torch._utils._rebuild_parameter")) {
    return ": save model.state_dict(), which holds plain tensors";
  }
  if (function == "torch._utils._rebuild_qtensor") {
    return ", for it rebuilds a quantised tensor: save the float32 model";
  }
  if (absl::StartsWith(function, "torch._utils._rebuild_")) {
    return ", for it rebuilds another tensor than a float32 one in memory";
  }
  if (absl::StartsWith(function, "__main__.") ||
      absl::StartsWith(function, "torch.nn.")) {
    return ": save model.state_dict(), not the model itself";
  }
  return ": save dicts, lists, strings, numbers and tensors only";
}

class Unpickler {
 public:
  explicit Unpickler(absl::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<Pickle> Run() {
    if (bytes_.size() < 2 || Op(bytes_[0]) != Op::kProto ||
        bytes_[1] < kFirstProtocol || bytes_[1] > kLastProtocol) {
      return Invalid("it is none of protocol 2 to 5");
    }
    offset_ = 2;
    while (true) {
      CHARRNN_ASSIGN_OR_RETURN(const absl::string_view code, Take(1));
      if (Op(code[0]) == Op::kStop) break;
      CHARRNN_RETURN_IF_ERROR(Step(Op(code[0])));
    }
    if (stack_.size() != 1 || !marks_.empty()) {
      return Invalid("it stops with ", stack_.size(), " values, not with one");
    }
    if (offset_ != bytes_.size()) {
      return Invalid(bytes_.size() - offset_, " bytes behind its end");
    }
    pickle_.root = stack_.back();
    CHARRNN_RETURN_IF_ERROR(CheckPickle(pickle_));
    return std::move(pickle_);
  }

 private:
  // The next `size` bytes.
  absl::StatusOr<absl::string_view> Take(uint64_t size) {
    if (size > bytes_.size() - offset_) {
      return Invalid("it is cut short at byte ", bytes_.size());
    }
    const absl::string_view taken = bytes_.substr(offset_, size);
    offset_ += size;
    return taken;
  }

  // The number in the next `size` bytes.
  absl::StatusOr<uint64_t> TakeNumber(int size) {
    CHARRNN_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(size));
    return LittleEndian(bytes);
  }

  // The bytes up to the next line's beginning, without the newline.
  absl::StatusOr<absl::string_view> TakeLine() {
    const size_t end = bytes_.find('\n', offset_);
    if (end == absl::string_view::npos) return Take(bytes_.size());
    const absl::string_view line = bytes_.substr(offset_, end - offset_);
    offset_ = end + 1;
    return line;
  }

  // Pushes a reference to the value `id`.
  absl::Status Push(PickleId id) {
    // Bounds the values, the stack and what containers hold.
    if (++num_pushed_ > kMaxValues) {
      return Invalid("it has more than ", kMaxValues, " values");
    }
    stack_.push_back(id);
    return absl::OkStatus();
  }

  // Values that may be taken from the stack: those above the last mark.
  size_t NumAvailable() const {
    return stack_.size() - (marks_.empty() ? 0 : marks_.back());
  }

  // Takes the last `count` values off the stack, the lowest first.
  absl::StatusOr<std::vector<PickleId>> Pop(size_t count) {
    if (count > NumAvailable()) return StackIsEmpty();
    std::vector<PickleId> items(stack_.end() - static_cast<ptrdiff_t>(count),
                                stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  absl::StatusOr<std::vector<PickleId>> PopToMark() {
    if (marks_.empty()) return Invalid("a MARK is missing");
    CHARRNN_ASSIGN_OR_RETURN(std::vector<PickleId> items, Pop(NumAvailable()));
    marks_.pop_back();
    return items;
  }

  absl::StatusOr<PickleValue*> Top() {
    if (NumAvailable() == 0) return StackIsEmpty();
    return &pickle_.values[stack_.back()];
  }

  static absl::Status StackIsEmpty() {
    return Invalid("an opcode finds nothing on the stack");
  }

  absl::Status Step(Op code) {
    switch (code) {
      case Op::kMark:
        if (marks_.size() == kMaxMarks) {
          return Invalid("values lie more than ", kMaxMarks, " deep");
        }
        marks_.push_back(stack_.size());
        return absl::OkStatus();
      case Op::kFrame: {
        CHARRNN_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(8));
        if (size <= bytes_.size() - offset_) return absl::OkStatus();
        return Invalid("it is cut short at byte ", bytes_.size());
      }
      case Op::kEmptyTuple:
        return Push(pickle_.Group(Kind::kTuple, {}));
      case Op::kEmptyList:
        return Push(pickle_.Group(Kind::kList, {}));
      case Op::kEmptyDict:
        return Push(pickle_.Group(Kind::kDict, {}));
      case Op::kTuple:
        return PushTuple(PopToMark());
      case Op::kTuple1:
        return PushTuple(Pop(1));
      case Op::kTuple2:
        return PushTuple(Pop(2));
      case Op::kTuple3:
        return PushTuple(Pop(3));
      case Op::kAppend:
        return Extend(Pop(1), /*dict=*/false);
      case Op::kAppends:
        return Extend(PopToMark(), /*dict=*/false);
      case Op::kSetItem:
        return Extend(Pop(2), /*dict=*/true);
      case Op::kSetItems:
        return Extend(PopToMark(), /*dict=*/true);
      case Op::kBuild:
        return Build();
      case Op::kReduce:
        return Reduce();
      case Op::kBinPersId:
        return LoadStorage();
      case Op::kGlobal: {
        CHARRNN_ASSIGN_OR_RETURN(const absl::string_view module, TakeLine());
        CHARRNN_ASSIGN_OR_RETURN(const absl::string_view name, TakeLine());
        return PushGlobal(module, name);
      }
      case Op::kStackGlobal:
        return PushStackGlobal();
      default:
        return StepWithArgument(code);
    }
  }

  // The opcodes that push a scalar, or use the memo.
  absl::Status StepWithArgument(Op code) {
    switch (code) {
      case Op::kNone:
        return Push(pickle_.None());
      case Op::kNewTrue:
        return Push(pickle_.Bool(true));
      case Op::kNewFalse:
        return Push(pickle_.Bool(false));
      case Op::kBinInt1:
        return PushInt(TakeNumber(1));
      case Op::kBinInt2:
        return PushInt(TakeNumber(2));
      case Op::kBinInt:
        return PushSigned(Take(4));
      case Op::kLong1:
        return PushLong();
      case Op::kBinFloat:
        return PushFloat();
      case Op::kBinUnicode:
        return PushString(TakeNumber(4));
      case Op::kShortBinUnicode:
        return PushString(TakeNumber(1));
      case Op::kBinGet:
        return Recall(TakeNumber(1));
      case Op::kLongBinGet:
        return Recall(TakeNumber(4));
      case Op::kBinPut:
        return Memoize(TakeNumber(1));
      case Op::kLongBinPut:
        return Memoize(TakeNumber(4));
      case Op::kMemoize:
        return Memoize(memo_.size());
      default:
        return Invalid("opcode ", PickleOpcodeName(static_cast<uint8_t>(code)),
                       " at byte ", offset_ - 1,
                       " is not one that a checkpoint needs");
    }
  }

  absl::Status PushInt(absl::StatusOr<uint64_t> number) {
    CHARRNN_RETURN_IF_ERROR(number.status());
    return Push(pickle_.Int(static_cast<int64_t>(*number)));
  }

  absl::Status PushSigned(absl::StatusOr<absl::string_view> bytes) {
    CHARRNN_RETURN_IF_ERROR(bytes.status());
    return Push(pickle_.Int(SignedLittleEndian(*bytes)));
  }

  absl::Status PushLong() {
    CHARRNN_ASSIGN_OR_RETURN(const uint64_t size, TakeNumber(1));
    if (size > sizeof(int64_t)) {
      return Invalid("an int of ", size, " bytes, where 8 are read");
    }
    return PushSigned(Take(size));
  }

  absl::Status PushFloat() {
    CHARRNN_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(8));
    // Big-endian, unlike all else.
    const uint64_t bits =
        LittleEndian(std::string(bytes.rbegin(), bytes.rend()));
    double value;
    std::memcpy(&value, &bits, sizeof(value));
    return Push(pickle_.Float(value));
  }

  absl::Status PushString(absl::StatusOr<uint64_t> size) {
    CHARRNN_RETURN_IF_ERROR(size.status());
    CHARRNN_ASSIGN_OR_RETURN(const absl::string_view text, Take(*size));
    return Push(pickle_.String(text));
  }

  absl::Status PushTuple(absl::StatusOr<std::vector<PickleId>> items) {
    CHARRNN_RETURN_IF_ERROR(items.status());
    return Push(pickle_.Group(Kind::kTuple, *std::move(items)));
  }

  absl::Status Recall(absl::StatusOr<uint64_t> index) {
    CHARRNN_RETURN_IF_ERROR(index.status());
    if (*index >= memo_.size()) {
      return Invalid("memo ", *index, " is read before it is written");
    }
    return Push(memo_[*index]);
  }

  absl::Status Memoize(absl::StatusOr<uint64_t> index) {
    CHARRNN_RETURN_IF_ERROR(index.status());
    if (NumAvailable() == 0) return StackIsEmpty();
    // As Python numbers them. It never keeps a value twice, so that there are
    // no more of them than values.
    if (*index != memo_.size() || memo_.size() == num_pushed_) {
      return Invalid("memo ", *index, " is written out of order");
    }
    memo_.push_back(stack_.back());
    return absl::OkStatus();
  }

  // Adds `items` to the list, or as keys and values to the dictionary, that
  // lies below them.
  absl::Status Extend(absl::StatusOr<std::vector<PickleId>> items, bool dict) {
    CHARRNN_RETURN_IF_ERROR(items.status());
    CHARRNN_ASSIGN_OR_RETURN(PickleValue * target, Top());
    const bool fits =
        dict ? target->kind == Kind::kDict || target->kind == Kind::kOrderedDict
             : target->kind == Kind::kList;
    if (!fits) {
      return Invalid("items are added to ", PickleKindName(target->kind));
    }
    if (dict && items->size() % 2 != 0) {
      return Invalid("a key has no value");
    }
    target->items.insert(target->items.end(), items->begin(), items->end());
    return absl::OkStatus();
  }

  // Gives an object attributes. An OrderedDict's are not wanted.
  absl::Status Build() {
    CHARRNN_RETURN_IF_ERROR(Pop(1).status());
    CHARRNN_ASSIGN_OR_RETURN(const PickleValue* object, Top());
    if (object->kind == Kind::kOrderedDict) return absl::OkStatus();
    return Invalid("attributes are given to ", PickleKindName(object->kind));
  }

  absl::Status PushGlobal(absl::string_view module, absl::string_view name) {
    if (module == "torch" && absl::EndsWith(name, "Storage")) {
      return Push(pickle_.StorageType(name));
    }
    const std::string function = absl::StrCat(module, ".", name);
    if (function != kOrderedDict && function != kRebuildTensor) {
      return Invalid("it wants to run ",
                     absl::CHexEscape(function.substr(0, kMaxNameShown)),
                     ", which is refused", WayOut(function));
    }
    return Push(pickle_.Add({Kind::kFunction, 0, 0, function, {}}));
  }

  absl::Status PushStackGlobal() {
    CHARRNN_ASSIGN_OR_RETURN(const std::vector<PickleId> names, Pop(2));
    const PickleValue& module = pickle_[names[0]];
    const PickleValue& name = pickle_[names[1]];
    if (module.kind != Kind::kString || name.kind != Kind::kString) {
      return Invalid("a function has no name");
    }
    // The values may move while another is added.
    return PushGlobal(std::string(module.text.substr(0, kMaxNameShown)),
                      std::string(name.text.substr(0, kMaxNameShown)));
  }

  // Calls one of the two functions that there are.
  absl::Status Reduce() {
    CHARRNN_ASSIGN_OR_RETURN(const std::vector<PickleId> call, Pop(2));
    const PickleValue& function = pickle_[call[0]];
    const PickleValue& arguments = pickle_[call[1]];
    if (function.kind != Kind::kFunction || arguments.kind != Kind::kTuple) {
      return Invalid(PickleKindName(function.kind), " is called");
    }
    const bool is_tensor = function.text == kRebuildTensor;
    if (arguments.items.size() != (is_tensor ? kNumTensorArguments : 0)) {
      return Invalid(function.text, " has ", arguments.items.size(),
                     " arguments");
    }
    // A copy, because adding a value moves the others.
    std::vector<PickleId> items = arguments.items;
    return Push(pickle_.Group(is_tensor ? Kind::kTensor : Kind::kOrderedDict,
                              std::move(items)));
  }

  absl::Status LoadStorage() {
    CHARRNN_ASSIGN_OR_RETURN(const std::vector<PickleId> id, Pop(1));
    const PickleValue& tuple = pickle_[id[0]];
    if (tuple.kind != Kind::kTuple || tuple.items.size() != 5 ||
        pickle_[tuple.items[0]].kind != Kind::kString ||
        pickle_[tuple.items[0]].text != kStorageTag) {
      return Invalid("a persistent id is not a storage's");
    }
    return Push(pickle_.Group(Kind::kStorage,
                              {tuple.items.begin() + 1, tuple.items.end()}));
  }

  const absl::string_view bytes_;
  size_t offset_ = 0;
  Pickle pickle_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;  // the sizes that the stack had
  std::vector<PickleId> memo_;
  size_t num_pushed_ = 0;
};

}  // namespace

absl::StatusOr<Pickle> DecodePickle(absl::string_view bytes) {
  return Unpickler(bytes).Run();
}

}  // namespace charrnn
