#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/storage/storage.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// The file system through which a writer changes a repository. Each change is made only while the writer's lock is
// held. Once the lock was lost, nothing is changed any more. That includes the BackupEngine's clean-up, which would
// delete what another writer makes.
//
// The lock is checked right before each change. A change of ownership between the check and the change is not seen: a
// process that pauses exactly there, for as long as another process takes to make a backup, can still make that one
// change.
class LockedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  // The lock must live as long as this object.
  LockedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, const StorageLock& lock)
      : FileSystemWrapper(base), lock_(lock) {}

  // The error that says how the lock was lost, if a change found it lost.
  Error lost();

  const char* Name() const override { return "LockedFileSystem"; }

  // Removes an existing file instead of writing over it. Another writer, who started when it could not see this
  // writer's lock, may still be writing to the existing file, and would spoil the new one.
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  rocksdb::IOStatus CheckHeld();

  const StorageLock& lock_;
  std::mutex mutex_;
  Error lost_;
};

}  // namespace rocksdb_backup
