#pragma once

#include <memory>

#include "core/database/database.h"
#include "core/repository/backup_repository.h"
#include "core/wal/archiver.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The native part of lib/archive: functions that take a native database or a native BackupEngine.
void RegisterArchive(Napi::Env env, Napi::Object exports);

// A backup that is made of an archived database, in the repository of its archive: the archive can be replayed from it.
class ArchivedBackup {
 public:
  // Before the backup begins.
  ArchivedBackup(const Database& database, const BackupRepository& repository, const CreateRequest& request);
  // After it was made. If the archive cannot be told, it only does not know this base, and asks for another.
  void Tell(const BackupDescription& backup) const;

 private:
  std::shared_ptr<Archiver> archiver_;  // null: there is nothing to tell
  uint64_t timeline_ = 0;
  uint64_t has_all_to_ = 0;
};

}  // namespace rocksdb_backup
