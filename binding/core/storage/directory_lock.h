#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/error.h"
#include "core/storage/lock_file.h"

namespace rocksdb_backup {

// Somebody who works in a repository.
struct RepositoryUse {
  enum class What { kWriting, kReading, kDeleting, kState };
  What what;
  uint32_t backup_id = 0;   // of reading and deleting
  std::string holder = {};  // in words; empty: not known
};

// The lock that decides who may change a repository. RocksDB has no such lock: two BackupEngines that create at the
// same time leave no usable backup.
//
// The lock is one file in the repository. Byte ranges of it are locked. Such locks belong to the open file, so they
// work between processes, between threads, and between two engines of one thread. The kernel frees them when the holder
// dies, however it dies. If the operating system or the file system has no such locks, a table in this process at least
// keeps the engines of this process apart.
// - The writer holds the last byte. Only one writer at a time creates, deletes and collects garbage.
// - A reader of backup N (restore, verify, a backup opened in place) shares byte N. Nobody deletes backup N meanwhile.
// - A process that changes the state beside the backups (lib/manager/state.ts) holds the byte before the writer's byte,
//   for as long as the change takes.
// - Restores share the byte before that.
// - A process that replaces a small file holds the byte before that, for milliseconds.
// - A process that archives a timeline holds a byte above those of all backups.
//
// The file's text names the writer. It is used for messages only.
//
// The lock file may be removed, or the repository moved away, while a lock is held. Then other processes lock another
// file and do not see this lock. So before each change the holder of a writer's lock checks that its file is still the
// file that others find: StillHeld(). This check cannot protect a reader, because it is the others who delete. So a
// reader also locks the meta file of its backup, which exists as long as the backup does.
//
// rocksdb-js locks another file with flock(): exclusive to write, shared to restore. We take that lock too, so that we
// see rocksdb-js and it sees us. That lock decides nothing between our own writers and restores: they may run at the
// same time.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock();

  // BACKUP_LOCKED if another writer holds the lock, or if another program is writing or restoring.
  static Error AcquireWriter(const std::string& directory, DirectoryLock* lock);
  // BACKUP_IN_USE if the backup is being deleted. Succeeds without a lock if there is no lock file and it cannot be
  // made. If `may_create` is false, no lock file is made. Without a lock file, no process that deletes has worked in
  // that repository yet.
  static Error AcquireReader(const std::string& directory, uint32_t backup_id, bool may_create, DirectoryLock* lock);
  // STATE_LOCKED if another holder has it.
  static Error AcquireState(const std::string& directory, DirectoryLock* lock);
  // Waits for others, who need milliseconds. STATE_LOCKED if one holds it for seconds.
  static Error AcquireSmallFiles(const std::string& directory, DirectoryLock* lock);
  // ARCHIVE_LOCKED if another holder has it.
  static Error AcquireTimeline(const std::string& directory, uint64_t timeline, DirectoryLock* lock);
  // Needs a writer's lock. BACKUP_IN_USE if the backup is being read. Keeps readers out until the lock is released.
  Error ExcludeReaders(uint32_t backup_id);
  // Needs a reader's lock; used by a restore. Other programs write nothing meanwhile. BACKUP_LOCKED if another program
  // is writing.
  Error KeepOtherProgramsOut(bool may_create);

  // Who holds locks of the repository now. Of those who read or delete, finds those of these backups. Takes no lock,
  // and makes no file. Empty also if it cannot be found out.
  static std::vector<RepositoryUse> UsesOf(const std::string& directory, const std::vector<uint32_t>& backup_ids);

  // LOCK_LOST if the locked file or directory is no longer at its path, or if something else is there: others may have
  // come since. Another error if it cannot be looked at. Always succeeds for a lock that was never taken. Looks at the
  // disk, which takes some microseconds.
  Error StillHeld() const;

  void Release();

 private:
  // The identity of the lock file, whatever its name is, and the byte in it.
  struct Claim {
    FileIdentity file;
    int64_t byte;
    bool exclusive;
    bool operator<(const Claim& other) const {
      return std::tie(file, byte, exclusive) < std::tie(other.file, other.byte, other.exclusive);
    }
  };
  struct Table;
  using Outcome = LockFile::Outcome;

  // Opens the lock file and takes one byte of it. If there is no lock file and none may be made, the file stays closed.
  Outcome TakeFirst(const std::string& directory, int flags, int64_t byte, bool exclusive);
  Outcome Take(int64_t byte, bool exclusive);
  static Error AcquireShortly(const std::string& directory, int64_t byte, DirectoryLock* lock);
  bool IsHeldByAnother(int64_t byte, bool exclusive) const;
  Outcome LockBackup(uint32_t backup_id);
  Error LockAgainstOtherPrograms(bool exclusive, bool may_create);
  // Whether all locked files are still the files that others find. Sets *path to the first path for which that is not
  // so.
  Presence Look(std::string* path) const;
  Error Failure(int error) const;
  Error IsBeingDeleted(uint32_t backup_id) const;

  std::string directory_;
  FileIdentity directory_identity_;
  LockFile file_;
  LockFile others_;  // the lock file of other programs
  LockFile backup_;  // for a reader: the meta file of its backup
  std::vector<Claim> claims_;
};

// The name of the lock file in a repository. The BackupEngine ignores this file.
inline constexpr char kLockFileName[] = "rocksdb-backup.lock";
// The name of the lock file that rocksdb-js uses.
inline constexpr char kOtherLockFileName[] = ".backup.lock";

}  // namespace rocksdb_backup
