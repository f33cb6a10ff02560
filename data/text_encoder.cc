#include "data/text_encoder.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "data/packed_ids.h"
#include "data/utf8.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

// Where the first character of `text`, which is well-formed, stands that
// `vocab` lacks.
size_t FindUnknown(absl::string_view text, const Vocab& vocab) {
  size_t offset = 0;
  while (offset < text.size()) {
    const Utf8Character next = FirstUtf8Character(text.substr(offset));
    if (next.length == 0 || vocab.Find(next.code_point) < 0) break;
    offset += next.length;
  }
  return offset;
}

int64_t Utf8Length(char32_t character) {
  std::string text;
  AppendUtf8(character, &text);
  return static_cast<int64_t>(text.size());
}

}  // namespace

absl::StatusOr<UnknownPolicy> ParseUnknownPolicy(absl::string_view name) {
  if (name == "error") return UnknownPolicy::kError;
  if (name == "drop") return UnknownPolicy::kDrop;
  if (name == "replace") return UnknownPolicy::kReplace;
  return absl::InvalidArgumentError(
      absl::StrCat("--unknown=", name, ": must be error, drop or replace"));
}

TextEncoder::TextEncoder(const Vocab* vocab, UnknownPolicy unknown)
    : vocab_(*vocab), unknown_(unknown) {
  CHARRNN_CHECK(unknown != UnknownPolicy::kReplace || vocab->unknown_id() >= 0)
      << "nothing stands for unknown characters";
}

void TextEncoder::Encode(absl::string_view text, EncodedText* encoded) const {
  encoded->unknown_ = {};
  encoded->dropped_bytes_ = 0;
  encoded->flaw_ = EncodedText::Flaw::kNone;
  if (vocab_.encoding() == Encoding::kBytes) {
    encoded->packed_ = text;  // A byte is its own id.
    return;
  }
  switch (IdBytes(vocab_.size())) {
    case sizeof(uint8_t):
      return EncodeAs<uint8_t>(text, encoded);
    case sizeof(uint16_t):
      return EncodeAs<uint16_t>(text, encoded);
    default:
      return EncodeAs<uint32_t>(text, encoded);
  }
}

template <typename Id>
void TextEncoder::EncodeAs(absl::string_view text, EncodedText* encoded) const {
  // A character has at least one byte. A vector that is larger already is not
  // filled with zeros again.
  if (encoded->buffer_.size() < text.size() * sizeof(Id)) {
    encoded->buffer_.resize(text.size() * sizeof(Id));
  }
  const int32_t stand_in =
      unknown_ == UnknownPolicy::kReplace ? vocab_.unknown_id() : -1;
  char* out = encoded->buffer_.data();
  const absl::Status status = DecodeUtf8(text, [&](char32_t c) {
    int32_t id = vocab_.Find(c);
    if (__builtin_expect(id < 0, false)) {
      encoded->unknown_.Add(c);
      id = stand_in;
      if (id < 0) {
        encoded->dropped_bytes_ += Utf8Length(c);
        return;
      }
    }
    // As the machine has them: x86-64 is little-endian.
    const auto packed = static_cast<Id>(id);
    std::memcpy(out, &packed, sizeof(packed));
    out += sizeof(packed);
  });
  encoded->packed_ = {encoded->buffer_.data(),
                      static_cast<size_t>(out - encoded->buffer_.data())};
  if (unknown_ == UnknownPolicy::kError && encoded->unknown_.count() > 0) {
    encoded->flaw_ = EncodedText::Flaw::kUnknown;
    encoded->flaw_offset_ = FindUnknown(text, vocab_);
  } else if (!status.ok()) {
    encoded->flaw_ = EncodedText::Flaw::kIllFormed;
    encoded->flaw_offset_ = WellFormedUtf8Prefix(text);
  }
}

}  // namespace charrnn
