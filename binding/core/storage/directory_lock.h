#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/error.h"
#include "core/storage/lock_file.h"

namespace rocksdb_backup {

// Who may change a backup directory. RocksDB has no lock here: two engines that create at once leave no usable backup.
//
// One file in the directory, locked by byte ranges that belong to the open file, so they hold between processes,
// between threads, and between two engines of one thread, and the kernel frees them when the holder dies, however it
// dies. Where the system or the file system has no such locks, a table of this process's own keeps at least its engines
// apart.
//   - the writer holds the last byte: one at a time creates, deletes and collects;
//   - a reader of backup N (restore, verify, a backup opened in place) shares byte N: nobody deletes N meanwhile;
//   - who changes what is remembered beside the backups (lib/manager/state.ts) holds the byte before the writer's, for
//     the time of that change;
//   - restores share the byte before that.
// The file's text names the writer, for messages only.
//
// The file may be removed, or the directory moved away, while a lock is held: then others lock another file, and do not
// see this one. So whoever holds it looks before each change whether it is still the file that others find:
// StillHeld(). A reader cannot be kept safe by that, as it is the others who delete. So it locks its backup's meta
// file, too, which is there as long as the backup is.
//
// rocksdb-js locks another file by flock(): exclusive to write, shared to restore. So do we, to see it and be seen.
// Between our own writers and restores that lock decides nothing: they may run beside each other.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock();

  // BACKUP_LOCKED when another writer holds it, or another program that writes or restores.
  static Error AcquireWriter(const std::string& directory, DirectoryLock* lock);
  // Succeeds without a lock on what is not there and cannot be made; with `may_create` false, no file is made. Then
  // nobody who deletes there has worked in that directory yet. BACKUP_IN_USE when the backup is being deleted.
  static Error AcquireReader(const std::string& directory, uint32_t backup_id, bool may_create, DirectoryLock* lock);
  // STATE_LOCKED when another holds it.
  static Error AcquireState(const std::string& directory, DirectoryLock* lock);
  // On a writer's lock: BACKUP_IN_USE when somebody reads the backup. Holds until the lock is released.
  Error ExcludeReaders(uint32_t backup_id);
  // On a reader's lock, for a restore: other programs write nothing meanwhile. BACKUP_LOCKED when one does.
  Error KeepOtherProgramsOut(bool may_create);

  // LOCK_LOST when what was locked is not at its path any more, or what is there is something else: others may have
  // come since. Another error when that cannot be looked at. Of a lock that was never taken there is nothing to lose.
  // Looks at the disk; takes some microseconds.
  Error StillHeld() const;

  void Release();

 private:
  // The lock file, whatever it is called, and the byte in it.
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

  // Opens the lock file and takes a byte of it. Leaves it closed where there is none and none may be made.
  Outcome TakeFirst(const std::string& directory, int flags, int64_t byte, bool exclusive);
  Outcome Take(int64_t byte, bool exclusive);
  bool IsHeldByAnother(int64_t byte, bool exclusive) const;
  Outcome LockBackup(uint32_t backup_id);
  Error LockAgainstOtherPrograms(bool exclusive, bool may_create);
  // Whether all that is held is still what others find. Puts the path of the first that is not into *path.
  Presence Look(std::string* path) const;
  Error Failure(int error) const;
  Error IsBeingDeleted(uint32_t backup_id) const;

  std::string directory_;
  FileIdentity directory_identity_;
  LockFile file_;
  LockFile others_;  // the other programs'
  LockFile backup_;  // a reader's: the meta of its backup
  std::vector<Claim> claims_;
};

// The lock file's name in a backup directory. The engine ignores it.
inline constexpr char kLockFileName[] = "rocksdb-backup.lock";
// The one that rocksdb-js uses.
inline constexpr char kOtherLockFileName[] = ".backup.lock";

}  // namespace rocksdb_backup
