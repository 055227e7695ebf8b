#include "core/backup_repository.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/paths.h"
#include "core/restore_target.h"

namespace rocksdb_backup {

using Count = ObservedFileSystem::Count;

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

class BackupRepository::WriteTurn {
 public:
  explicit WriteTurn(BackupRepository& repository) : repository_(repository) {}
  ~WriteTurn() {
    if (taken_) {
      lock_.Release();
      const std::lock_guard lock(repository_.mutex_);
      repository_.writing_ = false;
      repository_.turn_changed_.notify_all();
    }
  }
  WriteTurn(const WriteTurn&) = delete;
  WriteTurn& operator=(const WriteTurn&) = delete;

  Error Take(const Operation& operation) {
    if (repository_.read_only_) {
      return Error("READ_ONLY", "the backup engine on " + repository_.directory() +
                                    " was opened with readOnly: true. Open it without to create or delete backups.");
    }
    {
      std::unique_lock lock(repository_.mutex_);
      // A stop of one operation does not know who waits for a turn: look for it now and then.
      while (repository_.writing_ && !operation.stopped()) {
        repository_.turn_changed_.wait_for(lock, std::chrono::milliseconds(50));
      }
      if (operation.stopped()) {
        return Error("BACKUP_STOPPED", "the operation on " + repository_.directory() + " was stopped before it began");
      }
      repository_.writing_ = true;
      taken_ = true;
    }
    return DirectoryLock::AcquireWriter(repository_.directory(), &lock_);
  }

  DirectoryLock& lock() { return lock_; }

