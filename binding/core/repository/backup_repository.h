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
#include "core/restore/backup_restore.h"
#include "core/storage/directory_lock.h"
#include "core/storage/locked_fs.h"

namespace rocksdb_backup {

// A backup opened for reading in place, and what must stay while it is: the engine whose file system it is read
// through, and the lock that keeps the backup from being deleted.
struct OpenedBackup {
  std::shared_ptr<void> keep_alive;  // goes last
  std::string path;
  std::shared_ptr<rocksdb::Env> env;
};

// The backups of a directory at one moment: those that can be used, and those that cannot, with the reason.
struct BackupSurvey {
  struct Corrupt {
    uint32_t id = 0;
    std::string reason;
  };
  std::vector<BackupDescription> backups;
  std::vector<Corrupt> corrupt;
};

// One backup directory, as this process uses it. Writes (create, delete, purge, collect) run under the directory's
// lock, each on an engine of its own that is opened for it, and are refused while another writes: who calls from
// several threads lets them pass through writes(). Reads run beside them and each other.
class BackupRepository : public Resource {
 public:
  enum class Kind { kCreate, kOther };

  struct Options {
    EngineSettings settings;
    bool read_only = false;
    bool destroy_old_data = false;
  };

  // An operation that close() and, if it creates, StopBackup() can end, for as long as this object lives. Made before
  // the work is queued, so that a stop right after the call finds it.
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

  const std::string& directory() const { return settings_.engine.backup_dir; }
  const EngineSettings& settings() const { return settings_; }
  bool read_only() const { return read_only_; }

  // What calls Create, Delete, PurgeOld or CollectGarbage waits its turn here.
  WriteQueue& writes() { return *writes_; }

  Error Create(const CreateRequest& request, const std::shared_ptr<Operation>& operation, BackupDescription* created);
  Error Verify(uint32_t backup_id, bool checksum, const std::shared_ptr<Operation>& operation);
  Error PlanRestore(const RestoreRequest& request, const std::shared_ptr<Operation>& operation, RestorePlan* plan);
  Error Restore(const RestoreRequest& request, const std::shared_ptr<Operation>& operation, RestoreResult* restored);

  Error List(bool details, std::vector<BackupDescription>* descriptions);
  // 0: the latest; its id stays 0 where there is none.
  Error Describe(uint32_t backup_id, bool details, BackupDescription* description);
  Error CorruptIds(std::vector<uint32_t>* ids);
  // All there is, in one look.
  Error Look(bool details, BackupSurvey* survey);
  Error OpenBackup(uint32_t backup_id, OpenedBackup* opened);

  // These run the engine's clean-up, which deletes whatever no readable backup refers to. While a backup is unreadable
  // they refuse with BACKUP_CORRUPT, unless forced.
  // All of them or, while one is not there or is being read, none.
  Error Delete(const std::vector<uint32_t>& backup_ids, bool force);
  Error Delete(uint32_t backup_id, bool force) { return Delete(std::vector<uint32_t>{backup_id}, force); }
  Error PurgeOld(uint32_t keep, bool force);
  Error CollectGarbage(bool force);

  // Stops the running create and those waiting behind it. Whether there was one that will end as stopped.
  bool StopBackup();

 protected:
  void Stop() override;
  Error Free() override;

 private:
  explicit BackupRepository(Options options);
  Error OpenSession(std::shared_ptr<BackupEngineSession>* session);

  // What changes the directory under a writer's lock goes by these settings: nothing is changed once it is lost.
  struct Held {
    Held(const EngineSettings& plain, const DirectoryLock& lock);
    // That the lock was lost, if an error came of that.
    Error LossOr(const std::string& doing, Error error) const;
    EngineSettings settings;
    std::shared_ptr<LockedFileSystem> storage;
  };
  Error AcquireWriter(const Operation& operation, DirectoryLock* lock) const;
  // Runs `remove` on a writer engine once nobody reads the ids it will delete and no unreadable backup forbids it.
  template <class IdsToDelete, class Remove>
  Error RemoveUnderLock(bool force, const char* doing, IdsToDelete ids_to_delete, Remove remove);
  rocksdb::IOStatus DeleteMetas(const EngineSettings& settings, std::vector<uint32_t>* ids, rocksdb::IOStatus* failed);
  rocksdb::IOStatus DeleteFiles(const EngineSettings& settings, rocksdb::BackupEngine& engine,
                                const std::vector<uint32_t>& ids);

  const EngineSettings settings_;
  const bool read_only_;
  const std::shared_ptr<WriteQueue> writes_ = std::make_shared<WriteQueue>();

  std::mutex mutex_;  // for all below
  std::multiset<std::shared_ptr<Operation>> creates_;
  std::multiset<std::shared_ptr<Operation>> others_;
  bool stopping_ = false;
};

}  // namespace rocksdb_backup
