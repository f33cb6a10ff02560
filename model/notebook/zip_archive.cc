#include "model/notebook/zip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "data/utf8.h"

namespace charrnn {
namespace {

constexpr char kLocalSignature[] = "PK\3\4";
constexpr char kDirectorySignature[] = "PK\1\2";
constexpr char kEndSignature[] = "PK\5\6";
constexpr char kEnd64Signature[] = "PK\6\6";
constexpr char kLocator64Signature[] = "PK\6\7";
constexpr size_t kSignatureSize = 4;

// What of each record is always there.
constexpr size_t kLocalSize = 30;
constexpr size_t kDirectorySize = 46;
constexpr size_t kEndSize = 22;
constexpr size_t kEnd64Size = 56;
constexpr size_t kLocator64Size = 20;
constexpr size_t kExtraSize = 4;

// Stand for "see the 64-bit record", so they are no values of their own.
constexpr uint64_t kNone16 = 0xffff;
constexpr uint64_t kNone32 = 0xffffffff;
constexpr uint64_t kMaxMembers = kNone16 - 1;
constexpr uint64_t kMaxFileSize = kNone32 - 1;

constexpr uint16_t kEncrypted = 1 << 0 | 1 << 6 | 1 << 13;
// The local header leaves CRC and sizes to a record behind the data.
constexpr uint16_t kLaterSizes = 1 << 3;
constexpr uint16_t kUtf8Name = 1 << 11;
// A compressor's choices, which say nothing of a stored member.
constexpr uint16_t kCompressorOptions = 1 << 1 | 1 << 2;

constexpr uint16_t kVersion = 20;         // 2.0: any reader of this century
constexpr uint16_t kEarliestDate = 0x21;  // 1980-01-01
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kPaddingExtra = 0x4246;  // "FB", as PyTorch's
constexpr size_t kAlignment = 64;

constexpr size_t kMaxNameShown = 100;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("zip: ", parts...));
}

// For messages: names come from the file.
std::string Quoted(absl::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, kMaxNameShown)),
                      "'");
}

bool IsUtf8(absl::string_view text) {
  return DecodeUtf8(text, [](char32_t) {}).ok();
}

