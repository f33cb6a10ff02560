#include "cmd/text_writer.h"

#include <algorithm>
#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "cmd/command_line.h"
#include "data/utf8_assembler.h"
#include "data/vocab.h"
#include "model/sampler.h"

namespace charrnn {
namespace {

// Of all texts that are computed side by side, so that they fit into memory.
constexpr int64_t kMaxCharactersAtOnce = 10'000'000;

}  // namespace

absl::StatusOr<std::vector<int32_t>> EncodePrompt(const Vocab& vocab,
                                                  const std::string& prompt) {
  CHARRNN_ASSIGN_OR_RETURN(Vocab::Encoded encoded, vocab.Encode(prompt));
  if (!prompt.empty() && encoded.ids.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the model knows none of its characters (", encoded.unknown.Shown(),
        "): use characters of the text that it was trained on"));
  }
  if (encoded.unknown.count() > 0) {
    CHARRNN_LOG(WARNING) << (vocab.unknown_id() < 0
                                 ? "left out of the prompt"
                                 : "read as U+FFFD in the prompt")
                         << ", unknown to the model: "
                         << encoded.unknown.count() << " characters ("
                         << encoded.unknown.Shown() << ")";
  }
  return encoded.ids;
}

absl::Status TextWriter::WriteOne(const std::vector<int32_t>& prompt,
                                  int64_t stream) const {
  // The last character of the prompt may be continued, too.
  Utf8Assembler text;
  CHARRNN_RETURN_IF_ERROR(WriteStdout(text.Push(vocab_->Decode(prompt))));
  CHARRNN_RETURN_IF_ERROR(sampler_->Generate(prompt, stream, [&](int32_t id) {
    return WriteStdout(text.Push(vocab_->Symbol(id)));
  }));
  return WriteStdout("\n");
}

absl::Status TextWriter::WriteMany(const std::vector<int32_t>& prompt,
                                   int64_t count, ThreadPool& pool) const {
  // So many at a time that all threads are busy, and memory stays small.
  const int64_t length = std::max<int64_t>(1, sampler_->config().max_generate);
  const int64_t at_once =
      std::clamp<int64_t>(kMaxCharactersAtOnce / length, pool.num_threads(),
                          Sampler::kStreamsTogether * pool.num_threads());
  for (int64_t first = 0; first < count; first += at_once) {
    const int64_t size = std::min(at_once, count - first);
    std::vector<std::string> texts(size, vocab_->Decode(prompt));
    const std::vector<absl::Status> statuses = sampler_->GenerateMany(
        prompt, first, size, pool, [&](int64_t stream, int32_t id) {
          absl::StrAppend(&texts[stream - first], vocab_->Symbol(id));
          return absl::OkStatus();
        });
    for (int64_t i = 0; i < size; ++i) {
      CHARRNN_RETURN_IF_ERROR(statuses[i]);
      CHARRNN_RETURN_IF_ERROR(WriteStdout(
          absl::StrCat("==== sample ", first + i + 1, " of ", count, " ====\n",
                       Utf8Assembler().Push(texts[i]), "\n")));
    }
  }
  return absl::OkStatus();
}

absl::Status TextWriter::Converse(std::istream& input) const {
  std::string line;
  for (int64_t stream = 0; std::getline(input, line); ++stream) {
    const auto prompt = EncodePrompt(*vocab_, line);
    if (!prompt.ok()) {
      CHARRNN_LOG(ERROR) << prompt.status().message();
      continue;
    }
    CHARRNN_RETURN_IF_ERROR(WriteOne(*prompt, stream));
  }
  return absl::OkStatus();
}

}  // namespace charrnn
