#include "cmd/prepare_flags.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "base/usable_cores.h"
#include "cmd/command_line.h"
#include "cmd/prepare_vocab.h"
#include "data/prepare.h"
#include "data/text_encoder.h"
#include "data/text_files.h"
#include "data/vocab.h"

ABSL_FLAG(std::string, output, "",
          "Folder to make, for train, evaluate and others to read with "
          "--data_path.");
ABSL_FLAG(std::string, encoding, "utf8",
          "What a character is: utf8 (a Unicode code point) or bytes.");
ABSL_FLAG(std::string, vocab_from, "",
          "Whose vocabulary to use: that of a run's or step's folder, a "
          ".safetensors or .pt file, a shard set's folder, or a text; empty: "
          "that of the texts themselves.");
ABSL_FLAG(std::string, unknown, "error",
          "With --vocab_from, what becomes of a character that the vocabulary "
          "lacks: error, drop, or replace (by U+FFFD, where it has that).");
ABSL_FLAG(int64_t, min_count, 1,
          "Characters that occur less often are all read as U+FFFD; 1: none.");
ABSL_FLAG(double, val_fraction, 0.05,
          "Share of the text that is held out to validate with.");
ABSL_FLAG(double, test_fraction, 0,
          "Share of the text, at its end, that is held out to test with.");
ABSL_FLAG(int64_t, shard_bytes, 67108864,
          "Bytes of a shard, a file of the set, at most.");
ABSL_FLAG(int, threads, 0,
          "CPU threads to work with, at most 16; 0: all cores, or 16 where "
          "there are more.");

namespace charrnn {
namespace {

// More would not be faster than any disk, and each takes memory.
constexpr int kMaxThreads = 16;

absl::StatusOr<int> ThreadsFromFlags() {
  const int threads = absl::GetFlag(FLAGS_threads);
  if (threads < 0 || threads > kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads=", threads, ": must be at least 0 and at most ",
                     kMaxThreads, ": more would not be faster"));
  }
  return threads == 0 ? std::min(NumUsableCores(), kMaxThreads) : threads;
}

absl::Status NumbersFromFlags(PrepareOptions& options) {
  options.min_count = absl::GetFlag(FLAGS_min_count);
  options.fractions = {absl::GetFlag(FLAGS_val_fraction),
                       absl::GetFlag(FLAGS_test_fraction)};
  options.shard_bytes = absl::GetFlag(FLAGS_shard_bytes);
  // Now: a vocabulary may be long to find.
  return CheckPrepareOptions(options);
}

// Flags that mean nothing beside the others are a misunderstanding.
absl::Status CheckTogether(const std::set<std::string>& typed) {
  const bool given = !absl::GetFlag(FLAGS_vocab_from).empty();
  if (given && typed.count("min_count")) {
    return absl::InvalidArgumentError(
        "--min_count: makes a vocabulary, and --vocab_from takes one: leave "
        "one out");
  }
  if (!given && typed.count("unknown")) {
    return absl::InvalidArgumentError(
        "--unknown: the vocabulary of the texts themselves lacks no character "
        "of theirs: leave the flag out, or name another with --vocab_from");
  }
  if (absl::GetFlag(FLAGS_min_count) > 1 &&
      absl::GetFlag(FLAGS_encoding) == "bytes") {
    return absl::InvalidArgumentError(
        "--min_count: there are only 256 bytes, of which all are known: leave "
        "it out, or --encoding=bytes");
  }
  return absl::OkStatus();
}

absl::Status VocabFromFlags(FileSystem& files,
                            const std::set<std::string>& typed,
                            PrepareOptions& options) {
  CHARRNN_ASSIGN_OR_RETURN(options.encoding,
                           ParseEncoding(absl::GetFlag(FLAGS_encoding)));
  CHARRNN_ASSIGN_OR_RETURN(options.unknown,
                           ParseUnknownPolicy(absl::GetFlag(FLAGS_unknown)));
  CHARRNN_RETURN_IF_ERROR(CheckTogether(typed));
  const std::string path = UserPath(absl::GetFlag(FLAGS_vocab_from));
  if (path.empty()) return absl::OkStatus();
  absl::StatusOr<Vocab> vocab = VocabFrom(files, path, options.encoding);
  if (!vocab.ok()) return Annotate(vocab.status(), "--vocab_from");
  if (typed.count("encoding") && vocab->encoding() != options.encoding) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--encoding=", EncodingName(options.encoding), ": ", path, " reads ",
        EncodingName(vocab->encoding()), ": leave the flag out"));
  }
  options.vocab = *std::move(vocab);
  return absl::OkStatus();
}

absl::Status FilesFromArguments(FileSystem& files,
                                const std::vector<std::string>& arguments,
                                PrepareOptions& options) {
  options.output = UserPath(absl::GetFlag(FLAGS_output));
  if (options.output.empty()) {
    return absl::InvalidArgumentError(
        "--output: name the folder to make, as in --output=corpus");
  }
  if (arguments.empty()) {
    return absl::InvalidArgumentError(
        "nothing to prepare: name texts, or folders of texts, behind the "
        "flags");
  }
  std::vector<std::string> paths;
  for (const std::string& argument : arguments) {
    paths.push_back(UserPath(argument));
  }
  CHARRNN_RETURN_IF_ERROR(CheckOutside(options.output, paths));
  CHARRNN_ASSIGN_OR_RETURN(options.inputs, FindTextFiles(files, paths));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PrepareRequest> PrepareRequestFromFlags(
    FileSystem& files, const CommandLine& command_line) {
  PrepareRequest request;
  CHARRNN_ASSIGN_OR_RETURN(request.num_threads, ThreadsFromFlags());
  CHARRNN_RETURN_IF_ERROR(NumbersFromFlags(request.options));
  CHARRNN_RETURN_IF_ERROR(
      FilesFromArguments(files, command_line.positional, request.options));
  CHARRNN_RETURN_IF_ERROR(
      VocabFromFlags(files, command_line.typed, request.options));
  return request;
}

}  // namespace charrnn
