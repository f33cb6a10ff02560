#ifndef CHARRNN_BASE_MAPPED_FILE_H_
#define CHARRNN_BASE_MAPPED_FILE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace charrnn {

// A file of the machine's, mapped into memory for reading here and there: what
// is read stays in the page cache, which the kernel shrinks as it needs, and
// nothing is read ahead. Safe to read from any number of threads.
//
// A page of a mapped file that the disk does not give, or that has been cut off
// since, raises SIGBUS, of which a process dies. The first Open() installs a
// handler that makes an error of it where Read() is at work, and leaves any
// other SIGBUS to whoever handled it before.
//
//   CHARRNN_ASSIGN_OR_RETURN(const auto file, MappedFile::Open("a.ids"));
//   std::array<char, 4> bytes;
//   CHARRNN_RETURN_IF_ERROR(file->Read(0, absl::MakeSpan(bytes)));
class MappedFile {
 public:
  // Possible errors, all naming `path`: FailedPrecondition if it is no regular
  // file; ResourceExhausted if the process has as many mappings as it may;
  // others of open(2) and mmap(2), as FileSystem has them.
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(
      const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }

  // In bytes, when it was opened.
  int64_t size() const { return size_; }

  // Copies bytes [offset, offset + bytes.size()), which lie within [0, size()).
  // Unavailable, naming the file, if they cannot be had, or some others could
  // not before.
  absl::Status Read(int64_t offset, absl::Span<char> bytes) const;

  // Has bytes [offset, offset + size), which lie within the file, fetched
  // without waiting for them.
  void Prefetch(int64_t offset, int64_t size) const;

 private:
  MappedFile(std::string path, const char* begin, int64_t size);

  const std::string path_;
  const char* const begin_;  // nullptr if the file is empty
  const int64_t size_;
  mutable std::atomic<bool> failed_{false};  // zeros stand for some of it
};

}  // namespace charrnn

#endif  // CHARRNN_BASE_MAPPED_FILE_H_