uint32_t Crc32(absl::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(
      0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

// Takes numbers off the front of a record that is long enough for them.
class Fields {
 public:
  explicit Fields(absl::string_view bytes) : bytes_(bytes) {}

  uint16_t Next16() { return static_cast<uint16_t>(Next(2)); }
  uint32_t Next32() { return static_cast<uint32_t>(Next(4)); }
  uint64_t Next64() { return Next(8); }
  void Skip(size_t size) { bytes_.remove_prefix(size); }

 private:
  uint64_t Next(int size) {
    const uint64_t value = LittleEndian(bytes_.substr(0, size));
    Skip(size);
    return value;
  }

  absl::string_view bytes_;
};

void Append16(uint64_t value, std::string* out) {
  AppendLittleEndian(value, 2, out);
}
void Append32(uint64_t value, std::string* out) {
  AppendLittleEndian(value, 4, out);
}

// What a member's local header and the directory both say of it.
struct Entry {
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t stored_size = 0;
  uint64_t size = 0;
  uint64_t offset = 0;  // of the local header
  absl::string_view name;
};

// The fields that a local header and an entry of the directory share.
Entry SharedFields(Fields& fields) {
  Entry entry;
  fields.Skip(2);  // the version that reads it
  entry.flags = fields.Next16();
  entry.method = fields.Next16();
  fields.Skip(4);  // time and date
  entry.crc = fields.Next32();
  entry.stored_size = fields.Next32();
  entry.size = fields.Next32();
  return entry;
}

// Replaces the sizes, and the offset, that did not fit into 32 bits by those
// that the extra fields hold (APPNOTE.TXT 4.5.3).
absl::Status WidenFrom(absl::string_view extra, Entry& entry) {
  std::vector<uint64_t*> wide;
  for (uint64_t* field : {&entry.size, &entry.stored_size, &entry.offset}) {
    if (*field == kNone32) wide.push_back(field);
  }
  if (wide.empty()) return absl::OkStatus();
  while (extra.size() >= kExtraSize) {
    Fields fields(extra);
    const uint16_t kind = fields.Next16();
    const uint16_t size = fields.Next16();
    if (size > extra.size() - kExtraSize) break;
    if (kind == kZip64Extra && size >= sizeof(uint64_t) * wide.size()) {
      for (uint64_t* field : wide) *field = fields.Next64();
      return absl::OkStatus();
    }
    extra.remove_prefix(kExtraSize + size);
  }
  return Invalid("member ", Quoted(entry.name), " lacks its 64-bit sizes");
}

// Where the directory lies and how many entries it has.
struct Directory {
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t count = 0;

  friend bool operator!=(const Directory& a, const Directory& b) {
    return a.offset != b.offset || a.size != b.size || a.count != b.count;
  }
};

// Replaces `directory`, which the end record gave, by what the 64-bit records
// before it say, if there are any, and sets `*end` to where they begin.
absl::Status ReadEnd64(absl::string_view file, Directory& directory,
                       uint64_t* end) {
  if (*end < kLocator64Size ||
      !absl::StartsWith(file.substr(*end - kLocator64Size),
                        kLocator64Signature)) {
    return absl::OkStatus();
  }
  *end -= kLocator64Size;
  Fields locator(file.substr(*end + kSignatureSize));
  const uint32_t disk = locator.Next32();
  const uint64_t offset = locator.Next64();
  const uint32_t num_disks = locator.Next32();
  if (*end < kEnd64Size || offset != *end - kEnd64Size ||
      !absl::StartsWith(file.substr(offset), kEnd64Signature)) {
    return Invalid("the 64-bit end record is not where it is said to be");
  }
  *end = offset;
  Fields fields(file.substr(offset + kSignatureSize));
  const uint64_t record_size = fields.Next64();
  fields.Skip(4);  // versions
  const uint32_t this_disk = fields.Next32();
  const uint32_t directory_disk = fields.Next32();
  Directory wide;
  const uint64_t count_here = fields.Next64();
  wide.count = fields.Next64();
  wide.size = fields.Next64();
  wide.offset = fields.Next64();
  if (record_size != kEnd64Size - 12) {
    return Invalid("its 64-bit end record has ", record_size, " bytes");
  }
  if (disk != 0 || num_disks > 1 || this_disk != 0 || directory_disk != 0 ||
      count_here != wide.count) {
    return Invalid("it is one part of several");
  }
  Directory narrow = wide;
  if (directory.count != kNone16) narrow.count = directory.count;
  if (directory.size != kNone32) narrow.size = directory.size;
  if (directory.offset != kNone32) narrow.offset = directory.offset;
  if (narrow != wide) return Invalid("its two end records disagree");
  directory = wide;
  return absl::OkStatus();
}

// The end record is looked for at the very end only: behind it might stand a
// comment, but who writes one into a checkpoint has something to hide.
absl::StatusOr<Directory> ReadEnd(absl::string_view file) {
  if (file.size() < kEndSize ||
      !absl::StartsWith(file.substr(file.size() - kEndSize), kEndSignature)) {
    return Invalid(
        "no end record: the file is cut short, or is no zip archive");
  }
  uint64_t end = file.size() - kEndSize;
  Fields fields(file.substr(end + kSignatureSize));
  const uint16_t disk = fields.Next16();
  const uint16_t directory_disk = fields.Next16();
  const uint16_t count_here = fields.Next16();
  Directory directory;
  directory.count = fields.Next16();
  directory.size = fields.Next32();
  directory.offset = fields.Next32();
  if (disk != 0 || directory_disk != 0 || count_here != directory.count) {
    return Invalid("it is one part of several");
  }
  if (fields.Next16() != 0) {
    return Invalid("it has a comment, which torch.save never writes");
  }
  CHARRNN_RETURN_IF_ERROR(ReadEnd64(file, directory, &end));
  if (directory.size > end || directory.offset != end - directory.size) {
    return Invalid("its directory is not where it is said to be");
  }
  if (directory.count > kMaxMembers) {
    return Invalid("it has ", directory.count, " members, at most ",
                   kMaxMembers, " are read");
  }
  return directory;
}

absl::Status CheckKind(const Entry& entry) {
  if (!IsUtf8(entry.name)) {
    return Invalid("the name ", Quoted(entry.name), " is not UTF-8");
  }
  if (entry.flags & kEncrypted) {
    return Invalid("member ", Quoted(entry.name),
                   " is encrypted, which torch.save never does");
  }
  if (entry.method != 0) {
    return Invalid("member ", Quoted(entry.name),
                   " is compressed, which torch.save never does");
  }
  if (entry.flags & ~(kLaterSizes | kUtf8Name | kCompressorOptions)) {
    return Invalid("member ", Quoted(entry.name), " has unknown flags");
  }
  if (entry.stored_size != entry.size) {
    return Invalid("member ", Quoted(entry.name), " has two sizes");
  }
  return absl::OkStatus();
}

// Takes the next entry off the front of the directory.
absl::StatusOr<Entry> NextEntry(absl::string_view& directory) {
  if (directory.size() < kDirectorySize ||
      !absl::StartsWith(directory, kDirectorySignature)) {
    return Invalid("its directory has fewer entries than it is said to");
  }
  Fields fields(directory);
  fields.Skip(kSignatureSize + 2);  // and the version that wrote it
  Entry entry = SharedFields(fields);
  const size_t name_size = fields.Next16();
  const size_t extra_size = fields.Next16();
  const size_t comment_size = fields.Next16();
  const uint16_t disk = fields.Next16();
  fields.Skip(6);  // attributes
  entry.offset = fields.Next32();
  directory.remove_prefix(kDirectorySize);
  // Sums of three 16-bit numbers: no overflow.
  if (name_size + extra_size + comment_size > directory.size()) {
    return Invalid("an entry reaches behind its directory");
  }
  entry.name = directory.substr(0, name_size);
  CHARRNN_RETURN_IF_ERROR(
      WidenFrom(directory.substr(name_size, extra_size), entry));
  directory.remove_prefix(name_size + extra_size + comment_size);
  CHARRNN_RETURN_IF_ERROR(CheckKind(entry));
  if (disk != 0) {
    return Invalid("member ", Quoted(entry.name), " is in another part");
  }
  return entry;
}

// The data, its CRC not looked at yet, of a member whose entry in the directory
// is `entry`. `body` is the file up to its directory.
absl::StatusOr<absl::string_view> FindData(absl::string_view body,
                                           const Entry& entry) {
  if (entry.offset > body.size() || body.size() - entry.offset < kLocalSize) {
    return Invalid("member ", Quoted(entry.name), " lies outside the file");
  }
  absl::string_view rest = body.substr(entry.offset);
  if (!absl::StartsWith(rest, kLocalSignature)) {
    return Invalid("member ", Quoted(entry.name), " has no local header");
  }
  Fields fields(rest.substr(kSignatureSize));
  Entry local = SharedFields(fields);
  const size_t name_size = fields.Next16();
  const size_t extra_size = fields.Next16();
  rest.remove_prefix(kLocalSize);
  if (name_size + extra_size > rest.size() ||
      entry.size > rest.size() - name_size - extra_size) {
    return Invalid("member ", Quoted(entry.name), " lies outside the file");
  }
  local.name = rest.substr(0, name_size);
  CHARRNN_RETURN_IF_ERROR(WidenFrom(rest.substr(name_size, extra_size), local));
  const bool later = (local.flags & kLaterSizes) != 0 && local.crc == 0 &&
                     local.stored_size == 0 && local.size == 0;
  if (local.name != entry.name || local.flags != entry.flags ||
      local.method != entry.method ||
      (!later && (local.crc != entry.crc || local.size != entry.size ||
                  local.stored_size != entry.stored_size))) {
    return Invalid("the local header of member ", Quoted(entry.name),
                   " disagrees with the directory");
  }
  return rest.substr(name_size + extra_size, entry.size);
}

// Where one member's header begins and its data ends.
using Range = std::pair<const char*, const char*>;

absl::Status CheckApart(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) {
      return Invalid("two members overlap");
    }
  }
  return absl::OkStatus();
}

