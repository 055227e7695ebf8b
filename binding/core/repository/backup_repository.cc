#include "core/repository/backup_repository.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "core/backup/backup_reading.h"
#include "core/backup/backup_record.h"
#include "core/backup/directory_look.h"
#include "core/base/paths.h"

namespace rocksdb_backup {

BackupRepository::Tracked::Tracked(std::shared_ptr<BackupRepository> repository, Kind kind,
                                   std::shared_ptr<Operation> operation)
    : repository_(std::move(repository)), kind_(kind), operation_(std::move(operation)) {
  const std::lock_guard lock(repository_->mutex_);
  (kind_ == Kind::kCreate ? repository_->creates_ : repository_->others_).insert(operation_);
  if (repository_->stopping_) {
    operation_->RequestStop();
  }
}

BackupRepository::Tracked::~Tracked() {
  const std::lock_guard lock(repository_->mutex_);
  auto& set = kind_ == Kind::kCreate ? repository_->creates_ : repository_->others_;
  set.erase(set.find(operation_));
}

BackupRepository::BackupRepository(Options options)
    : Resource("engine"), settings_(std::move(options.settings)), read_only_(options.read_only) {}

Error BackupRepository::Open(Options options, std::shared_ptr<BackupRepository>* result) {
  if (options.settings.engine.max_background_operations < 1) {
    return Error("INVALID_OPTION", "maxBackgroundOperations must be at least 1");
  }
  options.settings.read_only = options.read_only;
  if (!options.read_only) {
    // RocksDB's BackupEngine ignores this option if it may write.
    options.settings.engine.max_valid_backups_to_open = std::numeric_limits<int>::max();
  }
  const bool create = options.create_if_missing && !options.read_only;
  const bool destroy = options.destroy_old_data;
  std::shared_ptr<BackupRepository> repository(new BackupRepository(std::move(options)));
  if (create) {
    if (Error error = repository->settings_.storage->MakeReady(); !error.ok()) {
      return error;
    }
  }
  // A repository that cannot be read fails here, and not in the middle of the first backup.
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = repository->OpenSession(repository->SettingsToRead(), &session); !error.ok()) {
    return error;
  }
  session.reset();
  if (destroy) {
    if (Error error = repository->PurgeOld(0, true); !error.ok()) {
      return error;
    }
    std::vector<uint32_t> corrupt;
    if (Error error = repository->CorruptIds(&corrupt); !error.ok()) {
      return error;
    }
    for (const uint32_t id : corrupt) {
      if (Error error = repository->Delete(id, true); !error.ok()) {
        return error;
      }
    }
  }
  RegisterResource(repository);
  *result = std::move(repository);
  return Error();
}

EngineSettings BackupRepository::SettingsFor(std::shared_ptr<Operation> operation) const {
  EngineSettings settings = settings_;
  if (auto storage = settings_.storage->ForOperation(std::move(operation))) {
    settings.storage = std::move(storage);
  }
  return settings;
}

Error BackupRepository::OpenSession(const EngineSettings& settings,
                                    std::shared_ptr<BackupEngineSession>* session) const {
  Error error = settings.storage->Explain(OpenToRead(settings, session));
  if (!error.ok() && open_->stopped()) {
    return ClosedError();
  }
  if (error.code() == "ROCKSDB_NOT_FOUND") {
    const bool is_database =
        settings.files()->FileExists(settings.root() + "/CURRENT", rocksdb::IOOptions(), nullptr).ok();
    return Error("DIRECTORY_NOT_FOUND",
                 directory() + " is not a repository: " +
                     (is_database ? "it holds a database. Did you swap the arguments?" : "there is no meta/ in it."))
        .With("path", directory())
        .Advise(is_database ? "" : "checkPath");
  }
  return error;
}

BackupRepository::WriterSettings::WriterSettings(const EngineSettings& plain, const WriterLock& lock)
    : settings(plain), files(std::make_shared<LockedFileSystem>(plain.files(), lock)) {
  settings.storage = std::make_shared<LayeredStorage>(plain.storage, files);
}

Error BackupRepository::WriterSettings::LossOr(const std::string& doing, Error error) const {
  Error lost = error.ok() ? Error() : files->lost();
  if (lost.ok()) {
    return error;
  }
  std::string message = doing + " was given up: " + lost.message();
  return std::move(lost).Reworded(std::move(message));
}

Error BackupRepository::AcquireWriter(Storage& storage, const Operation& operation,
                                      std::unique_ptr<WriterLock>* lock) const {
  if (read_only_) {
    return Error("READ_ONLY", "the backup engine on " + directory() + " was opened for reading only.")
        .With("path", directory())
        .Advise("openToWrite");
  }
  if (operation.stopped()) {
    return Error("BACKUP_STOPPED", "the operation on " + directory() + " was stopped before it began")
        .With("path", directory());
  }
  return storage.LockWriter(lock);
}

