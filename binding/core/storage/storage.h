#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/operation.h"
#include "core/storage/archive_files.h"
#include "core/storage/disk_cache.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// A lock of a repository. It is released when the object is destroyed, or when the process dies.
class StorageLock {
 public:
  virtual ~StorageLock() = default;

  // Succeeds while nobody else can have the lock. LOCK_LOST if others may have it by now, and for ever after. Another
  // error if that cannot be found out. Cheap enough to be called before every change.
  virtual Error StillHeld() const = 0;
};

// The lock of the one process that creates or deletes backups.
class WriterLock : public StorageLock {
 public:
  // BACKUP_IN_USE if somebody reads the backup. Otherwise nobody can begin to read it until this lock is released.
  virtual Error ExcludeReaders(uint32_t backup_id) = 0;
  // The same for several backups, perhaps with fewer requests.
  virtual Error ExcludeReadersOf(const std::vector<uint32_t>& backup_ids) {
    for (const uint32_t id : backup_ids) {
      if (Error error = ExcludeReaders(id); !error.ok()) {
        return error;
      }
    }
    return Error();
  }
};

// The lock of a process that reads one backup. Many may have it at the same time.
class ReaderLock : public StorageLock {
 public:
  // Keeps programs that use other locks from writing while this lock is held. BACKUP_LOCKED if one is writing now. A
  // storage that no such program uses always succeeds.
  virtual Error KeepOtherProgramsOut() = 0;
};

// A file of a storage that lists its files with tags: two contents that differ have tags that differ.
struct TaggedFile {
  std::string path;  // relative to the repository
  uint64_t size = 0;
  std::string tag;
};

class TaggedFiles {
 public:
  virtual ~TaggedFiles() = default;
  // All files of the repository, in the order of their paths.
  virtual rocksdb::IOStatus List(std::vector<TaggedFile>* files) = 0;
  // Reads small files whole, several at a time, as they were listed. Calls `read(i, text)` for each path, until a call
  // returns false. False if a file could not be read, too.
  virtual bool ReadAll(const std::vector<std::string>& paths,
                       const std::function<bool(size_t i, std::string text)>& read) = 0;
};

// A small file. Two contents that differ have versions that differ.
struct SmallFile {
  std::string text;
  std::string version;
};

inline constexpr char kAnyVersion[] = "*";

// The place where a repository lives, and all that a repository needs of it. LocalStorage is the one on a disk of this
// machine. test/core/storage/storage_contract_test.cc is a test of this contract that any implementation can run. All
// methods may be called from several threads at once.
class Storage {
 public:
  // What a process may do with the storage. With kRead it changes nothing but, in a store, its own leases if it may.
  enum class Access { kRead, kWrite };

  virtual ~Storage() = default;

  // What messages call the repository: a path or a URL. Never holds a secret.
  virtual const std::string& name() const = 0;
  // Storages of this process that have the same identity are at the same place. A name may stand for two places: the
  // same bucket at two endpoints.
  virtual std::string identity() const { return name(); }
  // The path of the repository in files(). A clean path.
  virtual const std::string& root() const = 0;
  // The directory of this machine in which the repository's files can also be seen without files(). Empty if there is
  // none.
  virtual const std::string& local_directory() const = 0;

  // The files of the repository.
  // - NotFound means that nothing is there. What cannot be looked at is another error: no right, no answer, no network.
  // - A listing is complete, or it is an error.
  // - A file that was closed without an error can be read whole by everybody from then on.
  // - A rename is atomic, and replaces what is there.
  // - What was synced, with the directory that names it, survives a loss of power.
  // - Nothing outside the repository is read, written or deleted, whatever the repository holds.
  // - Reading ends: what is no plain file is an error, and not an endless wait. A listing with sizes leaves it out.
  // - Two slashes in a path are one.
  virtual std::shared_ptr<rocksdb::FileSystem> files() const = 0;

  // The same storage for one operation, which sees the files as they are when it first looks, and as it changes them
  // itself. Once the operation has ended, its requests are given up. Null: every operation can use this one.
  virtual std::shared_ptr<Storage> ForOperation(std::shared_ptr<Operation> /*operation*/) { return nullptr; }
  // The same storage for a database that is opened where it lies. What is read of the database stays in memory with a
  // bound, and in `cache` unless that is null. Once `reading` has ended, its requests are given up. Null: reads need no
  // cache here, and do not wait for long.
  virtual std::shared_ptr<Storage> ForDatabase(std::shared_ptr<DiskCache> /*cache*/,
                                               std::shared_ptr<Operation> /*reading*/) {
    return nullptr;
  }
  // Why no cache on a disk can keep what is read here. Empty if one can.
  virtual Error CheckCacheable() const { return Error(); }
  // Called at the end of an operation, with its error. Does what was put off, and returns an error if that fails. If
  // the storage itself failed during this operation, returns `error` with the storage's own code and facts: RocksDB
  // passes on nothing but the text of an error.
  virtual Error Explain(Error error) const { return error; }
  // For a database that is open: if a failure of the storage itself has led to this error, returns that failure.
  virtual Error ExplainRead(Error error) const { return error; }

  // Null if the storage does not list its files with tags.
  virtual std::shared_ptr<TaggedFiles> tagged_files() const { return nullptr; }

  // The files of the repository's archive.
  virtual std::shared_ptr<ArchiveFiles> archive_files() const = 0;
  // The lock of the one process that archives a timeline. ARCHIVE_LOCKED if another process has it.
  virtual Error LockTimeline(uint64_t timeline, std::unique_ptr<StorageLock>* lock) = 0;