void AppendSharedFields(const ZipMember& member, uint32_t crc,
                        std::string* out) {
  Append16(kVersion, out);
  Append16(kUtf8Name, out);
  Append16(0, out);  // stored
  Append16(0, out);  // midnight
  Append16(kEarliestDate, out);
  Append32(crc, out);
  Append32(member.bytes.size(), out);
  Append32(member.bytes.size(), out);
  Append16(member.name.size(), out);
}

// Appends a member's header, padding and data, and to `directory` its entry.
void AppendMember(const ZipMember& member, std::string* file,
                  std::string* directory) {
  const uint32_t crc = Crc32(member.bytes);
  const size_t offset = file->size();
  const size_t unpadded = offset + kLocalSize + member.name.size() + kExtraSize;
  const size_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
  *file += kLocalSignature;
  AppendSharedFields(member, crc, file);
  Append16(kExtraSize + padding, file);
  *file += member.name;
  Append16(kPaddingExtra, file);
  Append16(padding, file);
  file->append(padding, 'Z');
  file->append(member.bytes.data(), member.bytes.size());

  *directory += kDirectorySignature;
  Append16(kVersion, directory);
  AppendSharedFields(member, crc, directory);
  directory->append(12, '\0');  // no extra fields, comment, attributes
  Append32(offset, directory);
  *directory += member.name;
}

}  // namespace

