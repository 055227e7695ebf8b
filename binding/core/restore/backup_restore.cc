#include "core/restore/backup_restore.h"

#include <set>
#include <utility>

#include "core/backup/backup_reading.h"
#include "core/backup/database_identity.h"
#include "core/restore/one_backup_fs.h"
#include "core/restore/restore_target.h"
#include "core/restore/restored_options.h"
#include "core/restore/reusable_files.h"

namespace rocksdb_backup {
namespace {

using Count = ObservedFileSystem::Count;

// What a restore will write: the backup's files, and the files that were left out of it, wherever they are found.
void CountWork(const EngineSettings& settings, const RestoreRequest& request, const BackupDescription& backup,
               uint64_t* bytes, uint32_t* files) {
  *bytes = backup.size;
  *files = backup.number_files;
  for (const auto& name : backup.excluded) {
    const auto add = [&](const EngineSettings& where) {
      uint64_t size = 0;
      const std::string path = where.root() + "/" + name;
      const bool found = where.files()->GetFileSize(path, rocksdb::IOOptions(), &size, nullptr).ok();
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

RestoreTarget::Options TargetOptions(const EngineSettings& settings, const RestoreRequest& request) {
  return {.database_dir = request.database_dir,
          .wal_dir = request.wal_dir,
          .overwrite = request.overwrite,
          .keep_log_files = request.keep_log_files,
          .keep_old = request.keep_old,
          .sync = settings.engine.sync};
}

// A restore before its first byte: everything is decided, and nothing is written. The backup and the target are locked.
struct Begun {
  Begun(const EngineSettings& settings, const RestoreRequest& request) : target(TargetOptions(settings, request)) {}

  // Other repositories, in which the BackupEngine looks for files that were left out of the backup. The BackupEngine
  // uses them until it is destroyed.
  std::vector<std::shared_ptr<BackupEngineSession>> alternates;
  BackupReading reading;
  std::optional<BackupRecord> record;
  RestoreTarget target;
  uint64_t bytes = 0;  // of everything that the restored database will have
  uint32_t files = 0;
  std::string target_database;
};

// A restore over another database needs permission, because usually it means that the path is wrong.
Error CheckReplacedDatabase(const EngineSettings& settings, const BackupDescription& backup, const std::string& target,
                            const std::string& there) {
  if (there.empty() || backup.database.empty() || there == backup.database ||
      HasTablesOf(rocksdb::FileSystem::Default(), target, backup.database)) {
    return Error();
  }
  return Error("DATABASE_DIFFERS", "cannot restore to " + target + ": it holds another database, whose id is " + there +
                                       "; backup " + std::to_string(backup.id) + " in " + settings.name() + " is of " +
                                       backup.database +
                                       ". A new database in the place of a lost one is also another database.")
      .With("path", target)
      .With("backupId", uint64_t{backup.id})
      .With("databaseId", there)
      .Advise("replaceOtherDatabase");
}

Error BeginRestore(const EngineSettings& settings, const RestoreRequest& request,
                   const std::shared_ptr<Operation>& operation, Begun* begun) {
  if (Error error = OpenBackup(
          settings, {.backup_id = request.backup_id, .operation = operation, .count_database = Count::kWrites},
          &begun->reading);
      !error.ok()) {
    return error;
  }
  if (Error error = begun->reading.lock->KeepOtherProgramsOut(); !error.ok()) {
    return error;
  }
  begun->record = ReadBackupRecord(settings, begun->reading.backup.id);
  if (Error error = CheckFiles(settings, begun->reading.backup, begun->record); !error.ok()) {
    return LossOr(begun->reading, std::move(error));
  }
  if (Error error = begun->target.Prepare(*settings.storage); !error.ok()) {
    return error;
  }
  if (begun->target.contents().holds == TargetHolds::kDatabase) {
    const std::string& target = begun->target.database_dir();
    begun->target_database = DatabaseIdAt(rocksdb::FileSystem::Default(), target);
    Error error = request.allow_other_database
                      ? Error()
                      : CheckReplacedDatabase(settings, begun->reading.backup, target, begun->target_database);
    if (!error.ok()) {
      return error;
    }
  }
  CountWork(settings, request, begun->reading.backup, &begun->bytes, &begun->files);
  return Error();
}

// Finds files of the target's database that the backup has too. If excludeFiles left files out of the backup, the
// BackupEngine searches all backups for them. Then it has to see all backups, so it copies everything.
std::vector<ReusableFile> FindReusable(const EngineSettings& settings, RestoreMode mode, const Begun& begun,
                                       Operation& operation, const PlaceFile& place) {
  if (mode == RestoreMode::kPurgeAllFiles || begun.target.contents().holds != TargetHolds::kDatabase ||
      !begun.reading.backup.excluded.empty()) {
    return {};
  }
  return FindReusableFiles(settings, begun.reading.backup, KnownFiles(settings, begun.reading.backup.id, begun.record),
                           begun.target.database_dir(),
                           mode == RestoreMode::kVerifyChecksum ? Proof::kChecksum : Proof::kIdentity, operation,
                           place);
}

uint64_t SizeOf(const std::vector<ReusableFile>& files) {
  uint64_t size = 0;
  for (const ReusableFile& file : files) {
    size += file.size;
  }
  return size;
}

// Links the reusable files into the fresh directory, out of the BackupEngine's way, and opens a BackupEngine that sees
// the rest of the backup.
Error TakeOver(const EngineSettings& settings, const RestoreRequest& request,
               const std::shared_ptr<Operation>& operation, Begun* begun, std::vector<ReusableFile>* reused) {
  if (request.mode == RestoreMode::kVerifyChecksum) {
    operation->Begin(Phase::kVerify, begun->bytes, begun->files);
  }
  const uint64_t before = operation->bytes_done();
  *reused = FindReusable(settings, request.mode, *begun, *operation,
                         [&](const std::string& name) { return begun->target.Link(name); });
  const uint64_t size = SizeOf(*reused);
  if (request.mode != RestoreMode::kVerifyChecksum) {
    operation->Begin(Phase::kRestore, begun->bytes - size, begun->files - static_cast<uint32_t>(reused->size()));
  } else {
    // Files that were read but proved to be different are copied as well.
    operation->AdjustTotals(static_cast<int64_t>(operation->bytes_done() - before) - static_cast<int64_t>(size), 0);
    operation->SetPhase(Phase::kRestore);
  }
  if (reused->empty()) {
    return Error();
  }
  std::set<std::string> left_out;
  for (const ReusableFile& file : *reused) {
    left_out.insert(file.in_backup);
  }
  EngineSettings rest = settings;
  rest.storage = std::make_shared<LayeredStorage>(
      settings.storage, std::make_shared<OneBackupFileSystem>(settings.files(), settings.root(),
                                                              begun->reading.backup.id, std::move(left_out)));
  begun->reading.session.reset();
  return BackupEngineSession::Open(rest, {.operation = operation, .count_database = Count::kWrites},
                                   &begun->reading.session);
}

Error CheckSpace(const RestoreRequest& request, const Begun& begun, uint64_t reused) {
  const uint64_t bytes = begun.bytes - reused;
  Error error = request.check_disk_space ? begun.target.CheckSpace(bytes) : Error();
  if (!error.ok()) {
    begun.target.RemoveLeftovers();
    error = begun.target.CheckSpace(bytes);
  }
  return error;
}

// Makes the fresh directory, with the files of the replaced database that the backup has too.
Error StageRestore(const EngineSettings& settings, const RestoreRequest& request,
                   const std::shared_ptr<Operation>& operation, Begun* begun, std::vector<ReusableFile>* reused) {
  const bool may_reuse = request.mode != RestoreMode::kPurgeAllFiles;
  // If files can be reused, it is not known yet how many.
  if (Error error = may_reuse ? Error() : CheckSpace(request, *begun, 0); !error.ok()) {
    return error;
  }
  if (Error error = begun->target.Stage(); !error.ok()) {
    return error;
  }
  if (Error error = TakeOver(settings, request, operation, begun, reused); !error.ok()) {
    return error;
  }
  return may_reuse ? CheckSpace(request, *begun, SizeOf(*reused)) : Error();
}

Error OpenAlternates(const RestoreRequest& request, const std::shared_ptr<Operation>& operation,
                     std::vector<std::shared_ptr<BackupEngineSession>>* alternates) {
  for (const EngineSettings& alternate : request.alternates) {
    std::shared_ptr<BackupEngineSession> opened;
    if (Error error = BackupEngineSession::Open(alternate, {.operation = operation}, &opened); !error.ok()) {
      return error;
    }
    alternates->push_back(std::move(opened));
  }
  return Error();
}

std::string Doing(const EngineSettings& settings, const Begun& begun) {
  return "restore of backup " + std::to_string(begun.reading.backup.id) + " from " + settings.name() + " to " +
         begun.target.database_dir();
}

// Copies the backup into the fresh directory.
Error CopyBackup(const EngineSettings& settings, const std::shared_ptr<Operation>& operation, Begun* begun) {
  rocksdb::RestoreOptions options;
  // push_front fills the list from its end, which keeps the order of the search.
  for (auto alternate = begun->alternates.rbegin(); alternate != begun->alternates.rend(); ++alternate) {
    options.alternate_dirs.push_front(&(*alternate)->reader());
  }
  const RestoreTarget& target = begun->target;
  BackupEngineSession& session = *begun->reading.session;
  const uint32_t id = begun->reading.backup.id;
  session.ExpectBackupFiles(begun->reading.backup);
  if (!target.syncs()) {
    session.SkipDatabaseSyncs();
  }
  Error error = Guarded(settings.name(), [&] {
    const rocksdb::IOStatus status =
        session.reader().RestoreDBFromBackup(options, id, target.staged_database_dir(), target.staged_wal_dir());
    if (status.IsCorruption()) {
      // RocksDB does not say here which file is damaged. So the files that were just read are read again, up to that
      // file.
      return NameDamage(settings, id, begun->record, operation, Damage::kFirst,
                        Unrestorable(settings, id, Worded(status)))
          .And(". The target is as it was");
    }
    return NameUnread(settings, begun->reading.backup,
                      Error::From(status, Doing(settings, *begun))
                          .With("path", target.database_dir())
                          .With("backupId", uint64_t{id}));
  });
  // The BackupEngine's copy threads may still hold queued files. These must be gone, soon, before their directory is
  // removed.
  if (!error.ok()) {
    (void)operation->Fail();
  }
  begun->reading.session.reset();
  return error;
}

// Makes the fresh directory a whole database: with the files that were linked, and with the place of its log.
Error CompleteStaged(Begun* begun, const std::vector<ReusableFile>& reused) {
  RestoreTarget& target = begun->target;
  std::vector<std::string> linked;
  linked.reserve(reused.size());
  for (const ReusableFile& file : reused) {
    linked.push_back(file.in_database);
  }
  Error error = target.TakeLinked(linked);
  return error.ok() ? WriteWalDirToOptions(target.staged_database_dir(), target.separate_wal_dir(), target.syncs())
                    : error;
}

}  // namespace

Error PlanRestore(const EngineSettings& settings, const RestoreRequest& request,
                  const std::shared_ptr<Operation>& operation, RestorePlan* plan) {
  Begun begun(settings, request);
  if (Error error = BeginRestore(settings, request, operation, &begun); !error.ok()) {
    return error;
  }
  const std::vector<ReusableFile> reusable =
      FindReusable(settings, request.mode, begun, *operation,
                   [&](const std::string& name) { return begun.target.database_dir() + "/" + name; });
  plan->bytes_to_reuse = SizeOf(reusable);
  plan->files_to_reuse = static_cast<uint32_t>(reusable.size());
  plan->bytes_to_copy = begun.bytes - plan->bytes_to_reuse;
  if (Error error = request.check_disk_space ? begun.target.CheckSpace(plan->bytes_to_copy) : Error(); !error.ok()) {
    return error;
  }
  plan->backup = std::move(begun.reading.backup);
  plan->target = begun.target.database_dir();
  plan->contents = begun.target.contents();
  plan->target_database = std::move(begun.target_database);
  plan->free_bytes = begun.target.FreeSpace();
  return Error();
}

Error RestoreBackup(const EngineSettings& settings, const RestoreRequest& request,
                    const std::shared_ptr<Operation>& operation, RestoreResult* restored) {
  Begun begun(settings, request);
  if (Error error = BeginRestore(settings, request, operation, &begun); !error.ok()) {
    return error;
  }
  if (Error error = OpenAlternates(request, operation, &begun.alternates); !error.ok()) {
    return error;
  }
  std::vector<ReusableFile> reused;
  if (Error error = StageRestore(settings, request, operation, &begun, &reused); !error.ok()) {
    return error;
  }
  Error error = CopyBackup(settings, operation, &begun);
  if (error.ok()) {
    error = CompleteStaged(&begun, reused);
  }
  if (error.ok() && request.before_install) {
    error = request.before_install(begun.target.staged_database_dir());
  }
  if (!error.ok()) {
    return LossOr(begun.reading, std::move(error));
  }
  operation->SetPhase(Phase::kCommit);
  if (!operation->Commit()) {
    return Error("RESTORE_STOPPED", Doing(settings, begun) + " was stopped; the target is as it was")
        .With("path", begun.target.database_dir())
        .With("backupId", uint64_t{begun.reading.backup.id});
  }
  if (error = begun.target.Install(); !error.ok()) {
    return error;
  }
  operation->Finish();
  begun.reading.backup.files.clear();
  restored->backup = std::move(begun.reading.backup);
  restored->bytes_reused = SizeOf(reused);
  restored->files_reused = static_cast<uint32_t>(reused.size());
  restored->bytes_copied = begun.bytes - restored->bytes_reused;
  restored->kept = begun.target.kept();
  restored->kept_logs = begun.target.kept_logs();
  return Error();
}

}  // namespace rocksdb_backup
