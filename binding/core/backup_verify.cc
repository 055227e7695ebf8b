#include "core/backup_verify.h"

#include <utility>

#include "core/backup_reading.h"
#include "core/paths.h"

namespace rocksdb_backup {

using Count = ObservedFileSystem::Count;

Error VerifyBackup(const EngineSettings& settings, uint32_t backup_id, bool checksum,
                   const std::shared_ptr<Operation>& operation) {
  if (backup_id == 0) {
    return Error("BACKUP_NOT_FOUND", "there is no backup 0 in " + settings.engine.backup_dir + ": ids begin at 1");
  }
  DirectoryLock reading;
  std::shared_ptr<BackupEngineSession> session;
  BackupDescription backup;
  Error unopened =
      OpenBackup(settings, operation, Count::kReads, Count::kNothing, backup_id, &reading, &session, &backup, checksum);
  const std::optional<BackupRecord> record = ReadBackupRecord(settings, backup_id);
  const auto with_all_damage = [&](Error error) {
    if (error = LossOr(reading, std::move(error)); error.code() == "LOCK_LOST") {
      return error;
    }
    return error.code() == "BACKUP_CORRUPT"
               ? NameDamage(settings, backup_id, record, checksum ? operation : nullptr, Damage::kAll, std::move(error))
               : error;
  };
  if (!unopened.ok()) {
    return with_all_damage(std::move(unopened));
  }
  // Checking sizes reads nothing: only the end of it can be told.
  operation->Begin(Phase::kVerify, checksum ? backup.size : 0, checksum ? backup.number_files : 0);
  if (Error error = CheckFiles(settings, backup, record); !error.ok()) {
    return with_all_damage(std::move(error));
  }
  if (record) {
    if (const std::string difference = DifferenceInMeta(settings, backup_id, *record); !difference.empty()) {
      return with_all_damage(Unrestorable(settings, backup_id, difference, {MetaName(backup_id)}));
    }
  }
  Error error;
  if (session->has_engine()) {
    session->ExpectBackupFiles(backup);
    session->ForgetFailure();
    error = Guarded(settings.engine.backup_dir, [&] {
      const rocksdb::IOStatus status = session->reader().VerifyBackup(backup_id, checksum);
      if (const rocksdb::IOStatus failure = session->failure(); !status.ok() && !failure.ok()) {
        // What could not be looked at is not damaged for that.
        return Error::From(failure,
                           "verifying backup " + std::to_string(backup_id) + " in " + settings.engine.backup_dir);
      }
      if (status.IsCorruption() || status.IsNotFound()) {
        return Unrestorable(settings, backup_id, Worded(status));
      }
      return Error::From(status, "verifying backup " + std::to_string(backup_id) + " in " + settings.engine.backup_dir);
    });
  }
  if (!error.ok()) {
    return with_all_damage(std::move(error));
  }
  if (!operation->Commit()) {
    return Error("VERIFY_STOPPED", "the verify was stopped");
  }
  operation->Finish();
  return Error();
}

}  // namespace rocksdb_backup