Error BackupRepository::Create(const CreateRequest& request, const std::shared_ptr<Operation>& operation,
                               BackupDescription* created) {
  const std::string doing = "the backup of " + request.source.path + " to " + directory();
  const EngineSettings settings = SettingsFor(operation);
  std::unique_ptr<WriterLock> lock;
  Error error = AcquireWriter(*settings.storage, *operation, &lock);
  if (error.ok()) {
    const WriterSettings writing(settings, *lock);
    error = writing.LossOr(doing, CreateBackup(writing.settings, request, operation, created));
  }
  error = settings.storage->Explain(std::move(error));
  // If the lock was lost, nothing could be removed, so that error is more important than a stop.
  if (!error.ok() && !operation->Fail() && error.code() != "LOCK_LOST") {
    return Error("BACKUP_STOPPED", doing + " was stopped; its files were removed").With("path", directory());
  }
  return error;
}

Error BackupRepository::Verify(uint32_t backup_id, bool checksum, const std::shared_ptr<Operation>& operation,
                               VerifyResult* result) {
  const EngineSettings settings = SettingsFor(operation);
  VerifyResult ignored;
  Error error = settings.storage->Explain(
      VerifyBackup(settings, backup_id, checksum, operation, result != nullptr ? result : &ignored));
  if (!error.ok() && !operation->Fail()) {
    return Error("VERIFY_STOPPED",
                 "verifying backup " + std::to_string(backup_id) + " in " + directory() + " was stopped")
        .With("path", directory())
        .With("backupId", uint64_t{backup_id});
  }
  return error;
}

Error BackupRepository::PlanRestore(const RestoreRequest& request, const std::shared_ptr<Operation>& operation,
                                    RestorePlan* plan) {
  const EngineSettings settings = SettingsFor(operation);
  return settings.storage->Explain(rocksdb_backup::PlanRestore(settings, request, operation, plan));
}

Error BackupRepository::Restore(const RestoreRequest& request, const std::shared_ptr<Operation>& operation,
                                RestoreResult* restored) {
  const EngineSettings settings = SettingsFor(operation);
  Error error = settings.storage->Explain(RestoreBackup(settings, request, operation, restored));
  if (!error.ok() && !operation->Fail()) {
    return Error("RESTORE_STOPPED", "the restore from " + directory() + " to " + request.database_dir +
                                        " was stopped; the target is as it was")
        .With("path", request.database_dir);
  }
  return error;
}

Error BackupRepository::Recover(const RecoveryPlan& plan, const RecoveryRequest& request,
                                const std::shared_ptr<Operation>& operation, RecoveryResult* result) {
  const EngineSettings settings = SettingsFor(operation);
  Archive archive(settings.storage->archive_files(), settings.name());
  Error error = settings.storage->Explain(rocksdb_backup::Recover(settings, archive, plan, request, operation, result));
  if (!error.ok() && !operation->Fail()) {
    return Error("RESTORE_STOPPED", "the recovery from " + directory() + " to " + request.restore.database_dir +
                                        " was stopped; the target is as it was")
        .With("path", request.restore.database_dir);
  }
  return error;
}

Error BackupRepository::CopyFrom(BackupRepository& source, const CopyRequest& request,
                                 const std::shared_ptr<Operation>& operation, std::vector<CopiedBackup>* backups) {
  const std::string doing = "the copy from " + source.directory() + " to " + directory();
  const EngineSettings settings = SettingsFor(operation);
  const EngineSettings from = source.SettingsFor(operation);
  std::unique_ptr<WriterLock> lock;
  Error error = AcquireWriter(*settings.storage, *operation, &lock);
  if (error.ok()) {
    const WriterSettings writing(settings, *lock);
    error = writing.LossOr(doing, CopyBackups(from, writing.settings, request, operation, backups));
  }
  error = settings.storage->Explain(from.storage->Explain(std::move(error)));
  if (!error.ok() && !operation->Fail() && error.code() != "LOCK_LOST") {
    return Error("BACKUP_STOPPED", doing + " was stopped. Backups that were complete are there; the next copy goes on.")
        .With("path", directory());
  }
  return error;
}

Error BackupRepository::PlanCopyTo(BackupRepository* target, const CopyRequest& request,
                                   const std::shared_ptr<Operation>& operation, std::vector<CopiedBackup>* backups) {
  const EngineSettings from = SettingsFor(operation);
  const std::optional<EngineSettings> to =
      target == nullptr ? std::nullopt : std::optional(target->SettingsFor(operation));
  Error error = PlanCopy(from, to ? &*to : nullptr, request, operation, backups);
  error = from.storage->Explain(std::move(error));
  if (to) {
    error = to->storage->Explain(std::move(error));
  }
  if (operation->stopped()) {
    return Error("BACKUP_STOPPED", "planning the copy of " + directory() + " was stopped").With("path", directory());
  }
  return error;
}

Error BackupRepository::List(bool details, std::vector<BackupDescription>* descriptions) {
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = OpenSession(SettingsToRead(), &session); !error.ok()) {
    return error;
  }
  return session->DescribeAll(details, descriptions);
}

Error BackupRepository::Describe(uint32_t backup_id, bool details, BackupDescription* description) {
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = OpenSession(SettingsToRead(), &session); !error.ok()) {
    return error;
  }
  if (backup_id == 0) {
    if (session->ids().empty()) {
      return Error();
    }
    backup_id = session->ids().back();
  }
  return session->Describe(backup_id, details, description);
}

