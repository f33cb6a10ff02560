#ifndef CHARRNN_DATA_TEXT_ENCODER_H_
#define CHARRNN_DATA_TEXT_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/unknown_characters.h"
#include "data/vocab.h"

namespace charrnn {

// What becomes of characters that a vocabulary lacks.
enum class UnknownPolicy {
  kError,    // they are not to be there
  kDrop,     // they are left out
  kReplace,  // they are read as the vocabulary's unknown_id()
};

// "error", "drop" or "replace". kInvalidArgument, naming --unknown, for
// anything else.
absl::StatusOr<UnknownPolicy> ParseUnknownPolicy(absl::string_view name);

// A part of a text as ids. To be used again: its memory is kept.
class EncodedText {
 public:
  // IdBytes() bytes for each id, the least significant one first. Under bytes
  // it is the text itself, which must live as long.
  absl::string_view packed() const { return packed_; }

  // The characters that the vocabulary lacks, and the bytes of those that were
  // left out.
  const UnknownCharacters& unknown() const { return unknown_; }
  int64_t dropped_bytes() const { return dropped_bytes_; }

  // Whether all is well. If not, what follows stands at byte `flaw_offset()` of
  // the text, and the rest of this object is of no use.
  enum class Flaw { kNone, kIllFormed, kUnknown };
  Flaw flaw() const { return flaw_; }
  size_t flaw_offset() const { return flaw_offset_; }

 private:
  friend class TextEncoder;

  absl::string_view packed_;
  std::vector<char> buffer_;
  UnknownCharacters unknown_;
  int64_t dropped_bytes_ = 0;
  Flaw flaw_ = Flaw::kNone;
  size_t flaw_offset_ = 0;
};

// Turns text into ids, packed as a shard has them. Immutable, and so safe to
// use from any thread.
//
//   const TextEncoder encoder(&vocab, UnknownPolicy::kError);
//   EncodedText encoded;
//   encoder.Encode(block.text(), &encoded);
class TextEncoder {
 public:
  // `vocab` is not owned and outlives the encoder. It has an unknown_id() if
  // unknown characters are to be read as that.
  TextEncoder(const Vocab* vocab, UnknownPolicy unknown);

  // Encodes `text`, which begins and ends with whole characters.
  void Encode(absl::string_view text, EncodedText* encoded) const;

 private:
  template <typename Id>
  void EncodeAs(absl::string_view text, EncodedText* encoded) const;

  const Vocab& vocab_;
  const UnknownPolicy unknown_;
};

}  // namespace charrnn

#endif  // CHARRNN_DATA_TEXT_ENCODER_H_
