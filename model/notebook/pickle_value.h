#ifndef CHARRNN_MODEL_NOTEBOOK_PICKLE_VALUE_H_
#define CHARRNN_MODEL_NOTEBOOK_PICKLE_VALUE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// A value's place in Pickle::values. Values refer to each other by it, so that
// what a pickle holds once and names often is in memory once.
using PickleId = uint32_t;

enum class PickleKind : uint8_t {
  kNone,
  kBool,         // integer: 0 or 1
  kInt,          // integer
  kFloat,        // real
  kString,       // text, UTF-8
  kTuple,        // items
  kList,         // items
  kDict,         // items: a key, its value, a key, ...
  kOrderedDict,  // the same
  kStorageType,  // text: "FloatStorage" for torch.FloatStorage
  kStorage,      // items: kStorageType, key, location, number of elements
  kTensor,       // items: the arguments of torch._utils._rebuild_tensor_v2:
                 // storage, offset, size, strides, requires_grad and
                 // backward_hooks; all counted in elements
  kFunction,     // text: its full name; none but while a pickle is read
};

// "an int", "a list": for messages.
absl::string_view PickleKindName(PickleKind kind);

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<PickleId> items;
};

// A value of Python's and all that it consists of.
//
//   Pickle pickle;
//   pickle.root = pickle.Group(PickleKind::kDict, {pickle.String("seq_len"),
//                                                  pickle.Int(128)});
struct Pickle {
  std::vector<PickleValue> values;
  PickleId root = 0;

  const PickleValue& operator[](PickleId id) const { return values[id]; }

  // Each adds a value, and returns its place.
  PickleId Add(PickleValue value);
  PickleId None();
  PickleId Bool(bool value);
  PickleId Int(int64_t value);
  PickleId Float(double value);
  PickleId String(absl::string_view value);
  PickleId StorageType(absl::string_view name);
  PickleId Group(PickleKind kind, std::vector<PickleId> items);

  // What the dictionary `dict` has under the string `key`; null if it has no
  // such key.
  const PickleValue* Find(const PickleValue& dict, absl::string_view key) const;
};

// InvalidArgument unless all that the root consists of is as above, and
// - items are values of this pickle, and none is part of itself;
// - none lies more than 64 deep;
// - strings are UTF-8, and storage types are such names;
// - keys are strings of at most 256 bytes or ints, no two equal.
// So a reader may recurse; but one that visits a value wherever it is named,
// not once, may be kept busy forever: 64 lists, each twice in the next.
absl::Status CheckPickle(const Pickle& pickle);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_NOTEBOOK_PICKLE_VALUE_H_