absl::StatusOr<std::string> EncodeZip(const std::vector<ZipMember>& members) {
  if (members.size() > kMaxMembers) {
    return Invalid(members.size(), " members are more than ", kMaxMembers);
  }
  std::set<absl::string_view> names;
  uint64_t size = kEndSize;
  for (const ZipMember& member : members) {
    if (!names.insert(member.name).second) {
      return Invalid("the name ", Quoted(member.name), " is taken");
    }
    if (member.name.size() > kNone16 || !IsUtf8(member.name)) {
      return Invalid("the name ", Quoted(member.name),
                     " is too long or not UTF-8");
    }
    const uint64_t around = kLocalSize + kExtraSize + kAlignment +
                            kDirectorySize + 2 * member.name.size();
    if (size > kMaxFileSize - around ||
        member.bytes.size() > kMaxFileSize - around - size) {
      return Invalid("archives of 4 GiB and more are not written");
    }
    size += around + member.bytes.size();
  }

  std::string file;
  file.reserve(size);
  std::string directory;
  for (const ZipMember& member : members) {
    AppendMember(member, &file, &directory);
  }
  const size_t offset = file.size();
  file += directory;
  file += kEndSignature;
  Append32(0, &file);  // the first part of one
  Append16(members.size(), &file);
  Append16(members.size(), &file);
  Append32(directory.size(), &file);
  Append32(offset, &file);
  Append16(0, &file);  // no comment
  return file;
}

absl::StatusOr<std::vector<ZipMember>> DecodeZip(absl::string_view file) {
  CHARRNN_ASSIGN_OR_RETURN(const Directory directory, ReadEnd(file));
  const absl::string_view body = file.substr(0, directory.offset);
  absl::string_view records = file.substr(directory.offset, directory.size);
  std::vector<Entry> entries;
  std::set<absl::string_view> names;
  for (uint64_t i = 0; i < directory.count; ++i) {
    CHARRNN_ASSIGN_OR_RETURN(const Entry entry, NextEntry(records));
    if (!names.insert(entry.name).second) {
      return Invalid("two members are named ", Quoted(entry.name));
    }
    entries.push_back(entry);
  }
  if (!records.empty()) {
    return Invalid("its directory has more entries than it is said to");
  }
  std::vector<ZipMember> members;
  std::vector<Range> ranges;
  for (const Entry& entry : entries) {
    CHARRNN_ASSIGN_OR_RETURN(const absl::string_view data,
                             FindData(body, entry));
    members.push_back({std::string(entry.name), data});
    ranges.emplace_back(body.data() + entry.offset, data.data() + data.size());
  }
  // First this, so that no byte is read once for each of many members.
  CHARRNN_RETURN_IF_ERROR(CheckApart(std::move(ranges)));
  for (size_t i = 0; i < members.size(); ++i) {
    if (Crc32(members[i].bytes) != entries[i].crc) {
      return Invalid("member ", Quoted(members[i].name),
                     " is damaged: its CRC-32 does not match");
    }
  }
  return members;
}

}  // namespace charrnn
