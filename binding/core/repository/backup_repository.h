#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/backup/backup_create.h"
#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_verify.h"
#include "core/base/error.h"
#include "core/base/operation.h"
#include "core/base/resource.h"
#include "core/base/write_queue.h"
#include "core/database/database.h"
#include "core/database/database_options.h"
#include "core/recovery/recover.h"
#include "core/repository/copy_backups.h"
#include "core/repository/garbage.h"
#include "core/restore/backup_restore.h"
#include "core/storage/locked_fs.h"
#include "core/storage/noted_deletes.h"
#include "core/storage/storage.h"

namespace rocksdb_backup {

// A backup that is opened for reading in place, and what must live as long: the BackupEngine whose file system it is
// read through, and the lock that prevents the deletion of the backup.
struct OpenedBackup {
  std::shared_ptr<void> keep_alive;  // released last
  std::string path;
  std::shared_ptr<rocksdb::Env> env;
  DatabaseOptions::OpenTables open_tables = DatabaseOptions::OpenTables::kAtOnce;
  std::shared_ptr<const DiskCache> disk_cache;  // null if there is none
  Database::Reading reading;
};

// The backups of a repository at one moment: those that can be used, and those that cannot, with the reason.
struct BackupSurvey {
  struct Corrupt {
    uint32_t id = 0;
    std::string reason;
    std::string why;  // WhyUnreadable(reason)
  };
  std::vector<BackupDescription> backups;
  std::vector<Corrupt> corrupt;
};

// One repository, as this process uses it. Writes (create, delete, purge, collect) run under the repository's writer
// lock, and each opens a BackupEngine of its own. A write is refused while another one runs, so code that calls from
// several threads queues its writes in writes(). Reads run beside writes and beside each other.
class BackupRepository : public Resource {
 public:
  enum class Kind { kCreate, kOther };

  struct Options {
    EngineSettings settings;
    bool read_only = false;
    bool create_if_missing = true;
    bool destroy_old_data = false;
  };

  // An operation that can be ended while this object lives: by close() and, if it is a create, by StopBackup(). The
  // object is made before the work is queued, so that a stop right after the call finds the operation.
  class Tracked {
   public:
    Tracked(std::shared_ptr<BackupRepository> repository, Kind kind, std::shared_ptr<Operation> operation);
    ~Tracked();
    Tracked(const Tracked&) = delete;
    Tracked& operator=(const Tracked&) = delete;
    const std::shared_ptr<Operation>& operation() const { return operation_; }

   private:
    const std::shared_ptr<BackupRepository> repository_;
    const Kind kind_;
    const std::shared_ptr<Operation> operation_;
  };

  static Error Open(Options options, std::shared_ptr<BackupRepository>* repository);
  static Error ClosedError() { return Error("ENGINE_CLOSED", "this backup engine was closed; open it again"); }

  const std::string& directory() const { return settings_.name(); }
  const EngineSettings& settings() const { return settings_; }
  bool read_only() const { return read_only_; }

  // Code that calls Create, Delete, PurgeOld or CollectGarbage waits for its turn here.
  WriteQueue& writes() { return *writes_; }

  Error Create(const CreateRequest& request, const std::shared_ptr<Operation>& operation, BackupDescription* created);
  Error Verify(uint32_t backup_id, bool checksum, const std::shared_ptr<Operation>& operation,
               VerifyResult* result = nullptr);
  Error PlanRestore(const RestoreRequest& request, const std::shared_ptr<Operation>& operation, RestorePlan* plan);
  Error Restore(const RestoreRequest& request, const std::shared_ptr<Operation>& operation, RestoreResult* restored);

  // Like Restore, and then brings the database to the plan's moment.
  Error Recover(const RecoveryPlan& plan, const RecoveryRequest& request, const std::shared_ptr<Operation>& operation,
                RecoveryResult* result);

  // Copies backups of another repository to this one. If some of them fail, they say so, and the others are copied.
  Error CopyFrom(BackupRepository& source, const CopyRequest& request, const std::shared_ptr<Operation>& operation,
                 std::vector<CopiedBackup>* backups);
  // What a copy of this repository's backups would do. `target` is null if there is no repository yet.
  Error PlanCopyTo(BackupRepository* target, const CopyRequest& request, const std::shared_ptr<Operation>& operation,
                   std::vector<CopiedBackup>* backups);

