#ifndef CHARRNN_MODEL_NOTEBOOK_ZIP_ARCHIVE_H_
#define CHARRNN_MODEL_NOTEBOOK_ZIP_ARCHIVE_H_

// Zip archives as torch.save makes them (PKWARE's APPNOTE.TXT), in memory. All
// numbers are little-endian.
//
//   for each member  a local header, the name, padding, the data as it is
//   the directory    for each member its name, size, CRC-32 and place
//   the end          where the directory lies; before it, where a writer adds
//                    them, the same in 64 bits
//
// Members are stored, never compressed, and their data begins at multiples of
// 64 bytes, so that a reader can map them.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace charrnn {

// A named piece of an archive whose bytes belong to someone else.
struct ZipMember {
  std::string name;         // "archive/data.pkl"; UTF-8
  absl::string_view bytes;  // its content
};

// The bytes of an archive with `members` in the given order, which PyTorch,
// Python's zipfile and unzip read. All time stamps are the format's earliest:
// equal arguments give equal bytes.
// InvalidArgument if a name is taken twice, is not UTF-8 or has more than
// 65,535 bytes, or if there are more than 65,534 members or 4 GiB of all,
// which would want the format's 64-bit variant.
absl::StatusOr<std::string> EncodeZip(const std::vector<ZipMember>& members);

// Reads an archive of unknown origin; the result, in the directory's order,
// holds views into `file`, which must outlive it. Nothing is unpacked, and
// names are names only, whatever they look like.
// InvalidArgument, naming what is wrong, unless the directory fills the file
// from where it begins to the end's records, each member lies before it, by
// itself, behind a local header that agrees, and has its CRC-32. Compressed
// and encrypted members, archives in several parts or with a comment at the
// end, equal names and more than 65,534 members are refused. What lies between
// members is not looked at: writers align there.
absl::StatusOr<std::vector<ZipMember>> DecodeZip(absl::string_view file);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_NOTEBOOK_ZIP_ARCHIVE_H_
