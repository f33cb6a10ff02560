#include "cmd/prepare_vocab.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "data/open_corpus.h"
#include "data/shard_format.h"
#include "data/shard_reader.h"
#include "data/symbol_counts.h"
#include "data/text_source.h"
#include "data/utf8.h"
#include "data/vocab.h"
#include "model/model_file.h"

namespace charrnn {
namespace {

absl::StatusOr<Vocab> VocabOfText(FileSystem& files, const std::string& path,
                                  Encoding encoding) {
  constexpr size_t kBlockBytes = size_t{256} << 10;
  TextSource source(&files, {path}, encoding, kBlockBytes);
  SymbolCounts counts;
  TextBlock block;
  while (true) {
    CHARRNN_ASSIGN_OR_RETURN(const bool more, source.Next(&block));
    if (!more) break;
    if (encoding == Encoding::kBytes) {
      return Vocab::FromText(block.text(), encoding);
    }
    const size_t good = counts.Add(block.text());
    if (good < block.size) {
      return Annotate(IllFormedUtf8(block.offset + static_cast<int64_t>(good),
                                    block.text()[good]),
                      path);
    }
  }
  if (counts.total() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": the file is empty: name a text that has the "
                     "characters to know"));
  }
  return Vocab::FromSymbols(counts.AtLeast(1));
}

}  // namespace

absl::StatusOr<Vocab> VocabFrom(FileSystem& files, const std::string& path,
                                Encoding encoding) {
  if (files.Exists(JoinPath(path, kShardManifestFileName))) {
    CHARRNN_ASSIGN_OR_RETURN(ShardManifest manifest,
                             ReadShardManifest(files, path));
    return std::move(manifest.vocab);
  }
  if (IsFolder(files, path) || absl::EndsWith(path, ".safetensors") ||
      absl::EndsWith(path, ".pt")) {
    CHARRNN_ASSIGN_OR_RETURN(NamedModel named, FindAndLoadModel(files, path));
    return std::move(named.model.vocab);
  }
  return VocabOfText(files, path, encoding);
}

}  // namespace charrnn
