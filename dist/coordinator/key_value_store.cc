#include "dist/coordinator/key_value_store.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace charrnn {
namespace {

// A key may be any bytes; a message is one line of a readable length.
std::string Name(absl::string_view key) {
  constexpr size_t kMaxShown = 80;
  return absl::StrCat("key '", absl::CHexEscape(key.substr(0, kMaxShown)),
                      key.size() > kMaxShown ? "..." : "", "'");
}

// None if `text` is not a number from end to end.
std::optional<int64_t> ParseDecimal(absl::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace

absl::Status KeyValueStore::CheckKey(absl::string_view key) const {
  if (key.empty()) return absl::InvalidArgumentError("the key is empty");
  if (key.size() > limits_.key_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        Name(key), " has ", key.size(), " bytes, over ", limits_.key_bytes));
  }
  return absl::OkStatus();
}

absl::Status KeyValueStore::CheckValue(absl::string_view key,
                                       size_t value_bytes) const {
  if (value_bytes > limits_.value_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(Name(key), ": a value of ",
                                                   value_bytes, " bytes, over ",
                                                   limits_.value_bytes));
  }
  return absl::OkStatus();
}

absl::Status KeyValueStore::Put(absl::string_view key, std::string value) {
  CHARRNN_RETURN_IF_ERROR(CheckValue(key, value.size()));
  const auto found = values_.find(key);
  const bool is_new = found == values_.end();
  const size_t kept_bytes = total_bytes_ - (is_new ? 0 : found->second.size());
  const size_t total_bytes =
      kept_bytes + (is_new ? key.size() : 0) + value.size();
  if (total_bytes > limits_.total_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(Name(key), ": keys and values would take ", total_bytes,
                     " bytes, over ", limits_.total_bytes,
                     ": delete some, or form a new generation"));
  }
  if (is_new) {
    values_.emplace(std::string(key), std::move(value));
  } else {
    found->second = std::move(value);
  }
  total_bytes_ = total_bytes;
  return absl::OkStatus();
}

absl::Status KeyValueStore::Set(absl::string_view key,
                                absl::string_view value) {
  CHARRNN_RETURN_IF_ERROR(CheckKey(key));
  CHARRNN_RETURN_IF_ERROR(CheckValue(key, value.size()));
  return Put(key, std::string(value));
}

absl::StatusOr<std::optional<std::string>> KeyValueStore::Get(
    absl::string_view key) const {
  CHARRNN_RETURN_IF_ERROR(CheckKey(key));
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::string> KeyValueStore::CompareSet(
    absl::string_view key, absl::string_view expected,
    absl::string_view desired) {
  CHARRNN_RETURN_IF_ERROR(CheckKey(key));
  CHARRNN_RETURN_IF_ERROR(CheckValue(key, expected.size()));
  CHARRNN_RETURN_IF_ERROR(CheckValue(key, desired.size()));
  const auto found = values_.find(key);
  if (found == values_.end() && !expected.empty()) return std::string(expected);
  if (found != values_.end() && found->second != expected) return found->second;
  CHARRNN_RETURN_IF_ERROR(Put(key, std::string(desired)));
  return std::string(desired);
}

absl::StatusOr<int64_t> KeyValueStore::Add(absl::string_view key,
                                           int64_t amount) {
  CHARRNN_RETURN_IF_ERROR(CheckKey(key));
  int64_t sum = 0;
  if (const auto found = values_.find(key); found != values_.end()) {
    const std::optional<int64_t> number = ParseDecimal(found->second);
    if (!number.has_value()) {
      return absl::FailedPreconditionError(
          absl::StrCat(Name(key), ": its value is no number of 64 bits: '",
                       absl::CHexEscape(found->second.substr(0, 40)), "'"));
    }
    sum = *number;
  }
  if (__builtin_add_overflow(sum, amount, &sum)) {
    return absl::OutOfRangeError(absl::StrCat(
        Name(key), ": its number and ", amount, " do not fit into 64 bits"));
  }
  CHARRNN_RETURN_IF_ERROR(Put(key, absl::StrCat(sum)));
  return sum;
}

absl::Status KeyValueStore::Append(absl::string_view key,
                                   absl::string_view value) {
  CHARRNN_RETURN_IF_ERROR(CheckKey(key));
  CHARRNN_RETURN_IF_ERROR(CheckValue(key, value.size()));
  const auto found = values_.find(key);
  return Put(key, found == values_.end() ? std::string(value)
                                         : absl::StrCat(found->second, value));
}

absl::StatusOr<bool> KeyValueStore::Check(
    const std::vector<std::string>& keys) const {
  bool all = true;
  for (const std::string& key : keys) {
    CHARRNN_RETURN_IF_ERROR(CheckKey(key));
    all = all && values_.find(key) != values_.end();
  }
  return all;
}

absl::StatusOr<bool> KeyValueStore::Delete(absl::string_view key) {
  CHARRNN_RETURN_IF_ERROR(CheckKey(key));
  const auto found = values_.find(key);
  if (found == values_.end()) return false;
  total_bytes_ -= found->first.size() + found->second.size();
  values_.erase(found);
  return true;
}

void KeyValueStore::Clear() {
  values_.clear();
  total_bytes_ = 0;
}

}  // namespace charrnn