  Error List(bool details, std::vector<BackupDescription>* descriptions);
  // 0 means the latest backup. The id in `description` stays 0 if there is no backup.
  Error Describe(uint32_t backup_id, bool details, BackupDescription* description);
  Error CorruptIds(std::vector<uint32_t>* ids);
  // All backups, usable and corrupt, in one look.
  Error Look(bool details, BackupSurvey* survey);
  // With `cache`, what is read of a backup in a store is kept on the disk.
  // `operation` can be stopped while it is opened.
  Error OpenBackup(uint32_t backup_id, OpenedBackup* opened,
                   const std::optional<DiskCache::Options>& cache = std::nullopt,
                   const std::shared_ptr<Operation>& operation = std::make_shared<Operation>());
  // The same, and the database that it is.
  Error OpenBackup(uint32_t backup_id, const std::optional<DiskCache::Options>& cache,
                   const std::shared_ptr<Operation>& operation, std::shared_ptr<Database>* database);
  // The files that belong to no usable backup.
  Error ListGarbage(std::vector<GarbageFile>* garbage);

  // The following run the BackupEngine's clean-up, which deletes every file that no readable backup refers to. While a
  // backup is unreadable, they refuse with BACKUP_CORRUPT, unless `force` is set.
  //
  // A backup that this user may not read, or that the disk does not give, may be whole, so `force` does not help then.
  // If files cannot be deleted, everything else is deleted, and the error names the files (Error::left_files). Files
  // without a backup that an object store refuses to delete are no error: the next clean-up tries it again.
  //
  // Delete removes all of the backups. It removes none if one of them does not exist, is being read or is locked
  // (BackupDescription::locked_until). PurgeOld leaves backups that are locked. If a store refuses to delete a backup
  // without having told that it is locked, the others are deleted, that one stays whole, and the error is the store's.
  // `refused`, if it is not null: the files that a store refused to delete.
  Error Delete(const std::vector<uint32_t>& backup_ids, bool force);
  Error Delete(uint32_t backup_id, bool force) { return Delete(std::vector<uint32_t>{backup_id}, force); }
  Error PurgeOld(uint32_t keep, bool force);
  Error CollectGarbage(bool force, std::vector<std::string>* refused = nullptr);

  // The error with which these would refuse now. They change nothing then.
  Error CheckDeletion(bool force);

  // Stops the running create and the creates that wait behind it. True if at least one will end as stopped.
  bool StopBackup();

 protected:
  void Stop() override;
  Error Free() override;

 private:
  explicit BackupRepository(Options options);
  EngineSettings SettingsFor(std::shared_ptr<Operation> operation) const;
  // The settings for an operation that nobody can stop but close().
  EngineSettings SettingsToRead() const { return SettingsFor(open_); }
  Error OpenSession(const EngineSettings& settings, std::shared_ptr<BackupEngineSession>* session) const;

  // The settings for changes under a writer's lock. With these settings, nothing is changed after the lock is lost.
  struct WriterSettings {
    WriterSettings(const EngineSettings& plain, const WriterLock& lock);
    // If the error came from the loss of the lock, returns an error that says so.
    Error LossOr(const std::string& doing, Error error) const;
    EngineSettings settings;
    std::shared_ptr<LockedFileSystem> files;
  };
  Error AcquireWriter(Storage& storage, const Operation& operation, std::unique_ptr<WriterLock>* lock) const;
  // Opens a writing BackupEngine and runs `remove`, if nobody reads the backups to delete and no unreadable backup
  // forbids it.
  template <class IdsToDelete, class Remove>
  Error RemoveUnderLock(bool force, const char* doing, IdsToDelete ids_to_delete, Remove remove,
                        std::vector<std::string>* refused = nullptr);
  // The error with which the deletion `what` is refused over the backups that a session could not read.
  Error Refusal(const std::string& what, bool force, BackupEngineSession& session) const;
  // `error` is how the deletion `what` ended. If it succeeded, returns the error that names the files that were left.
  Error LeftOr(const std::string& what, NotedDeletes& deletes, Error error) const;
  rocksdb::IOStatus DeleteMetas(const EngineSettings& settings, std::vector<uint32_t>* ids, rocksdb::IOStatus* failed);
  rocksdb::IOStatus DeleteFiles(const EngineSettings& settings, rocksdb::BackupEngine& engine,
                                const std::vector<uint32_t>& ids);

  const EngineSettings settings_;
  const bool read_only_;
  const std::shared_ptr<WriteQueue> writes_ = std::make_shared<WriteQueue>();
  const std::shared_ptr<Operation> open_ = std::make_shared<Operation>();  // ends when the repository is closed

  std::mutex mutex_;  // guards all members below
  std::multiset<std::shared_ptr<Operation>> creates_;
  std::multiset<std::shared_ptr<Operation>> others_;
  bool stopping_ = false;
};

}  // namespace rocksdb_backup
