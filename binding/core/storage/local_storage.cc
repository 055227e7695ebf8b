#include "core/storage/local_storage.h"

#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

#include "core/base/paths.h"
#include "core/storage/directories.h"
#include "core/storage/directory_lock.h"
#include "core/storage/local_fs.h"
#include "core/storage/local_small_file.h"

namespace rocksdb_backup {
namespace {

// Once a lock was found lost it stays lost, even if its file comes back: others may have come and gone in between.
template <class Base>
class LocalLock : public Base {
 public:
  Error StillHeld() const override {
    const std::lock_guard guard(mutex_);
    if (lost_.ok()) {
      Error error = lock_.StillHeld();
      if (error.code() != "LOCK_LOST") {
        return error;
      }
      lost_ = std::move(error);
    }
    return lost_;
  }

 protected:
  DirectoryLock lock_;

 private:
  mutable std::mutex mutex_;
  mutable Error lost_;
};

class LocalWriterLock : public LocalLock<WriterLock> {
 public:
  Error Take(const std::string& directory) { return DirectoryLock::AcquireWriter(directory, &lock_); }
  Error ExcludeReaders(uint32_t backup_id) override { return lock_.ExcludeReaders(backup_id); }
};

class LocalReaderLock : public LocalLock<ReaderLock> {
 public:
  Error Take(const std::string& directory, uint32_t backup_id, bool may_create) {
    may_create_ = may_create;
    return DirectoryLock::AcquireReader(directory, backup_id, may_create, &lock_);
  }
  Error KeepOtherProgramsOut() override { return lock_.KeepOtherProgramsOut(may_create_); }

 private:
  bool may_create_ = false;
};

class LocalStateLock : public LocalLock<StorageLock> {
 public:
  Error Take(const std::string& directory) { return DirectoryLock::AcquireState(directory, &lock_); }
};

class LocalTimelineLock : public LocalLock<StorageLock> {
 public:
  Error Take(const std::string& directory, uint64_t timeline) {
    return DirectoryLock::AcquireTimeline(directory, timeline, &lock_);
  }
};

// Takes a lock of the class `Local`. Gives the lock that `lock` had back only if that succeeds.
template <class Local, class Lock, class... Args>
Error TakeLock(std::unique_ptr<Lock>* lock, const Args&... args) {
  auto taken = std::make_unique<Local>();
  Error error = taken->Take(args...);
  if (error.ok()) {
    *lock = std::move(taken);
  }
  return error;
}

}  // namespace

LocalStorage::LocalStorage(std::string directory, std::shared_ptr<rocksdb::FileSystem> base)
    : directory_(std::move(directory)), base_(std::move(base)) {}

std::shared_ptr<rocksdb::FileSystem> LocalStorage::files() const {
  return std::make_shared<LocalFileSystem>(base_, directory_);
}

std::shared_ptr<ArchiveFiles> LocalStorage::archive_files() const { return NewArchiveFiles(files(), directory_); }

Error LocalStorage::LockTimeline(uint64_t timeline, std::unique_ptr<StorageLock>* lock) {
  return TakeLock<LocalTimelineLock>(lock, directory_, timeline);
}

Error LocalStorage::MakeReady() {
  std::error_code ignored;
  if (std::filesystem::exists(directory_ + "/CURRENT", ignored) &&
      !std::filesystem::exists(MetaDirectory(directory_), ignored)) {
    return Error("INVALID_OPTION", "the repository " + directory_ +
                                       " is a database's own directory. Give it one of its own, best on another disk")
        .With("path", directory_);
  }
  return CreateDirectories(MetaDirectory(directory_));
}

std::optional<uint64_t> LocalStorage::FreeSpace() const {
  const rocksdb::IOOptions options;
  std::string place = directory_;
  while (place.size() > 1 && base_->FileExists(place, options, nullptr).IsNotFound()) {
    place = ParentOf(place);
  }
  uint64_t free = 0;
  return base_->GetFreeSpace(place, options, &free, nullptr).ok() ? std::optional(free) : std::nullopt;
}

// The repository may lie beside the database, or in a directory of its own below it.
Error LocalStorage::CheckSource(const std::string& database_dir) const {
  const std::string backup = RealPath(directory_);
  if (backup == database_dir) {
    return Error("INVALID_OPTION", "the repository " + backup +
                                       " is the database's own directory. Give it one of its own, best on another disk")
        .With("path", backup);
  }
  if (IsInside(backup, database_dir)) {
    const std::string below = backup.substr(database_dir.size() + 1);
    const std::string first = below.substr(0, below.find('/'));
    if (first == "archive" || first == "lost" || IsDatabaseFileName(first)) {
      return Error("INVALID_OPTION", "the repository " + backup + " lies where RocksDB keeps the files of " +
                                         database_dir + ". Give it another place, best on another disk")
          .With("path", backup);
    }
  }
  if (IsInRepositoryPart(backup, database_dir)) {
    return Error("INVALID_OPTION", "the database " + database_dir + " lies inside the repository " + backup +
                                       ": it may be a backup itself.")
        .With("path", database_dir)
        .Advise("openInPlace");
  }
  return Error();
}

Error LocalStorage::CheckTarget(const std::string& database_dir) const {
  const std::string backup = RealPath(directory_);
  return database_dir == backup || IsInRepositoryPart(backup, database_dir)
             ? Error("INVALID_OPTION",
                     "cannot restore to " + database_dir + ": that is the repository itself or a part of it")
                   .With("path", database_dir)
             : Error();
}

Error LocalStorage::LockWriter(std::unique_ptr<WriterLock>* lock) {
  return TakeLock<LocalWriterLock>(lock, directory_);
}

Error LocalStorage::LockReader(uint32_t backup_id, Access access, std::unique_ptr<ReaderLock>* lock) {
  return TakeLock<LocalReaderLock>(lock, directory_, backup_id, access == Access::kWrite);
}

Error LocalStorage::LockState(std::unique_ptr<StorageLock>* lock) { return TakeLock<LocalStateLock>(lock, directory_); }

std::vector<RepositoryUse> LocalStorage::UsesOf(const std::vector<uint32_t>& backup_ids) const {
  return DirectoryLock::UsesOf(directory_, backup_ids);
}

Error LocalStorage::ReadSmall(const std::string& file, std::optional<SmallFile>* read) const {
  return ReadLocalSmallFile(directory_ + "/" + file, read);
}

Error LocalStorage::ReplaceSmall(const std::string& file, const std::optional<std::string>& version,
                                 const std::string& text, std::string* new_version) {
  DirectoryLock lock;
  if (Error error = DirectoryLock::AcquireSmallFiles(directory_, &lock); !error.ok()) {
    const bool locked = error.code() == "STATE_LOCKED";
    return std::move(error)
        .WithCode(locked ? "STATE_LOCKED" : "STATE_UNWRITABLE")
        .With("path", directory_ + "/" + file);
  }
  return ReplaceLocalSmallFile(directory_ + "/" + file, version, text, lock, new_version);
}

}  // namespace rocksdb_backup
