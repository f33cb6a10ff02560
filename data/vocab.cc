#include "data/vocab.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/strict_json.h"
#include "data/utf8.h"

namespace charrnn {
namespace {

constexpr char32_t kNumCodePoints = 0x110000;
constexpr char32_t kNumBytes = 256;
// Code points below have a place in Vocab's table: Unicode's Basic
// Multilingual Plane, in which nearly all text lies.
constexpr char32_t kTableEnd = 0x10000;

using Json = nlohmann::json;

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrFormat("malformed vocabulary: %s", what));
}

// Parses an object that has none but the two known keys.
absl::StatusOr<Json> ParseObject(absl::string_view text) {
  absl::StatusOr<Json> parsed = ParseStrictJson(text, /*max_depth=*/2);
  if (!parsed.ok()) return Malformed(parsed.status().message());
  if (!parsed->is_object()) return Malformed("not a JSON object");
  for (const auto& [key, value] : parsed->items()) {
    if (key != "encoding" && key != "symbols") {
      return Malformed(
          absl::StrFormat("key %.40s is unknown",
                          Json(key).dump(-1, ' ', /*ensure_ascii=*/true)));
    }
  }
  return parsed;
}

// The code point of a JSON string that is one character.
absl::StatusOr<char32_t> ParseSymbol(const Json& symbol) {
  if (!symbol.is_string()) return Malformed("a symbol is not a string");
  char32_t code_point = 0;
  int64_t count = 0;
  CHARRNN_RETURN_IF_ERROR(
      DecodeUtf8(symbol.get_ref<const std::string&>(), [&](char32_t c) {
        code_point = c;
        ++count;
      }));
  if (count != 1) return Malformed("a symbol is not one character");
  return code_point;
}

}  // namespace

absl::StatusOr<Encoding> ParseEncoding(absl::string_view name) {
  for (Encoding encoding : {Encoding::kUtf8, Encoding::kBytes}) {
    if (name == EncodingName(encoding)) return encoding;
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("--encoding=%s: must be utf8 or bytes", name));
}

absl::string_view EncodingName(Encoding encoding) {
  return encoding == Encoding::kUtf8 ? "utf8" : "bytes";
}

absl::Status OneSymbolError() {
  return absl::InvalidArgumentError(
      "holds one distinct symbol only, so there is nothing to learn; use a "
      "text with at least two");
}

Vocab::Vocab(Encoding encoding, std::vector<char32_t> symbols)
    : encoding_(encoding), symbols_(std::move(symbols)), starts_{0} {
  for (char32_t symbol : symbols_) {
    if (encoding == Encoding::kUtf8) {
      AppendUtf8(symbol, &text_);
    } else {
      text_.push_back(static_cast<char>(symbol));
    }
    starts_.push_back(static_cast<uint32_t>(text_.size()));
  }
  const auto end =
      std::lower_bound(symbols_.begin(), symbols_.end(), kTableEnd);
  if (end == symbols_.begin()) return;
  table_.assign(*(end - 1) + 1, -1);
  for (auto it = symbols_.begin(); it != end; ++it) {
    table_[*it] = static_cast<int32_t>(it - symbols_.begin());
  }
}

Vocab Vocab::AllBytes() {
  std::vector<char32_t> bytes(kNumBytes);
  std::iota(bytes.begin(), bytes.end(), 0);
  return Vocab(Encoding::kBytes, std::move(bytes));
}

absl::StatusOr<Vocab> Vocab::FromText(absl::string_view text,
                                      Encoding encoding) {
  if (text.empty()) return absl::InvalidArgumentError("the text is empty");
  if (encoding == Encoding::kBytes) return AllBytes();
  // A byte each, not a bit: stores to one word would wait for one another.
  std::vector<uint8_t> present(kNumCodePoints, 0);
  CHARRNN_RETURN_IF_ERROR(
      DecodeUtf8(text, [&](char32_t c) { present[c] = 1; }));
  std::vector<char32_t> symbols;
  for (char32_t c = 0; c < kNumCodePoints; ++c) {
    if (present[c]) symbols.push_back(c);
  }
  return Vocab(encoding, std::move(symbols));
}

