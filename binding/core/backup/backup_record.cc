#include "core/backup/backup_record.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>

#include "core/backup/database_identity.h"
#include "core/backup/meta_file.h"
#include "core/base/checksum.h"
#include "core/base/paths.h"
#include "core/base/stoppable_rate_limiter.h"
#include "core/base/text.h"
#include "core/storage/text_file.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr std::string_view kFormat = "rocksdb-backup files 1";
constexpr size_t kMaxTold = 20;
constexpr int64_t kReadBytes = 64 << 10;

std::string MetaOf(const EngineSettings& settings, uint32_t id) { return MetaPath(settings.root(), id); }

std::string DirectoryOf(const EngineSettings& settings, uint32_t id) { return PrivatePath(settings.root(), id); }

IOStatus ReadAll(rocksdb::FileSystem& storage, const std::string& path, std::string* text) {
  uint64_t size = 0;
  IOStatus status = storage.GetFileSize(path, IOOptions(), &size, nullptr);
  if (status.ok() && size > kMaxMetaBytes) {
    status = IOStatus::Corruption(path + " has " + std::to_string(size) + " bytes");
  }
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  if (status.ok()) {
    status = storage.NewSequentialFile(path, FileOptions(), &file, nullptr);
  }
  text->clear();
  const auto buffer = std::make_unique_for_overwrite<char[]>(size + 1);
  while (status.ok()) {
    rocksdb::Slice read;
    status = file->Read(size + 1, IOOptions(), &read, buffer.get(), nullptr);
    if (read.empty()) {
      break;
    }
    text->append(read.data(), read.size());
    if (text->size() > size) {
      return IOStatus::Corruption(path + " grew while it was read");
    }
  }
  if (status.ok() && text->size() < size) {
    return IOStatus::IOError(
        path, "ended after " + std::to_string(text->size()) + " of its " + std::to_string(size) + " bytes");
  }
  return status;
}

std::string Header(uint32_t id) { return std::string(kFormat) + " of backup " + std::to_string(id); }

constexpr std::string_view kDatabase = "database=";
constexpr std::string_view kKind = "kind=";

// ` database=<id> kind=<full or incremental>`, as far as they are known.
std::string Format(const BackupOrigin& origin) {
  std::string text;
  if (!origin.database.empty()) {
    text.append(" ").append(kDatabase).append(origin.database);
  }
  if (origin.full) {
    text.append(" ").append(kKind).append(*origin.full ? "full" : "incremental");
  }
  return text;
}

BackupOrigin ParseOrigin(std::string_view text) {
  BackupOrigin origin;
  while (!text.empty()) {
    const std::string_view word = TakeUntil(' ', &text);
    if (word.starts_with(kDatabase) && IsDatabaseId(word.substr(kDatabase.size()))) {
      origin.database = word.substr(kDatabase.size());
    } else if (word.starts_with(kKind)) {
      origin.full = word.substr(kKind.size()) == "full";
    }
  }
  return origin;
}

// One line for each file, `<size> <checksum or -> <name>`. The line of the meta file comes first, and the checksum of
// the text itself comes last. What else is known about the backup follows the word `meta`. Older readers take it for
// the name of the meta file, which they do not use. Unknown words are ignored.
std::string Format(uint32_t id, const BackupRecord& record) {
  std::string text = Header(id) + "\n" + std::to_string(record.meta_size) + " " + std::to_string(record.meta_checksum) +
                     " meta" + Format(record.origin) + "\n";
  for (const auto& file : record.files) {
    text += std::to_string(file.size.value_or(0)) + " " + (file.checksum ? std::to_string(*file.checksum) : "-") + " " +
            file.name + "\n";
  }
  return text + std::to_string(ChecksumOf(text)) + "\n";
}

bool ParseFile(std::string_view line, RecordedFile* file) {
  const std::string_view size = TakeUntil(' ', &line);
  const std::string_view checksum = TakeUntil(' ', &line);
  file->name = line;
  return ToNumber(size, &file->size.emplace()) && (checksum == "-" || ToNumber(checksum, &file->checksum.emplace()));
}

// Takes off the last line of a record, its own checksum. False if that is wrong.
bool TakeChecksum(std::string_view* text) {
  if (text->size() < 2 || text->back() != '\n') {
    return false;
  }
  const size_t last_line = text->find_last_of('\n', text->size() - 2) + 1;
  const std::string_view own = text->substr(last_line, text->size() - last_line - 1);
  *text = text->substr(0, last_line);
  return own == std::to_string(ChecksumOf(*text));
}

// Leaves the lines of the files in `text`.
bool ParseHead(uint32_t id, std::string_view* text, BackupRecord* record) {
  RecordedFile meta;
  if (!TakeChecksum(text) || TakeUntil('\n', text) != Header(id) || !ParseFile(TakeUntil('\n', text), &meta) ||
      !meta.checksum) {
    return false;
  }
  record->origin = ParseOrigin(meta.name);
  record->meta_size = *meta.size;
  record->meta_checksum = *meta.checksum;
  return true;
}

