#ifndef CHARRNN_DATA_OPEN_CORPUS_H_
#define CHARRNN_DATA_OPEN_CORPUS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "data/corpus.h"
#include "data/vocab.h"

namespace charrnn {

// Whether `path` leads to a folder, which only a shard set can be.
bool IsFolder(FileSystem& files, const std::string& path);

// What a user means by a path: a folder is a shard set, which has its own
// vocabulary, and anything else a text, read in `encoding`.
//
// Possible errors, all naming `path`:
//   kInvalidArgument: it is a file of a shard set, whose folder is meant.
//   Those of OpenShards and OpenTextCorpus.
absl::StatusOr<std::unique_ptr<Corpus>> OpenCorpus(FileSystem& files,
                                                   const std::string& path,
                                                   Encoding encoding);

// The same under a given vocabulary, that of a model.
//
// Possible errors, all naming `path`:
//   kInvalidArgument: the shard set has another vocabulary; or `path` is a file
//     of one, whose folder is meant.
//   Those of OpenShards and OpenTextCorpusWithVocab.
absl::StatusOr<std::unique_ptr<Corpus>> OpenCorpusWithVocab(
    FileSystem& files, const std::string& path, const Vocab& vocab);

}  // namespace charrnn

#endif  // CHARRNN_DATA_OPEN_CORPUS_H_
