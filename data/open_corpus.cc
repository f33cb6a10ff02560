#include "data/open_corpus.h"

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "data/corpus.h"
#include "data/corpus_error.h"
#include "data/shard_format.h"
#include "data/shard_reader.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

// A manifest or a shard is no text: whoever names one means the folder.
absl::Status CheckIsText(FileSystem& files, const std::string& path) {
  const std::string folder = Dirname(path);
  if (Basename(path) != kShardManifestFileName &&
      !absl::EndsWith(path, ".ids")) {
    return absl::OkStatus();
  }
  const auto manifest =
      files.ReadFile(JoinPath(folder, kShardManifestFileName));
  if (!manifest.ok() || !IsShardManifest(*manifest)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": is a file of a shard set: name its folder, ", folder));
}

}  // namespace

bool IsFolder(FileSystem& files, const std::string& path) {
  // Unlike FileSystem::Kind, through links.
  return files.Exists(JoinPath(path, "."));
}

absl::StatusOr<std::unique_ptr<Corpus>> OpenCorpus(FileSystem& files,
                                                   const std::string& path,
                                                   Encoding encoding) {
  if (IsFolder(files, path)) return OpenShards(files, path);
  CHARRNN_RETURN_IF_ERROR(CheckIsText(files, path));
  return OpenTextCorpus(files, path, encoding);
}

absl::StatusOr<std::unique_ptr<Corpus>> OpenCorpusWithVocab(
    FileSystem& files, const std::string& path, const Vocab& vocab) {
  if (!IsFolder(files, path)) {
    CHARRNN_RETURN_IF_ERROR(CheckIsText(files, path));
    return OpenTextCorpusWithVocab(files, path, vocab);
  }
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<Corpus> corpus,
                           OpenShards(files, path));
  if (corpus->vocab() != vocab) {
    return CorpusError(absl::InvalidArgumentError(absl::StrCat(
        path, ": its ids are those of another vocabulary (",
        EncodingName(corpus->vocab().encoding()), ", ", corpus->vocab().size(),
        " symbols) than the model's (", EncodingName(vocab.encoding()), ", ",
        vocab.size(),
        "): prepare the texts again with `prepare --vocab_from=` the model")));
  }
  return corpus;
}

}  // namespace charrnn