bool Parse(uint32_t id, std::string_view text, BackupRecord* record) {
  if (!ParseHead(id, &text, record)) {
    return false;
  }
  while (!text.empty()) {
    if (!ParseFile(TakeUntil('\n', &text), &record->files.emplace_back())) {
      return false;
    }
  }
  return true;
}

// The sizes are those that shared files have in their names.
std::vector<RecordedFile> FilesOfMeta(std::string_view text) {
  std::vector<RecordedFile> files;
  for (const auto& entry : ParseMeta(text).entries) {
    if (entry.excluded) {
      continue;
    }
    RecordedFile& file = files.emplace_back();
    file.name = entry.name;
    file.checksum = entry.checksum;
    if (const uint64_t size = SizeInName(file.name); size != kNoSizeInName) {
      file.size = size;
    }
  }
  return files;
}

// Says what is wrong with a file. Empty if nothing is. `damaged` says whether it is certain.
std::string DifferenceIn(rocksdb::FileSystem& storage, const std::string& path, const RecordedFile& file,
                         const EngineSettings& settings, const std::shared_ptr<Operation>& to_read, bool* damaged) {
  *damaged = true;
  if (file.name.find("..") != std::string::npos) {
    return file.name + " is not the name of a file that a backup can contain";
  }
  uint64_t size = 0;
  bool is_directory = false;
  if (const IOStatus status = storage.GetFileSize(path, IOOptions(), &size, nullptr); !status.ok()) {
    const bool missing = storage.FileExists(path, IOOptions(), nullptr).IsNotFound();
    *damaged = missing || status.IsCorruption();  // something that is no file of the backup is in its place
    return missing ? path + " is missing" : Worded(status);
  }
  if (storage.IsDirectory(path, IOOptions(), &is_directory, nullptr).ok() && is_directory) {
    return path + " is a directory";
  }
  if (file.size && size != *file.size) {
    return path + " has " + std::to_string(size) + " bytes and was written with " + std::to_string(*file.size);
  }
  if (to_read == nullptr || !file.checksum) {
    return "";
  }
  std::unique_ptr<rocksdb::FSSequentialFile> opened;
  IOStatus status = storage.NewSequentialFile(path, FileOptions(), &opened, nullptr);
  const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
  const auto limiter =
      settings.backup_limiter ? std::make_unique<StoppableRateLimiter>(settings.backup_limiter, to_read) : nullptr;
  Checksum checksum;
  rocksdb::Slice read;
  do {
    if (to_read->ended()) {
      return "";
    }
    if (limiter != nullptr) {
      limiter->Request(kReadBytes, rocksdb::Env::IO_LOW, nullptr, rocksdb::RateLimiter::OpType::kRead);
    }
    if (status.ok()) {
      status = opened->Read(kReadBytes, IOOptions(), &read, buffer.get(), nullptr);
      checksum.Add({read.data(), read.size()});
    }
  } while (status.ok() && !read.empty());
  if (!status.ok()) {
    *damaged = false;
    return Worded(status);
  }
  const uint32_t value = checksum.Value();
  return value == *file.checksum ? ""
                                 : path + " has the checksum " + std::to_string(value) + " and was written with " +
                                       std::to_string(*file.checksum);
}

}  // namespace

IOStatus WriteBackupRecord(const EngineSettings& settings, uint32_t id, const std::string& meta,
                           const BackupOrigin& origin, const std::vector<rocksdb::BackupFileInfo>& files) {
  const auto storage = settings.files();
  std::map<std::string, std::optional<uint32_t>> checksums;
  for (auto& file : FilesOfMeta(meta)) {
    checksums[file.name] = file.checksum;
  }
  BackupRecord record{origin, meta.size(), ChecksumOf(meta), {}};
  for (const auto& file : files) {
    record.files.push_back({file.relative_filename, file.size, checksums[file.relative_filename]});
  }
  const std::string directory = DirectoryOf(settings, id);
  const std::string temporary = directory + "/" + kTemporaryRecordName;
  const bool sync = settings.engine.sync;
  IOStatus status = WriteWhole(*storage, temporary, Format(id, record), sync);
  if (status.ok()) {
    status = storage->RenameFile(temporary, directory + "/" + kRecordName, IOOptions(), nullptr);
  }
  if (!status.ok()) {
    storage->DeleteFile(temporary, IOOptions(), nullptr).PermitUncheckedError();
    return status;
  }
  return sync ? SyncNames(*storage, directory) : status;
}

