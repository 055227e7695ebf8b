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

// What a backup was when it was made: size and checksum of each of its files, its meta file included. The engine's
// own metas hold no sizes, so that a file that was cut off looks whole to whoever opens the directory anew.
//
// It lies in the backup's private directory, which decides whose it is: an engine, of whatever program, that gives an
// id again has to make that directory anew, and one that deletes the backup removes the directory with all that is in
// it. What lies there beside the files that the meta names is read by none of them. A record that is damaged itself (it
// ends with its own checksum), or of another format, is as good as none.
struct RecordedFile {
  std::string name;  // relative to the backup directory
  std::optional<uint64_t> size;
  std::optional<uint32_t> checksum;  // CRC32C
};

inline constexpr const char* kRecordName = "rocksdb-backup.files";

struct BackupRecord {
  BackupOrigin origin;
  uint64_t meta_size = 0;
  uint32_t meta_checksum = 0;
  std::vector<RecordedFile> files;
};

// Written after the backup, by write, sync and rename: where it is missing, as after a crash in between, a verify sees
// what the engine sees. So a failure is no failure of the backup.
rocksdb::IOStatus WriteBackupRecord(const EngineSettings& settings, uint32_t id, const BackupOrigin& origin,
                                    const std::vector<rocksdb::BackupFileInfo>& files);

// Of a record's text, without its files. Nothing where it is not whole.
std::optional<BackupRecord> ParseRecordHead(uint32_t id, std::string_view text);

// Nothing where there is none that is whole.
std::optional<BackupRecord> ReadBackupRecord(const EngineSettings& settings, uint32_t id);

// Bytes of the backup's meta file and its record, as far as they are there.
uint64_t MetaSize(const EngineSettings& settings, uint32_t id);

// Whoever deletes a backup removes this first, and leaves the directory to the engine as the engine knows it.
void RemoveBackupRecord(const EngineSettings& settings, uint32_t id);

// What processes left that died while they wrote a record. Under the writer's lock.
void RemoveTemporaryRecords(const EngineSettings& settings);

// The files of the record. Without one: those that the meta file names, with the sizes that shared files have in their
// names, or none where it cannot be read.
std::vector<RecordedFile> KnownFiles(const EngineSettings& settings, uint32_t id,
                                     const std::optional<BackupRecord>& record);

// What is not as it was written, as text, and the names of the files that are damaged. Those that could not be looked
// at are in the text alone: they are not damaged for that.
struct Difference {
  std::string text;  // empty where there is none
  std::vector<std::string> files;

  bool empty() const { return text.empty(); }
  void Add(std::string_view more) { text.append(text.empty() ? "" : "; ").append(more); }
};

// Each file that is gone or has another size, with both sizes. With an operation, which can be stopped, every file is
// read, and those whose checksum is another are named too. Ends after so many as are asked for.
Difference DifferenceInFiles(const EngineSettings& settings, const std::vector<RecordedFile>& files,
                             const std::shared_ptr<Operation>& to_read = nullptr,
                             size_t most = std::numeric_limits<size_t>::max());

// How the meta file differs from what was written, as text; empty where it does not.
std::string DifferenceInMeta(const EngineSettings& settings, uint32_t id, const BackupRecord& record);

}  // namespace rocksdb_backup
