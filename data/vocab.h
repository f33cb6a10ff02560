// The vocabulary: which symbols a model knows, numbered from 0.

#ifndef CHARRNN_DATA_VOCAB_H_
#define CHARRNN_DATA_VOCAB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/unknown_characters.h"
#include "data/utf8.h"

namespace charrnn {

// What a symbol is: a Unicode code point, or a byte of the file.
enum class Encoding { kUtf8, kBytes };

// "utf8" or "bytes". kInvalidArgument, naming --encoding, for anything else.
absl::StatusOr<Encoding> ParseEncoding(absl::string_view name);
absl::string_view EncodingName(Encoding encoding);

// Calls `visit(char32_t)` for each symbol of `text`: its code points, or its
// bytes as numbers below 256. kInvalidArgument if UTF-8 is ill-formed.
template <typename Visitor>
absl::Status ForEachSymbol(absl::string_view text, Encoding encoding,
                           Visitor visit) {
  if (encoding == Encoding::kUtf8) return DecodeUtf8(text, visit);
  for (char byte : text) visit(static_cast<unsigned char>(byte));
  return absl::OkStatus();
}

// What is wrong with a text of one distinct symbol; whoever has its name puts
// that before it.
absl::Status OneSymbolError();

// Numbers symbols in ascending order, as the sorted set of a text's
// characters. A value: copyable, immutable, safe to read from any thread.
//
//   CHARRNN_ASSIGN_OR_RETURN(Vocab vocab,
//                            Vocab::FromText("abba", Encoding::kUtf8));
//   vocab.Decode({0, 1});  // "ab"
class Vocab {
 public:
  // The distinct symbols of `text`. Under kBytes always all 256, so that no
  // text is foreign to the model. Linear in the text's length.
  //
  // Possible errors:
  //   kInvalidArgument: ill-formed UTF-8 (see DecodeUtf8), or an empty text.
  static absl::StatusOr<Vocab> FromText(absl::string_view text,
                                        Encoding encoding);

  // Reads what ToJson() writes. It trusts nothing: checkpoints come from
  // anywhere.
  //
  // Possible errors:
  //   kInvalidArgument: malformed JSON; missing, repeated or unknown keys;
  //     a symbol that is not one character; symbols not strictly ascending.
  static absl::StatusOr<Vocab> FromJson(absl::string_view json);

  // The vocabulary of UTF-8 that has exactly these characters, which are
  // strictly ascending and at least one.
  static Vocab FromSymbols(std::vector<char32_t> symbols);

  // {"encoding":"utf8","symbols":["\n"," ",...]}, or {"encoding":"bytes"}.
  std::string ToJson() const;

  // The number of symbols, V; ids are in [0, V). At least 1.
  int size() const { return static_cast<int>(symbols_.size()); }
  Encoding encoding() const { return encoding_; }

  // The id of a code point or byte; -1 if it is not in the vocabulary.
  int32_t Find(char32_t symbol) const {
    return symbol < table_.size() ? table_[symbol] : Search(symbol);
  }

  // The id that stands for all characters which the vocabulary lacks: that of
  // U+FFFD, where a vocabulary of UTF-8 has it; else -1. Find() is as strict
  // with it as without.
  int32_t unknown_id() const {
    return encoding_ == Encoding::kUtf8 ? Find(kReplacementCharacter) : -1;
  }

  // The text of symbol `id`: a character's UTF-8 form, or one byte. `id` must
  // be in [0, size()); the view lives as long as this object.
  absl::string_view Symbol(int32_t id) const;

  // The symbols of `ids`, one after the other.
  std::string Decode(absl::Span<const int32_t> ids) const;

  // The symbols that a text can be begun with at random: all characters, or
  // those bytes that are printable ones by themselves.
  std::vector<int32_t> Beginnings() const;

  struct Encoded {
    std::vector<int32_t> ids;
    UnknownCharacters unknown;  // that the vocabulary lacks
  };

  // The ids of `text`, for prompts. Characters that the vocabulary lacks are
  // its unknown_id(), or left out if it has none. kInvalidArgument if the
  // vocabulary is of UTF-8 and `text` is ill-formed.
  absl::StatusOr<Encoded> Encode(absl::string_view text) const;

  friend bool operator==(const Vocab& a, const Vocab& b) {
    return a.encoding_ == b.encoding_ && a.symbols_ == b.symbols_;
  }
  friend bool operator!=(const Vocab& a, const Vocab& b) { return !(a == b); }

 private:
  // `symbols` are strictly ascending.
  Vocab(Encoding encoding, std::vector<char32_t> symbols);
  static Vocab AllBytes();

  // Find() for symbols beyond the table.
  int32_t Search(char32_t symbol) const;

  Encoding encoding_;
  std::vector<char32_t> symbols_;  // By id.
  // Symbol `id` is text_[starts_[id], starts_[id + 1]).
  std::string text_;
  std::vector<uint32_t> starts_;
  // The id, or -1, of each code point up to the greatest one in use below
  // U+10000: at most 256 KiB. The few above are searched for.
  std::vector<int32_t> table_;
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_VOCAB_H_
