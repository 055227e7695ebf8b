#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/backup/backup_engine_session.h"

namespace rocksdb_backup {

// The record: what a backup was when it was made. It has the size and checksum of each of its files, including its meta
// file. RocksDB's own meta files hold no sizes, so a file that was cut off looks intact when the repository is opened
// anew.
//
// The record lies in the private directory of its backup. So it always belongs to that backup: a BackupEngine, of any
// program, that uses an id again has to make that directory anew, and one that deletes the backup removes the directory
// and everything in it. In that directory, BackupEngines read only the files that the meta file names. A record that is
// damaged itself (it ends with its own checksum), or has another format, is not used; a verify says that it is damaged.
struct RecordedFile {
  std::string name;  // relative to the repository
  std::optional<uint64_t> size;
  std::optional<uint32_t> checksum;  // CRC32C
};

inline constexpr const char* kRecordName = "rocksdb-backup.files";
// The record while it is written.
inline constexpr const char* kTemporaryRecordName = ".rocksdb-backup.files.tmp";

struct BackupRecord {
  BackupOrigin origin;
  uint64_t meta_size = 0;
  uint32_t meta_checksum = 0;
  std::vector<RecordedFile> files;
};

// The record is written after the backup, by write, sync and rename. If it is missing, for example after a crash in
// between, a verify sees only what the BackupEngine sees. So a failure to write it is not a failure of the backup.
// `meta` is what the meta file was written with: what is read of it may be damaged on its way.
rocksdb::IOStatus WriteBackupRecord(const EngineSettings& settings, uint32_t id, const std::string& meta,
                                    const BackupOrigin& origin, const std::vector<rocksdb::BackupFileInfo>& files);

// Reads a record's text, but not its files. nullopt if the text is not intact.
std::optional<BackupRecord> ParseRecordHead(uint32_t id, std::string_view text);

// nullopt if the text is not intact.
std::optional<BackupRecord> ParseRecord(uint32_t id, std::string_view text);

struct FoundRecord {
  std::optional<BackupRecord> record;  // nullopt: none that can be used
  // OK also for a whole record of another format. NotFound: there is none, as of a backup that another program made.
  // Corruption: it is damaged. Another error: it could not be read.
  rocksdb::IOStatus status;
};
FoundRecord FindBackupRecord(const EngineSettings& settings, uint32_t id);

// nullopt if there is no intact record.
std::optional<BackupRecord> ReadBackupRecord(const EngineSettings& settings, uint32_t id);

// The path of a backup's record, relative to the repository.
std::string RecordName(uint32_t id);

// The size of the backup's meta file and of its record, as far as they exist.
uint64_t MetaSize(const EngineSettings& settings, uint32_t id);

// Removes a backup's record. Call it before the backup is deleted, so that the BackupEngine finds only what it knows in
// the directory.
void RemoveBackupRecord(const EngineSettings& settings, uint32_t id);

// Removes incomplete records of processes that died while they wrote them. The writer's lock must be held.
void RemoveTemporaryRecords(const EngineSettings& settings);

// The files of the record. Without a record: the files that the meta file names, with the sizes that shared files have
// in their names; empty if the meta file cannot be read.
std::vector<RecordedFile> KnownFiles(const EngineSettings& settings, uint32_t id,
                                     const std::optional<BackupRecord>& record);

// Says, as text, what is not as it was written, and names the files that are damaged. A file that could not be looked
// at is only in the text: that does not mean that it is damaged.
struct Difference {
  std::string text;  // empty if there is no difference
  std::vector<std::string> files;

  bool empty() const { return text.empty(); }
  void Add(std::string_view more) { text.append(text.empty() ? "" : "; ").append(more); }
};

// Finds each file that is missing or has another size, and tells both sizes. With `to_read`, an operation that can be
// stopped, it also reads every file and finds those with another checksum. Ends after `most` files.
Difference DifferenceInFiles(const EngineSettings& settings, const std::vector<RecordedFile>& files,
                             const std::shared_ptr<Operation>& to_read = nullptr,
                             size_t most = std::numeric_limits<size_t>::max());

// How the meta file differs from what was written, as text. Empty if it does not differ.
std::string DifferenceInMeta(const EngineSettings& settings, uint32_t id, const BackupRecord& record);

}  // namespace rocksdb_backup
