#include "core/backup_restore.h"

#include <utility>

#include "core/backup_reading.h"
#include "core/restore_target.h"
#include "rocksdb/version.h"

namespace rocksdb_backup {
namespace {

using Count = ObservedFileSystem::Count;

// What a restore will write: the backup's files, and those left out of it from where they are found.
void CountWork(const EngineSettings& settings, const RestoreRequest& request, const BackupDescription& backup,
               uint64_t* bytes, uint32_t* files) {
  *bytes = backup.size;
  *files = backup.number_files;
  for (const auto& name : backup.excluded) {
    const auto add = [&](const EngineSettings& where) {
      uint64_t size = 0;
      const std::string path = where.engine.backup_dir + "/" + name;
      const bool found = StorageOf(where)->GetFileSize(path, rocksdb::IOOptions(), &size, nullptr).ok();
      *bytes += size;
      *files += found ? 1 : 0;
      return found;
    };
    bool found = add(settings);
    for (auto alternate = request.alternates.begin(); !found && alternate != request.alternates.end(); ++alternate) {
      found = add(*alternate);
    }
  }
}

#if ROCKSDB_MAJOR >= 10
rocksdb::RestoreOptions::Mode EngineMode(RestoreMode mode) {
  switch (mode) {
    case RestoreMode::kKeepLatestDbSessionIdFiles:
      return rocksdb::RestoreOptions::kKeepLatestDbSessionIdFiles;
    case RestoreMode::kVerifyChecksum:
      return rocksdb::RestoreOptions::kVerifyChecksum;
    default:
      return rocksdb::RestoreOptions::kPurgeAllFiles;
  }
}
#endif

Error CheckMode(RestoreMode mode) {
#if ROCKSDB_MAJOR < 10
  if (mode != RestoreMode::kPurgeAllFiles) {
    return Error("ROCKSDB_NOT_SUPPORTED",
                 "restore modes other than purgeAllFiles need RocksDB 10.0 or newer; this binary has " +
                     std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + "." +
                     std::to_string(ROCKSDB_PATCH));
  }
#else
  (void)mode;
#endif
  return Error();
}

}  // namespace

Error RestoreBackup(const EngineSettings& settings, const RestoreRequest& request,
                    const std::shared_ptr<Operation>& operation, BackupDescription* restored) {
  if (Error error = CheckMode(request.mode); !error.ok()) {
    return error;
  }
  DirectoryLock reading;
  std::vector<std::shared_ptr<BackupEngineSession>> alternates;
  std::shared_ptr<BackupEngineSession> session;
  BackupDescription backup;
  if (Error error = OpenBackup(settings, operation, Count::kNothing, Count::kWrites, request.backup_id, &reading,
                               &session, &backup);
      !error.ok()) {
    return error;
  }
  if (Error error = reading.KeepOtherProgramsOut(!settings.read_only); !error.ok()) {
    return error;
  }
  const uint32_t id = backup.id;
  if (Error error = CheckFiles(settings, backup, ReadBackupRecord(settings, id)); !error.ok()) {
    return LossOr(reading, std::move(error));
  }
  session->ExpectBackupFiles(backup);

  RestoreTarget target({.database_dir = request.database_dir,
                        .wal_dir = request.wal_dir,
                        .overwrite = request.overwrite,
                        .keep_log_files = request.keep_log_files});
  if (Error error = target.Prepare(settings.engine.backup_dir); !error.ok()) {
    return error;
  }
  uint64_t bytes = 0;
  uint32_t files = 0;
  CountWork(settings, request, backup, &bytes, &files);
  if (request.check_disk_space) {
    if (Error error = target.CheckSpace(bytes); !error.ok()) {
      return error;
    }
  }
  rocksdb::RestoreOptions options;
  for (const EngineSettings& alternate : request.alternates) {
    std::shared_ptr<BackupEngineSession> opened;
    if (Error error = BackupEngineSession::OpenReader(alternate, operation, Count::kNothing, Count::kNothing, &opened);
        !error.ok()) {
      return error;
    }
    alternates.push_back(std::move(opened));
  }
  // A forward list is filled from behind to keep the order of search.
  for (auto alternate = alternates.rbegin(); alternate != alternates.rend(); ++alternate) {
    options.alternate_dirs.push_front(&(*alternate)->reader());
  }
#if ROCKSDB_MAJOR >= 10
  options.mode = EngineMode(request.mode);
#endif

  if (Error error = target.Stage(); !error.ok()) {
    return error;
  }
  operation->Begin(Phase::kRestore, bytes, files);
  const std::string doing = "restore of backup " + std::to_string(id) + " from " + settings.engine.backup_dir + " to " +
                            target.database_dir();
  Error error = Guarded(settings.engine.backup_dir, [&] {
    const rocksdb::IOStatus status =
        session->reader().RestoreDBFromBackup(options, id, target.staged_database_dir(), target.staged_wal_dir());
    if (status.IsCorruption()) {
      // RocksDB does not say here which file it is. When it verifies, it does: what was read a moment ago is read
      // again, up to that file.
      const rocksdb::IOStatus named = session->reader().VerifyBackup(id, true);
      return Unrestorable(settings, id,
                          (named.IsCorruption() ? named : status).ToString() +
                              ". The target is as it was. Restore another backup; getBackupInfo() lists them.");
    }
    return Error::From(status, doing);
  });
  // The engine's copy threads may still hold queued files; they must be gone before their directory is, and soon.
  if (!error.ok()) {
    (void)operation->Fail();
  }
  session.reset();
  if (!error.ok()) {
    return LossOr(reading, std::move(error));
  }
  operation->SetPhase(Phase::kCommit);
  if (!operation->Commit()) {
    return Error("RESTORE_STOPPED", doing + " was stopped; the target is as it was");
  }
  if (error = target.Install(); !error.ok()) {
    return error;
  }
  operation->Finish();
  backup.files.clear();
  *restored = std::move(backup);
  return Error();
}

}  // namespace rocksdb_backup