  // Says how large a file will be before it is written: by its path in the repository, or by the name that it has in
  // the database. A storage that writes large files in parts needs it.
  virtual void ExpectFile(const std::string& /*name*/, uint64_t /*size*/) {}

  // Until when a file of a backup cannot be deleted, if the storage knows it: in milliseconds since 1970. 0: it does
  // not know of a lock. Takes a path in files().
  virtual int64_t LockedUntil(const std::string& /*path*/) { return 0; }
  // The files that this operation has deleted and the storage did not: locked ones, for instance. They are still there,
  // and no error told it. Relative to the repository. Called at the end of the operation.
  virtual std::vector<std::string> RefusedDeletes() const { return {}; }

  // Under the writer's lock: removes what writers that died have left and no listing shows.
  virtual Error RemoveAbandoned() { return Error(); }

  // Makes the place where the repository lies, with the directory `meta`, unless they are there.
  virtual Error MakeReady() = 0;
  // nullopt if the storage does not say, or has no limit.
  virtual std::optional<uint64_t> FreeSpace() const = 0;

  // INVALID_OPTION if backups of a database with files in this directory must not lie here. Takes a real path.
  virtual Error CheckSource(const std::string& database_dir) const = 0;
  // INVALID_OPTION if a database must not be restored to this directory, because it is part of the repository. Takes a
  // real path.
  virtual Error CheckTarget(const std::string& database_dir) const = 0;

  // BACKUP_LOCKED if another writer has the lock.
  virtual Error LockWriter(std::unique_ptr<WriterLock>* lock) = 0;
  // BACKUP_IN_USE if the backup is being deleted. Succeeds, perhaps without any effect, if there is no such backup.
  virtual Error LockReader(uint32_t backup_id, Access access, std::unique_ptr<ReaderLock>* lock) = 0;
  // For a change of what is remembered about the backups. STATE_LOCKED if another process makes one. Does not wait.
  virtual Error LockState(std::unique_ptr<StorageLock>* lock) = 0;

  // Reads a small file that lies beside the backups, such as the state. `file` is a plain name. nullopt if there is
  // none. STATE_UNREADABLE if it cannot be read to its end.
  virtual Error ReadSmall(const std::string& file, std::optional<SmallFile>* read) const = 0;
  // Writes a small file if it still has this version; nullopt: if there is still no such file; kAnyVersion: whatever is
  // there. STATE_CHANGED if it has another version. Of two processes that replace the same version, one succeeds and
  // one gets STATE_CHANGED. Readers get the old content or the new, never a mixture. STATE_UNWRITABLE: the file is as
  // it was. STATE_NOT_DURABLE: the file has the new content, and may have the old one again after a loss of power.
  // After success, it has not. STATE_LOCKED: others were at it for many seconds, and the file is as it was. LOCK_LOST,
  // STATE_UNREADABLE: the file is as it was. STATE_UNWRITABLE also if the file is a link.
  virtual Error ReplaceSmall(const std::string& file, const std::optional<std::string>& version,
                             const std::string& text, std::string* new_version) = 0;
};

// A storage whose files are seen through another file system; everything else is as in the first.
class LayeredStorage : public Storage {
 public:
  LayeredStorage(std::shared_ptr<Storage> base, std::shared_ptr<rocksdb::FileSystem> files)
      : base_(std::move(base)), files_(std::move(files)) {}

  const std::string& name() const override { return base_->name(); }
  std::string identity() const override { return base_->identity(); }
  const std::string& root() const override { return base_->root(); }
  const std::string& local_directory() const override { return base_->local_directory(); }
  std::shared_ptr<rocksdb::FileSystem> files() const override { return files_; }
  Error Explain(Error error) const override { return base_->Explain(std::move(error)); }
  Error ExplainRead(Error error) const override { return base_->ExplainRead(std::move(error)); }
  std::shared_ptr<TaggedFiles> tagged_files() const override { return base_->tagged_files(); }
  std::shared_ptr<ArchiveFiles> archive_files() const override { return base_->archive_files(); }
  Error LockTimeline(uint64_t timeline, std::unique_ptr<StorageLock>* lock) override {
    return base_->LockTimeline(timeline, lock);
  }
  void ExpectFile(const std::string& name, uint64_t size) override { base_->ExpectFile(name, size); }
  int64_t LockedUntil(const std::string& path) override { return base_->LockedUntil(path); }
  std::vector<std::string> RefusedDeletes() const override { return base_->RefusedDeletes(); }
  Error RemoveAbandoned() override { return base_->RemoveAbandoned(); }
  Error MakeReady() override { return base_->MakeReady(); }
  std::optional<uint64_t> FreeSpace() const override { return base_->FreeSpace(); }
  Error CheckSource(const std::string& database_dir) const override { return base_->CheckSource(database_dir); }
  Error CheckTarget(const std::string& database_dir) const override { return base_->CheckTarget(database_dir); }
  Error LockWriter(std::unique_ptr<WriterLock>* lock) override { return base_->LockWriter(lock); }
  Error LockReader(uint32_t backup_id, Access access, std::unique_ptr<ReaderLock>* lock) override {
    return base_->LockReader(backup_id, access, lock);
  }
  Error LockState(std::unique_ptr<StorageLock>* lock) override { return base_->LockState(lock); }
  Error ReadSmall(const std::string& file, std::optional<SmallFile>* read) const override {
    return base_->ReadSmall(file, read);
  }
  Error ReplaceSmall(const std::string& file, const std::optional<std::string>& version, const std::string& text,
                     std::string* new_version) override {
    return base_->ReplaceSmall(file, version, text, new_version);
  }

 private:
  const std::shared_ptr<Storage> base_;
  const std::shared_ptr<rocksdb::FileSystem> files_;
};

}  // namespace rocksdb_backup
