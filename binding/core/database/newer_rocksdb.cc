#include "core/database/newer_rocksdb.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/base/paths.h"
#include "rocksdb/convenience.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"
#include "rocksdb/version.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::FileSystem;
using rocksdb::IOOptions;
using VersionNumbers = std::array<uint32_t, 3>;

constexpr VersionNumbers kThisVersion{ROCKSDB_MAJOR, ROCKSDB_MINOR, ROCKSDB_PATCH};

std::string VersionText(const VersionNumbers& version) {
  return std::to_string(version[0]) + "." + std::to_string(version[1]) + "." + std::to_string(version[2]);
}

// All zero if the text names no version.
VersionNumbers VersionInOptions(std::string_view options) {
  constexpr std::string_view kName = "rocksdb_version=";
  constexpr uint32_t kLimit = 1'000'000;
  VersionNumbers version{};
  const size_t at = options.find(kName);
  if (at == std::string_view::npos) {
    return version;
  }
  size_t part = 0;
  for (const char c : options.substr(at + kName.size())) {
    if (c == '.' && part + 1 < version.size()) {
      ++part;
    } else if (c >= '0' && c <= '9' && version[part] < kLimit) {
      version[part] = version[part] * 10 + static_cast<uint32_t>(c - '0');
    } else {
      break;
    }
  }
  return version;
}

// The start of an OPTIONS file, where RocksDB writes the version.
std::string HeadOfOptions(FileSystem& storage, const std::string& path) {
  constexpr size_t kHead = 1024;
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  if (!storage.NewSequentialFile(path, FileOptions(), &file, nullptr).ok()) {
    return "";
  }
  std::string scratch(kHead, '\0');
  rocksdb::Slice head;
  if (!file->Read(kHead, IOOptions(), &head, scratch.data(), nullptr).ok()) {
    return "";
  }
  return head.ToString();
}

// RocksDB does not say which formats it knows, but it refuses to write a format that it does not know.
uint32_t LatestTableFormat() {
  static const uint32_t latest = [] {
    rocksdb::BlockBasedTableOptions options;
    options.no_block_cache = true;
    const auto known = [&options](uint32_t format) {
      options.format_version = format;
      const std::unique_ptr<rocksdb::TableFactory> factory(rocksdb::NewBlockBasedTableFactory(options));
      return factory->ValidateOptions(rocksdb::DBOptions(), rocksdb::ColumnFamilyOptions()).ok();
    };
    uint32_t format = options.format_version;
    while (known(format + 1)) {
      ++format;
    }
    return format;
  }();
  return latest;
}

uint64_t LittleEndian(const char* bytes, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

// The format of a block-based table, RocksDB's usual kind. Its last twelve bytes are the format and a number that names
// the kind. 0 if the table is of another, very old kind, or cannot be read.
uint32_t TableFormatOf(FileSystem& storage, const std::string& path) {
  constexpr uint64_t kBlockBasedTable = 0x88e241b785f4cff7;
  constexpr size_t kFormat = sizeof(uint32_t);
  constexpr size_t kEnd = kFormat + sizeof(uint64_t);
  uint64_t size = 0;
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  if (!storage.GetFileSize(path, IOOptions(), &size, nullptr).ok() || size < kEnd ||
      !storage.NewRandomAccessFile(path, FileOptions(), &file, nullptr).ok()) {
    return 0;
  }
  std::array<char, kEnd> scratch;
  rocksdb::Slice end;
  if (!file->Read(size - kEnd, kEnd, IOOptions(), &end, scratch.data(), nullptr).ok() || end.size() != kEnd ||
      LittleEndian(end.data() + kFormat, sizeof(uint64_t)) != kBlockBasedTable) {
    return 0;
  }
  return static_cast<uint32_t>(LittleEndian(end.data(), kFormat));
}

}  // namespace

bool IsOptionsFileName(std::string_view name) {
  constexpr std::string_view kPrefix = "OPTIONS-";
  return name.starts_with(kPrefix) && AllDigits(name.substr(kPrefix.size()));
}

std::optional<std::string> NewerVersionOf(FileSystem& storage, const std::vector<std::string>& options_files) {
  VersionNumbers newest{};
  for (const auto& path : options_files) {
    newest = std::max(newest, VersionInOptions(HeadOfOptions(storage, path)));
  }
  if (newest == VersionNumbers{}) {
    return std::nullopt;
  }
  return newest > kThisVersion ? VersionText(newest) : "";
}

