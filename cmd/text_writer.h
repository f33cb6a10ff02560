#ifndef CHARRNN_CMD_TEXT_WRITER_H_
#define CHARRNN_CMD_TEXT_WRITER_H_

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "data/vocab.h"
#include "model/sampler.h"

namespace charrnn {

// A prompt as a model knows it. Characters that it does not know are left out,
// which is said aloud.
//
// Possible errors: InvalidArgument if the prompt is not UTF-8 where the
// vocabulary is, or if the model knows none of its characters.
absl::StatusOr<std::vector<int32_t>> EncodePrompt(const Vocab& vocab,
                                                  const std::string& prompt);

// Writes sampled texts to standard output, as UTF-8 of whole characters
// whatever the vocabulary is. Errors are those of Sampler::Generate and
// WriteStdout.
class TextWriter {
 public:
  // Neither is owned.
  TextWriter(const Sampler* sampler, const Vocab* vocab)
      : sampler_(sampler), vocab_(vocab) {}

  // Writes the prompt and its continuation, each character once it is whole.
  absl::Status WriteOne(const std::vector<int32_t>& prompt,
                        int64_t stream) const;

  // Writes `count` texts, computed side by side, each below a line of its own.
  absl::Status WriteMany(const std::vector<int32_t>& prompt, int64_t count,
                         ThreadPool& pool) const;

  // Continues one line of `input` after the other. A line that the model
  // cannot read is answered with what is wrong, and the next one is awaited.
  absl::Status Converse(std::istream& input) const;

 private:
  const Sampler* sampler_;
  const Vocab* vocab_;
};

}  // namespace charrnn

#endif  // CHARRNN_CMD_TEXT_WRITER_H_