Error BackupRepository::CorruptIds(std::vector<uint32_t>* ids) {
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = OpenSession(SettingsToRead(), &session); !error.ok()) {
    return error;
  }
  *ids = session->corrupt_ids();
  return Error();
}

Error BackupRepository::Look(bool details, BackupSurvey* survey) {
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = OpenSession(SettingsToRead(), &session); !error.ok()) {
    return error;
  }
  for (const uint32_t id : session->corrupt_ids()) {
    std::string reason = session->ReasonOf(id);
    std::string why = WhyUnreadable(reason);
    survey->corrupt.push_back({id, std::move(reason), std::move(why)});
  }
  return session->DescribeAll(details, &survey->backups);
}

Error BackupRepository::ListGarbage(std::vector<GarbageFile>* garbage) {
  std::vector<BackupDescription> backups;
  Error error = List(true, &backups);
  return error.ok() ? FindGarbage(SettingsToRead(), backups, garbage) : error;
}

Error BackupRepository::OpenBackup(uint32_t backup_id, OpenedBackup* opened,
                                   const std::optional<DiskCache::Options>& cache,
                                   const std::shared_ptr<Operation>& operation) {
  auto kept = std::make_shared<BackupReading>();
  EngineSettings settings = SettingsFor(operation);
  const bool is_local = !settings.storage->local_directory().empty();
  const std::shared_ptr<DiskCache> disk_cache = cache && !is_local ? std::make_shared<DiskCache>(*cache) : nullptr;
  // The database is read until it is closed, and the operation ends when it is open.
  const auto reading = std::make_shared<Operation>();
  if (auto storage = settings_.storage->ForDatabase(disk_cache, reading)) {
    operation->WhenStopped([reading] { reading->RequestStop(); });
    opened->reading = {.explain = [storage](Error error) { return storage->ExplainRead(std::move(error)); },
                       .give_up = [reading] { reading->RequestStop(); }};
    settings.storage = std::move(storage);
    opened->open_tables = DatabaseOptions::OpenTables::kWhenRead;
    opened->disk_cache = disk_cache;
  }
  if (Error error = rocksdb_backup::OpenBackup(settings, {.backup_id = backup_id}, kept.get()); !error.ok()) {
    return settings.storage->Explain(std::move(error));
  }
  if (Error error = disk_cache == nullptr ? Error() : settings.storage->CheckCacheable(); !error.ok()) {
    return error;
  }
  // RocksDB takes an early end of a log for its normal end.
  kept->session->ExpectBackupFiles(kept->backup);
  return Guarded(directory(), [&] {
    rocksdb::BackupInfo info;
    const rocksdb::Status status = kept->session->reader().GetBackupInfo(backup_id, &info, true);
    if (!status.ok()) {
      return Error::From(status, "opening backup " + std::to_string(backup_id) + " in " + directory())
          .With("path", directory())
          .With("backupId", uint64_t{backup_id});
    }
    opened->path = info.name_for_open;
    opened->env = info.env_for_open;
    opened->keep_alive = kept;
    return Error();
  });
}

Error BackupRepository::OpenBackup(uint32_t backup_id, const std::optional<DiskCache::Options>& cache,
                                   const std::shared_ptr<Operation>& operation, std::shared_ptr<Database>* database) {
  OpenedBackup opened;
  Error error = OpenBackup(backup_id, &opened, cache, operation);
  if (error.ok()) {
    error = Database::OpenThrough(opened.env->GetFileSystem(), opened.keep_alive, opened.path,
                                  Database::ToReadBackup(opened.open_tables), database);
    error = opened.reading.explain ? opened.reading.explain(std::move(error)) : error;
  }
  if (error.ok() ? !operation->Commit() : !operation->Fail()) {
    database->reset();
    return Error("OPEN_STOPPED", "opening backup " + std::to_string(backup_id) + " in " + directory() + " was stopped")
        .With("path", directory())
        .With("backupId", uint64_t{backup_id});
  }
  if (error.ok()) {
    (*database)->SetDiskCache(std::move(opened.disk_cache));
    (*database)->SetReading(std::move(opened.reading));
  }
  return error;
}

// A stopped operation leaves the queue at once, so RequestStop() must not be called with our mutex held.
bool BackupRepository::StopBackup() {
  std::vector<std::shared_ptr<Operation>> creates;
  {
    const std::lock_guard lock(mutex_);
    creates.assign(creates_.begin(), creates_.end());
  }
  bool stopped = false;
  for (const auto& operation : creates) {
    stopped |= operation->RequestStop();
  }
  return stopped;
}

void BackupRepository::Stop() {
  std::vector<std::shared_ptr<Operation>> all;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    all.assign(creates_.begin(), creates_.end());
    all.insert(all.end(), others_.begin(), others_.end());
  }
  for (const auto& operation : all) {
    operation->RequestStop();
  }
  open_->RequestStop();
}

Error BackupRepository::Free() { return Error(); }

}  // namespace rocksdb_backup
