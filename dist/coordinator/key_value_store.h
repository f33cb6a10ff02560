#ifndef CHARRNN_DIST_COORDINATOR_KEY_VALUE_STORE_H_
#define CHARRNN_DIST_COORDINATOR_KEY_VALUE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// Keys and values by which the members of one generation find each other: what
// c10d::Store asks for, without the waiting, which is the caller's. All of it
// belongs to one generation and is gone with that. Not thread-safe.
//
// Errors of every call: InvalidArgument for a key or value over its limit or an
// empty key; ResourceExhausted if all of them together would be.
class KeyValueStore {
 public:
  struct Limits {
    size_t key_bytes = 512;
    // gloo's largest value is one address a peer.
    size_t value_bytes = 1 << 20;
    size_t total_bytes = 64 << 20;  // keys and values
  };

  KeyValueStore() = default;
  explicit KeyValueStore(const Limits& limits) : limits_(limits) {}

  absl::Status Set(absl::string_view key, absl::string_view value);

  // None if there is no such key.
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const;

  // Sets `key` to `desired` if it is `expected`, or missing and `expected` is
  // empty. Returns what it is afterwards; `expected` if it is missing then, as
  // c10d has it.
  absl::StatusOr<std::string> CompareSet(absl::string_view key,
                                         absl::string_view expected,
                                         absl::string_view desired);

  // Adds to a decimal number, which is 0 if the key is missing, and returns
  // the sum. FailedPrecondition if the value is none, OutOfRange if the sum
  // does not fit.
  absl::StatusOr<int64_t> Add(absl::string_view key, int64_t amount);

  // Adds `value` at the end of what is there.
  absl::Status Append(absl::string_view key, absl::string_view value);

  // Whether all of them are there.
  absl::StatusOr<bool> Check(const std::vector<std::string>& keys) const;

  // Whether there was such a key.
  absl::StatusOr<bool> Delete(absl::string_view key);

  int64_t num_keys() const { return static_cast<int64_t>(values_.size()); }

  void Clear();

 private:
  absl::Status CheckKey(absl::string_view key) const;
  absl::Status CheckValue(absl::string_view key, size_t value_bytes) const;

  // Makes `value` the key's, whatever it was before; all or nothing.
  absl::Status Put(absl::string_view key, std::string value);

  Limits limits_;
  std::map<std::string, std::string, std::less<>> values_;
  size_t total_bytes_ = 0;  // of values_, keys and values
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_KEY_VALUE_STORE_H_
