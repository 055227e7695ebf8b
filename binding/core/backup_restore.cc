#include "core/backup_restore.h"

#include <unordered_set>
#include <utility>

#include "core/directory_lock.h"
#include "core/paths.h"
#include "core/restore_target.h"
#include "rocksdb/version.h"

namespace rocksdb_backup {
namespace {

using Count = ObservedFileSystem::Count;

Error Unrestorable(const EngineSettings& settings, uint32_t id, const std::string& why) {
  return Error("BACKUP_CORRUPT",
               "backup " + std::to_string(id) + " in " + settings.engine.backup_dir + " is damaged: " + why);
}

// Names that no engine writes make the engine throw, or write where it should not. The size of a shared file is in its
// name: without checksums it is the only trace of what was written, as the metas hold none.
Error CheckFiles(const EngineSettings& settings, const BackupDescription& backup) {
  std::unordered_set<std::string> names;
  const auto check_name = [&](const std::string& file) {
    const std::string name = DatabaseFileName(file);
    if (name.empty() || !IsDatabaseFileName(name)) {
      return Unrestorable(settings, backup.id, "its meta file names " + file + ", which is no database's file");
    }
    if (!names.insert(name).second) {
      return Unrestorable(settings, backup.id, "its meta file names two files that would become " + name);
    }
    return Error();
  };
  for (const auto& file : backup.excluded) {
    if (Error error = check_name(file); !error.ok()) {
      return error;
    }
  }
  for (const auto& file : backup.files) {
    if (Error error = check_name(file.name); !error.ok()) {
      return error;
    }
    const uint64_t named_size = SizeInName(file.name);
    if (named_size != kNoSizeInName && named_size != file.size) {
      return Unrestorable(settings, backup.id,
                          settings.engine.backup_dir + "/" + file.name + " has " + std::to_string(file.size) +
                              " bytes and was written with " + std::to_string(named_size));
    }
  }
  return Error();
}

Error Latest(const BackupEngineSession& session, const EngineSettings& settings, uint32_t* id) {
  if (session.ids().empty()) {
    const std::vector<uint32_t>& corrupt = session.corrupt_ids();
    return Error("BACKUP_NOT_FOUND",
                 "there is no usable backup in " + settings.engine.backup_dir +
                     (corrupt.empty() ? "" : "; unreadable are " + JoinIds(corrupt) + ", see getCorruptedBackups()"));
  }
  *id = session.ids().back();
  return Error();
}

// Opens an engine on a backup that stays while `lock` is held: locked first and looked at then, as whoever deletes it,
// and gives its id to another, may do so in between.
Error OpenBackup(const EngineSettings& settings, const std::shared_ptr<Operation>& operation, Count count_backup,
                 Count count_database, uint32_t wanted, DirectoryLock* lock,
                 std::shared_ptr<BackupEngineSession>* session, BackupDescription* backup) {
  const auto open = [&] {
    session->reset();
    return BackupEngineSession::OpenReader(settings, operation, count_backup, count_database, session);
  };
  uint32_t id = wanted;
  for (;;) {
    if (wanted == 0) {
      if (Error error = open(); !error.ok()) {
        return error;
      }
      if (Error error = Latest(**session, settings, &id); !error.ok()) {
        return error;
      }
    }
    if (Error error = DirectoryLock::AcquireReader(settings.engine.backup_dir, id, !settings.read_only, lock);
        !error.ok()) {
      return error;
    }
    if (Error error = open(); !error.ok()) {
      return error;
    }
    Error error = (*session)->Describe(id, true, backup);
    // The latest may have been deleted since: then another is the latest.
    if (wanted == 0 && error.code() == "BACKUP_NOT_FOUND") {
      continue;
    }
    return error;
  }
}

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
  const uint32_t id = backup.id;
  if (Error error = CheckFiles(settings, backup); !error.ok()) {
    return error;
  }

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
    return error;
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

Error VerifyBackup(const EngineSettings& settings, uint32_t backup_id, bool checksum,
                   const std::shared_ptr<Operation>& operation) {
  if (backup_id == 0) {
    return Error("BACKUP_NOT_FOUND", "there is no backup 0 in " + settings.engine.backup_dir + ": ids begin at 1");
  }
  DirectoryLock reading;
  std::shared_ptr<BackupEngineSession> session;
  BackupDescription backup;
  if (Error error =
          OpenBackup(settings, operation, Count::kReads, Count::kNothing, backup_id, &reading, &session, &backup);
      !error.ok()) {
    return error;
  }
  // Checking sizes reads nothing: only the end of it can be told.
  operation->Begin(Phase::kVerify, checksum ? backup.size : 0, checksum ? backup.number_files : 0);
  if (Error error = CheckFiles(settings, backup); !error.ok()) {
    return error;
  }
  Error error = Guarded(settings.engine.backup_dir, [&] {
    const rocksdb::IOStatus status = session->reader().VerifyBackup(backup_id, checksum);
    if (status.IsCorruption() || status.IsNotFound()) {
      return Unrestorable(settings, backup_id, status.ToString());
    }
    return Error::From(status, "verifying backup " + std::to_string(backup_id) + " in " + settings.engine.backup_dir);
  });
  if (!error.ok()) {
    return error;
  }
  if (!operation->Commit()) {
    return Error("VERIFY_STOPPED", "the verify was stopped");
  }
  operation->Finish();
  return Error();
}

}  // namespace rocksdb_backup