std::string UnknownTableAmong(FileSystem& storage, std::vector<std::string> tables) {
  // The tables with the highest numbers were written last, so they are checked first.
  std::sort(tables.begin(), tables.end(), std::greater<>());
  for (const auto& path : tables) {
    if (const uint32_t format = TableFormatOf(storage, path); format > LatestTableFormat()) {
      return NameOf(path) + " is a table of format " + std::to_string(format) + ", and this one reads formats up to " +
             std::to_string(LatestTableFormat());
    }
  }
  return "";
}

namespace {

struct KnownVersion {
  int64_t timestamp;
  uint64_t size;
  std::string version;
};

// Never destroyed, because threads may outlive main().
struct KnownRepositories {
  std::mutex mutex;
  std::map<std::string, std::map<uint32_t, KnownVersion>> repositories;

  std::map<uint32_t, KnownVersion>& BackupsOf(const std::string& repository) {
    // A store that is opened anew has a new identity. So what is known of stores that are gone must not pile up.
    if (repositories.size() >= 1000 && !repositories.contains(repository)) {
      repositories.clear();
    }
    return repositories[repository];
  }
};

KnownRepositories& TheKnown() {
  static auto* known = new KnownRepositories;
  return *known;
}

}  // namespace

std::string KnownVersions::Of(const std::string& repository, uint32_t id, int64_t timestamp, uint64_t size,
                              const std::function<std::optional<std::string>()>& find) {
  KnownRepositories& known = TheKnown();
  {
    const std::lock_guard lock(known.mutex);
    const auto& backups = known.BackupsOf(repository);
    const auto backup = backups.find(id);
    if (backup != backups.end() && backup->second.timestamp == timestamp && backup->second.size == size) {
      return backup->second.version;
    }
  }
  std::optional<std::string> version = find();
  if (version) {
    const std::lock_guard lock(known.mutex);
    known.BackupsOf(repository)[id] = {timestamp, size, *version};
  }
  return version.value_or("");
}

void KnownVersions::Keep(const std::string& repository, const std::vector<uint32_t>& ids) {
  KnownRepositories& known = TheKnown();
  const std::lock_guard lock(known.mutex);
  std::erase_if(known.BackupsOf(repository),
                [&](const auto& backup) { return !std::binary_search(ids.begin(), ids.end(), backup.first); });
}

NewerRocksDb::NewerRocksDb(FileSystem& storage, const std::string& directory, const std::vector<std::string>& names)
    : storage_(storage), directory_(directory) {
  std::vector<std::string> options_files;
  for (const auto& name : names) {
    if (IsOptionsFileName(name)) {
      options_files.push_back(directory + "/" + name);
    }
  }
  version_ = NewerVersionOf(storage, options_files).value_or("");
  for (const auto& name : names) {
    if (!version_.empty() && name.ends_with(".sst")) {
      tables_.push_back(directory + "/" + name);
    }
  }
}

Error NewerRocksDb::Unreadable(const std::string& doing, const std::string& why) const {
  return Error("NEWER_ROCKSDB", doing + ": RocksDB " + version_ + " wrote this database, and RocksDB " +
                                    VersionText(kThisVersion) +
                                    ", which this package was built with, cannot read it: " + why +
                                    ". Open it with RocksDB " + version_ +
                                    " or newer; docs/engines.md says how to build this package with it, and how to "
                                    "write what this one reads.")
      .With("path", directory_);
}

Error NewerRocksDb::CheckTables(const std::string& doing) const {
  const std::string unknown = tables_.empty() ? "" : UnknownTableAmong(storage_, tables_);
  return unknown.empty() ? Error() : Unreadable(doing, unknown);
}

Error NewerRocksDb::Explain(Error error, const std::string& doing) const {
  return error.ok() || version_.empty() || error.code() == "ROCKSDB_IO_ERROR" ? std::move(error)
                                                                              : Unreadable(doing, error.message());
}

Error NewerRocksDb::Hint(Error error) const {
  if (version_.empty() || (error.code() != "ROCKSDB_CORRUPTION" && error.code() != "ROCKSDB_NOT_SUPPORTED")) {
    return error;
  }
  return std::move(error).And(". RocksDB " + version_ + " has written to this database, and this package has RocksDB " +
                              VersionText(kThisVersion) + ": the newer version may be able to read it.");
}

}  // namespace rocksdb_backup
