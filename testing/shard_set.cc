#include "testing/shard_set.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "base/little_endian.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "data/shard_writer.h"
#include "data/vocab.h"

namespace charrnn {
namespace {

absl::Status Write(const std::string& folder, absl::string_view text,
                   const ShardSetOptions& options) {
  FileSystem& files = *FileSystem::Real();
  CHARRNN_RETURN_IF_ERROR(files.CreateDirectories(folder));
  CHARRNN_ASSIGN_OR_RETURN(const Vocab vocab,
                           Vocab::FromText(text, options.encoding));
  CHARRNN_ASSIGN_OR_RETURN(
      const auto writer,
      ShardWriter::Create(&files, folder, vocab, options.shard_bytes));
  std::string ids;
  CHARRNN_RETURN_IF_ERROR(
      ForEachSymbol(text, options.encoding, [&](char32_t symbol) {
        AppendLittleEndian(vocab.Find(symbol), writer->id_bytes(), &ids);
      }));
  CHARRNN_RETURN_IF_ERROR(writer->Append(ids));
  const auto size = static_cast<int64_t>(text.size());
  return writer->Finish(options.fractions, {{"text.txt", size, Crc32c(text)}},
                        size);
}

}  // namespace

void WriteShardSet(const std::string& folder, absl::string_view text,
                   const ShardSetOptions& options) {
  const absl::Status status = Write(folder, text, options);
  CHARRNN_CHECK(status.ok()) << status;
}

}  // namespace charrnn