Vocab Vocab::FromSymbols(std::vector<char32_t> symbols) {
  CHARRNN_CHECK(!symbols.empty());
  CHARRNN_CHECK(std::adjacent_find(symbols.begin(), symbols.end(),
                                   std::greater_equal<>()) == symbols.end())
      << "symbols are not in ascending order";
  return Vocab(Encoding::kUtf8, std::move(symbols));
}

absl::StatusOr<Vocab> Vocab::FromJson(absl::string_view json) {
  CHARRNN_ASSIGN_OR_RETURN(const Json parsed, ParseObject(json));
  const auto name = parsed.find("encoding");
  if (name == parsed.end() || !name->is_string()) {
    return Malformed("no encoding");
  }
  const auto symbols = parsed.find("symbols");
  const bool has_symbols = symbols != parsed.end();
  if (*name == "bytes") {
    if (has_symbols) return Malformed("bytes have no symbols of their own");
    return AllBytes();
  }
  if (*name != "utf8") return Malformed("encoding is neither utf8 nor bytes");
  if (!has_symbols || !symbols->is_array() || symbols->empty()) {
    return Malformed("no symbols");
  }
  std::vector<char32_t> code_points;
  for (const Json& symbol : *symbols) {
    CHARRNN_ASSIGN_OR_RETURN(const char32_t code_point, ParseSymbol(symbol));
    if (!code_points.empty() && code_point <= code_points.back()) {
      return Malformed("symbols are not in ascending order");
    }
    code_points.push_back(code_point);
  }
  return Vocab(Encoding::kUtf8, std::move(code_points));
}

std::string Vocab::ToJson() const {
  Json json = {{"encoding", std::string(EncodingName(encoding_))}};
  if (encoding_ == Encoding::kUtf8) {
    Json& symbols = json["symbols"] = Json::array();
    for (int id = 0; id < size(); ++id) {
      symbols.push_back(std::string(Symbol(id)));
    }
  }
  return json.dump();
}

int32_t Vocab::Search(char32_t symbol) const {
  const auto it = std::lower_bound(symbols_.begin(), symbols_.end(), symbol);
  if (it == symbols_.end() || *it != symbol) return -1;
  return static_cast<int32_t>(it - symbols_.begin());
}

absl::string_view Vocab::Symbol(int32_t id) const {
  CHARRNN_CHECK(0 <= id && id < size()) << "no symbol has the id " << id;
  return absl::string_view(text_).substr(starts_[id],
                                         starts_[id + 1] - starts_[id]);
}

std::string Vocab::Decode(absl::Span<const int32_t> ids) const {
  std::string text;
  text.reserve(ids.size());
  for (int32_t id : ids) {
    const absl::string_view symbol = Symbol(id);
    text.append(symbol.data(), symbol.size());
  }
  return text;
}

std::vector<int32_t> Vocab::Beginnings() const {
  if (encoding_ == Encoding::kUtf8) {
    std::vector<int32_t> ids(size());
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
  }
  std::vector<int32_t> ids('~' - ' ' + 1);
  std::iota(ids.begin(), ids.end(), ' ');
  return ids;
}

absl::StatusOr<Vocab::Encoded> Vocab::Encode(absl::string_view text) const {
  Encoded encoded;
  const int32_t stand_in = unknown_id();
  CHARRNN_RETURN_IF_ERROR(ForEachSymbol(text, encoding_, [&](char32_t symbol) {
    int32_t id = Find(symbol);
    if (id < 0) {
      encoded.unknown.Add(symbol);
      id = stand_in;
    }
    if (id >= 0) encoded.ids.push_back(id);
  }));
  return encoded;
}

}  // namespace charrnn
