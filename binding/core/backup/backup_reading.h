#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_record.h"

namespace rocksdb_backup {

// The first steps of a restore and of a verify.

// The error that a backup is damaged. `damaged_files` are its damaged files, if they are known.
Error Unrestorable(const EngineSettings& settings, uint32_t id, const std::string& why,
                   std::vector<std::string> damaged_files = {});

// The BackupEngine stops at the first damage that it finds, and does not always say where it is. This function looks
// for all damage, or for the first damage, and returns an error that names it. Returns `first` if it finds none.
enum class Damage { kAll, kFirst };
Error NameDamage(const EngineSettings& settings, uint32_t id, const std::optional<BackupRecord>& record,
                 const std::shared_ptr<Operation>& to_read, Damage damage, Error first);

// Adds the files of a backup that an error is about, if the disk cannot read them, or if this user may not read them.
// RocksDB names the file only in the text of its message. Too many open files, or too little memory, are not the
// backup's fault.
Error NameUnread(const EngineSettings& settings, const BackupDescription& backup, Error error);

struct ReadRequest {
  uint32_t backup_id = 0;  // 0 means the latest readable backup
  std::shared_ptr<Operation> operation = std::make_shared<Operation>();
  ObservedFileSystem::Count count_backup = ObservedFileSystem::Count::kNothing;
  ObservedFileSystem::Count count_database = ObservedFileSystem::Count::kNothing;
  bool engine = true;  // false: the session has a BackupEngine only if it cannot do without one
};

// A backup that stays as long as the lock is held.
struct BackupReading {
  std::unique_ptr<ReaderLock> lock;
  std::shared_ptr<BackupEngineSession> session;
  BackupDescription backup;
};

// Opens a BackupEngine on a backup. The backup is locked before it is looked at, because in between another process may
// delete it and give its id to another backup.
Error OpenBackup(const EngineSettings& settings, const ReadRequest& request, BackupReading* reading);

// An error that looks like damage may mean that the backup is not there any more. Then returns that error, otherwise
// `error`.
Error LossOr(const BackupReading& reading, Error error);

// Checks the names and sizes of a backup's files. Names that no BackupEngine writes make it throw an exception, or
// write where it should not. Sizes are compared with the record. Without a record, only the names of shared files tell
// a size, because meta files hold no sizes.
Error CheckFiles(const EngineSettings& settings, const BackupDescription& backup,
                 const std::optional<BackupRecord>& record);

}  // namespace rocksdb_backup