 private:
  BackupRepository& repository_;
  bool taken_ = false;
  DirectoryLock lock_;
};

BackupRepository::BackupRepository(Options options)
    : Resource("engine"), settings_(std::move(options.settings)), read_only_(options.read_only) {}

Error BackupRepository::Open(Options options, std::shared_ptr<BackupRepository>* result) {
  std::string& directory = options.settings.engine.backup_dir;
  if (directory.empty()) {
    return Error("INVALID_OPTION", "the path of a backup directory must not be empty");
  }
  if (options.settings.engine.max_background_operations < 1) {
    return Error("INVALID_OPTION", "maxBackgroundOperations must be at least 1");
  }
  directory = RealPath(directory);
  options.settings.read_only = options.read_only;
  const bool destroy = options.destroy_old_data;
  std::shared_ptr<BackupRepository> repository(new BackupRepository(std::move(options)));
  if (!repository->read_only_) {
    std::error_code ignored;
    if (std::filesystem::exists(repository->directory() + "/CURRENT", ignored) &&
        !std::filesystem::exists(repository->directory() + "/meta", ignored)) {
      return Error("INVALID_OPTION", "the backup directory " + repository->directory() +
                                         " is a database's own directory. Give it one of its own, such as " +
                                         repository->directory() + "/backups");
    }
    if (Error error = MakeDirectories(repository->directory() + "/meta"); !error.ok()) {
      return error;
    }
  }
  // What cannot be read fails here, and not in the middle of the first backup.
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = repository->OpenSession(&session); !error.ok()) {
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

Error BackupRepository::OpenSession(std::shared_ptr<BackupEngineSession>* session) {
  Error error = BackupEngineSession::OpenReader(settings_, std::make_shared<Operation>(), Count::kNothing,
                                                Count::kNothing, session);
  if (error.code() == "ROCKSDB_NOT_FOUND") {
    return Error("DIRECTORY_NOT_FOUND", directory() +
                                            " is not a backup directory: it has no folder meta. Check the path; "
                                            "an engine opened without readOnly: true makes a new one.");
  }
  return error;
}

Error BackupRepository::Create(const CreateRequest& request, const std::shared_ptr<Operation>& operation,
                               BackupDescription* created) {
  WriteTurn turn(*this);
  Error error = turn.Take(*operation);
  if (error.ok()) {
    error = CreateBackup(settings_, request, operation, created);
  }
  if (!error.ok() && !operation->Fail()) {
    return Error("BACKUP_STOPPED", "the backup of " + request.source.path + " to " + directory() +
                                       " was stopped; what it had copied is removed again");
  }
  return error;
}

Error BackupRepository::Verify(uint32_t backup_id, bool checksum, const std::shared_ptr<Operation>& operation) {
  Error error = VerifyBackup(settings_, backup_id, checksum, operation);
  if (!error.ok() && !operation->Fail()) {
    return Error("VERIFY_STOPPED",
                 "verifying backup " + std::to_string(backup_id) + " in " + directory() + " was stopped");
  }
  return error;
}

Error BackupRepository::Restore(const RestoreRequest& request, const std::shared_ptr<Operation>& operation,
                                BackupDescription* restored) {
  Error error = RestoreBackup(settings_, request, operation, restored);
  if (!error.ok() && !operation->Fail()) {
    return Error("RESTORE_STOPPED", "the restore from " + directory() + " to " + request.database_dir +
                                        " was stopped; the target is as it was");
  }
  return error;
}

Error BackupRepository::List(bool details, std::vector<BackupDescription>* descriptions) {
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = OpenSession(&session); !error.ok()) {
    return error;
  }
  return session->DescribeAll(details, descriptions);
}

Error BackupRepository::Describe(uint32_t backup_id, bool details, BackupDescription* description) {
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = OpenSession(&session); !error.ok()) {
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
  if (Error error = OpenSession(&session); !error.ok()) {
    return error;
  }
  *ids = session->corrupt_ids();
  return Error();
}

Error BackupRepository::OpenBackup(uint32_t backup_id, OpenedBackup* opened) {
  struct Kept {
    DirectoryLock lock;
    std::shared_ptr<BackupEngineSession> session;
  };
  auto kept = std::make_shared<Kept>();
  if (Error error = DirectoryLock::AcquireReader(directory(), backup_id, !read_only_, &kept->lock); !error.ok()) {
    return error;
  }
  if (Error error = OpenSession(&kept->session); !error.ok()) {
    return error;
  }
  BackupDescription ignored;
  if (Error error = kept->session->Describe(backup_id, false, &ignored); !error.ok()) {
    return error;
  }
  return Guarded(directory(), [&] {
    rocksdb::BackupInfo info;
    const rocksdb::Status status = kept->session->reader().GetBackupInfo(backup_id, &info, true);
    if (!status.ok()) {
      return Error::From(status, "opening backup " + std::to_string(backup_id) + " in " + directory());
    }
    opened->path = info.name_for_open;
    opened->env = info.env_for_open;
    opened->keep_alive = kept;
    return Error();
  });
}

template <class IdsToDelete, class Remove>
Error BackupRepository::RemoveUnderLock(bool force, const char* doing, IdsToDelete ids_to_delete, Remove remove) {
  const auto operation = std::make_shared<Operation>();
  WriteTurn turn(*this);
  if (Error error = turn.Take(*operation); !error.ok()) {
    return error;
  }
  std::shared_ptr<BackupEngineSession> session;
  if (Error error =
          BackupEngineSession::OpenWriter(settings_, operation, rocksdb::FileSystem::Default(), nullptr, &session);
      !error.ok()) {
    return error;
  }
  return Guarded(directory(), [&] {
    const std::vector<uint32_t>& corrupt = session->corrupt_ids();
    if (!corrupt.empty() && !force) {
      return Error(
          "BACKUP_CORRUPT",
          std::string(doing) + " in " + directory() + " was refused, because " +
              (corrupt.size() == 1 ? "backup " : "backups ") + JoinIds(corrupt) +
              " cannot be read: RocksDB would delete for good whatever files only they use. If their files are "
              "only missing for now, bring them back; to give them up, pass force: true.");
    }
    std::vector<uint32_t> ids;
    if (Error error = ids_to_delete(*session, &ids); !error.ok()) {
      return error;
    }
    for (const uint32_t id : ids) {
      if (Error error = turn.lock().ExcludeReaders(id); !error.ok()) {
        return error;
      }
    }
    return Error::From(remove(session->writer(), ids), std::string(doing) + " in " + directory());
  });
}

// Where the engine cannot delete a backup's meta it still deletes its files, and leaves a backup that is corrupt.
rocksdb::IOStatus BackupRepository::DeleteMetaFirst(rocksdb::BackupEngine& engine, uint32_t backup_id) {
  const std::string meta = directory() + "/meta/" + std::to_string(backup_id);
  rocksdb::IOStatus status = StorageOf(settings_)->DeleteFile(meta, rocksdb::IOOptions(), nullptr);
  return status.ok() ? engine.DeleteBackup(backup_id) : status;
}

Error BackupRepository::Delete(uint32_t backup_id, bool force) {
  const std::string doing = "deleting backup " + std::to_string(backup_id);
  return RemoveUnderLock(
      force, doing.c_str(),
      [backup_id](const BackupEngineSession& session, std::vector<uint32_t>* ids) {
        for (const auto* known : {&session.ids(), &session.corrupt_ids()}) {
          if (std::binary_search(known->begin(), known->end(), backup_id)) {
            ids->push_back(backup_id);
            return Error();
          }
        }
        return session.NotFound(backup_id);
      },
      [this](rocksdb::BackupEngine& engine, const std::vector<uint32_t>& ids) {
        return DeleteMetaFirst(engine, ids.front());
      });
}

// The engine's own purge counts backups without files among those it keeps, and then deletes others than were asked
// for.
Error BackupRepository::PurgeOld(uint32_t keep, bool force) {
  return RemoveUnderLock(
      force, "purging old backups",
      [keep](const BackupEngineSession& session, std::vector<uint32_t>* ids) {
        *ids = session.ids();
        ids->resize(ids->size() - std::min<size_t>(ids->size(), keep));
        return Error();
      },
      [this](rocksdb::BackupEngine& engine, const std::vector<uint32_t>& ids) {
        if (ids.empty()) {
          return engine.GarbageCollect();
        }
        rocksdb::IOStatus result;
        for (const uint32_t id : ids) {
          if (rocksdb::IOStatus status = DeleteMetaFirst(engine, id); !status.ok()) {
            result = std::move(status);
          }
        }
        return result;
      });
}

Error BackupRepository::CollectGarbage(bool force) {
  return RemoveUnderLock(
      force, "collecting garbage", [](const BackupEngineSession&, std::vector<uint32_t>*) { return Error(); },
      [this](rocksdb::BackupEngine& engine, const std::vector<uint32_t>&) {
        RemoveTemporaryMetas(settings_);
        return engine.GarbageCollect();
      });
}

bool BackupRepository::StopBackup() {
  bool stopped = false;
  const std::lock_guard lock(mutex_);
  for (const auto& operation : creates_) {
    stopped |= operation->RequestStop();
  }
  turn_changed_.notify_all();
  return stopped;
}

void BackupRepository::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (const auto* operations : {&creates_, &others_}) {
    for (const auto& operation : *operations) {
      operation->RequestStop();
    }
  }
  turn_changed_.notify_all();
}

Error BackupRepository::Free() { return Error(); }

}  // namespace rocksdb_backup