std::optional<BackupRecord> ParseRecordHead(uint32_t id, std::string_view text) {
  BackupRecord record;
  return ParseHead(id, &text, &record) ? std::optional(std::move(record)) : std::nullopt;
}

std::optional<BackupRecord> ParseRecord(uint32_t id, std::string_view text) {
  BackupRecord record;
  return Parse(id, text, &record) ? std::optional(std::move(record)) : std::nullopt;
}

FoundRecord FindBackupRecord(const EngineSettings& settings, uint32_t id) {
  const std::string path = settings.root() + "/" + RecordName(id);
  std::string text;
  IOStatus status = ReadAll(*settings.files(), path, &text);
  if (status.IsPathNotFound()) {
    status = IOStatus::NotFound(path);
  }
  if (!status.ok()) {
    return {std::nullopt, std::move(status)};
  }
  std::optional<BackupRecord> record = ParseRecord(id, text);
  std::string_view rest = text;
  const bool has_other_format = !record && TakeChecksum(&rest) && !rest.starts_with(kFormat);
  if (!record && !has_other_format) {
    status = IOStatus::Corruption(path + ", the record of its files, is not as it was written");
  }
  return {std::move(record), std::move(status)};
}

std::optional<BackupRecord> ReadBackupRecord(const EngineSettings& settings, uint32_t id) {
  return FindBackupRecord(settings, id).record;
}

std::string RecordName(uint32_t id) { return "private/" + std::to_string(id) + "/" + kRecordName; }

uint64_t MetaSize(const EngineSettings& settings, uint32_t id) {
  const auto storage = settings.files();
  uint64_t total = 0;
  for (const std::string& path : {MetaOf(settings, id), DirectoryOf(settings, id) + "/" + kRecordName}) {
    uint64_t size = 0;
    total += storage->GetFileSize(path, IOOptions(), &size, nullptr).ok() ? size : 0;
  }
  return total;
}

void RemoveBackupRecord(const EngineSettings& settings, uint32_t id) {
  const auto storage = settings.files();
  // If a file cannot be removed, it is removed with the directory. That costs a look through all directories.
  for (const char* name : {kRecordName, kTemporaryRecordName}) {
    storage->DeleteFile(DirectoryOf(settings, id) + "/" + name, IOOptions(), nullptr).PermitUncheckedError();
  }
}

void RemoveTemporaryRecords(const EngineSettings& settings) {
  const auto storage = settings.files();
  std::vector<std::string> directories;
  storage->GetChildren(PrivateDirectory(settings.root()), IOOptions(), &directories, nullptr).PermitUncheckedError();
  for (const std::string& name : directories) {
    if (const uint32_t id = BackupIdOf(name); id != 0) {
      // Best effort: the file is small, belongs to nobody, and goes with its backup at the latest.
      storage->DeleteFile(DirectoryOf(settings, id) + "/" + kTemporaryRecordName, IOOptions(), nullptr)
          .PermitUncheckedError();
    }
  }
}

std::vector<RecordedFile> KnownFiles(const EngineSettings& settings, uint32_t id,
                                     const std::optional<BackupRecord>& record) {
  std::string meta;
  if (record) {
    return record->files;
  }
  return ReadAll(*settings.files(), MetaOf(settings, id), &meta).ok() ? FilesOfMeta(meta) : std::vector<RecordedFile>();
}

Difference DifferenceInFiles(const EngineSettings& settings, const std::vector<RecordedFile>& files,
                             const std::shared_ptr<Operation>& to_read, size_t most) {
  const auto storage = settings.files();
  Difference difference;
  size_t found = 0;
  for (const auto& file : files) {
    const std::string path = settings.root() + "/" + file.name;
    bool damaged = false;
    const std::string what = DifferenceIn(*storage, path, file, settings, to_read, &damaged);
    if (what.empty()) {
      continue;
    }
    if (damaged) {
      difference.files.push_back(file.name);
    }
    if (++found <= kMaxTold) {
      difference.Add(what);
    }
    if (found == most) {
      break;
    }
  }
  if (found > kMaxTold) {
    difference.Add("and " + std::to_string(found - kMaxTold) + " more");
  }
  return difference;
}

std::string DifferenceInMeta(const EngineSettings& settings, uint32_t id, const BackupRecord& record) {
  const std::string path = MetaOf(settings, id);
  std::string meta;
  if (const IOStatus status = ReadAll(*settings.files(), path, &meta); !status.ok()) {
    return Worded(status);
  }
  const uint32_t checksum = ChecksumOf(meta);
  if (meta.size() == record.meta_size && checksum == record.meta_checksum) {
    return "";
  }
  return path + " was changed: it has " + std::to_string(meta.size()) + " bytes with checksum " +
         std::to_string(checksum) + ", and was written with " + std::to_string(record.meta_size) +
         " bytes with checksum " + std::to_string(record.meta_checksum);
}

}  // namespace rocksdb_backup
