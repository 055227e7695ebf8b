#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/error.h"

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
//     the time of that change.
// The file's text names the writer, for messages only.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) noexcept;
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock();

  // BACKUP_LOCKED when another writer holds it.
  static Error AcquireWriter(const std::string& directory, DirectoryLock* lock);
  // Succeeds without a lock where there is no lock file and none can be made, or `may_create` is false: then nobody who
  // deletes there has worked in that directory yet. BACKUP_IN_USE when the backup is being deleted.
  static Error AcquireReader(const std::string& directory, uint32_t backup_id, bool may_create, DirectoryLock* lock);
  // STATE_LOCKED when another holds it.
  static Error AcquireState(const std::string& directory, DirectoryLock* lock);
  // On a writer's lock: BACKUP_IN_USE when somebody reads the backup. Holds until the lock is released.
  Error ExcludeReaders(uint32_t backup_id);

  void Release();

 private:
  // The lock file, whatever it is called, and the byte in it.
  struct Claim {
    uint64_t device;
    uint64_t file;
    int64_t byte;
    bool exclusive;
    bool operator<(const Claim& other) const {
      return std::tie(device, file, byte, exclusive) < std::tie(other.device, other.file, other.byte, other.exclusive);
    }
  };
  struct Table;

  static Error Open(const std::string& directory, bool may_create, DirectoryLock* lock);
  enum class Outcome { kTaken, kHeldByOther, kFailed };
  Outcome Take(int64_t byte, bool exclusive);
  Error Failure(int error) const;

  int fd_ = -1;
  std::string directory_;
  std::vector<Claim> claims_;
};

// The lock file's name in a backup directory. The engine ignores it.
inline constexpr char kLockFileName[] = "rocksdb-backup.lock";

}  // namespace rocksdb_backup
