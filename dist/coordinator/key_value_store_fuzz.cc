// Calls of unknown origin: no call takes more room than there is, and one that
// fails has changed nothing. Each call is a byte for which, a byte for how long
// its key is, one for its value, and those.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "dist/coordinator/key_value_store.h"

namespace charrnn {
namespace {

constexpr size_t kKeyBytes = 8;
constexpr size_t kValueBytes = 24;
constexpr size_t kTotalBytes = 64;

uint8_t TakeByte(absl::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<uint8_t>(input.front());
  input.remove_prefix(1);
  return byte;
}

std::string Take(absl::string_view& input, size_t size) {
  size = std::min(size, input.size());
  const std::string taken(input.substr(0, size));
  input.remove_prefix(size);
  return taken;
}

absl::Status Call(KeyValueStore& store, uint8_t which, const std::string& key,
                  const std::string& value) {
  switch (which % 6) {
    case 0:
      return store.Set(key, value);
    case 1:
      return store.Append(key, value);
    case 2: {
      uint64_t amount = 0;
      for (const char c : value) amount = amount << 8 | static_cast<uint8_t>(c);
      return store.Add(key, static_cast<int64_t>(amount)).status();
    }
    case 3: {
      const size_t half = value.size() / 2;
      return store.CompareSet(key, value.substr(0, half), value.substr(half))
          .status();
    }
    case 4:
      return store.Check({key, value}).status();
    default:
      return store.Delete(key).status();
  }
}

std::map<std::string, std::string> Contents(const KeyValueStore& store,
                                            const std::set<std::string>& keys) {
  std::map<std::string, std::string> contents;
  for (const std::string& key : keys) {
    const absl::StatusOr<std::optional<std::string>> value = store.Get(key);
    CHARRNN_CHECK(value.ok()) << value.status();
    if (value->has_value()) contents[key] = **value;
  }
  return contents;
}

void Run(absl::string_view input) {
  KeyValueStore::Limits limits;
  limits.key_bytes = kKeyBytes;
  limits.value_bytes = kValueBytes;
  limits.total_bytes = kTotalBytes;
  KeyValueStore store(limits);
  std::set<std::string> keys;
  std::map<std::string, std::string> before;
  while (!input.empty()) {
    const uint8_t which = TakeByte(input);
    const size_t key_size = TakeByte(input) % (kKeyBytes + 2);
    const size_t value_size = TakeByte(input) % (2 * kValueBytes + 4);
    const std::string key = Take(input, key_size);
    const std::string value = Take(input, value_size);
    const absl::Status status = Call(store, which, key, value);
    if (!key.empty() && key.size() <= kKeyBytes) keys.insert(key);
    std::map<std::string, std::string> after = Contents(store, keys);
    CHARRNN_CHECK(store.num_keys() == static_cast<int64_t>(after.size()));
    size_t bytes = 0;
    for (const auto& [k, v] : after) {
      CHARRNN_CHECK(v.size() <= kValueBytes) << v.size();
      bytes += k.size() + v.size();
    }
    CHARRNN_CHECK(bytes <= kTotalBytes) << bytes;
    CHARRNN_CHECK(status.ok() || after == before) << status;
    // A line that can be shown.
    const absl::string_view message = status.message();
    CHARRNN_CHECK(std::all_of(message.begin(), message.end(), [](char c) {
      return c >= ' ' && c <= '~';
    })) << message;
    before = after;
  }
}

}  // namespace
}  // namespace charrnn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  charrnn::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
