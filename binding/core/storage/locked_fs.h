#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/storage/directory_lock.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// A backup directory as its writer sees it: whatever changes it is done only while the writer's lock is held. Once that
// was lost nothing is changed any more, neither by the engine's clean-up, which would delete what another writer makes.
//
// It is looked for right before each change. What happens between the look and the change is not seen: a process that
// is held up just there, for as long as another takes to make a backup, can still do that one change.
class LockedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  // The lock must live as long as this does.
  LockedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, const DirectoryLock& lock)
      : FileSystemWrapper(base), lock_(lock) {}

  // How the lock was lost, if a change has found it so.
  Error lost();

  static const char* kClassName() { return "LockedFileSystem"; }
  const char* Name() const override { return kClassName(); }

  // What is there is removed, and not written over: another writer, who came when he could not see this one, may be
  // writing to it, and would spoil the new file.
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

  const DirectoryLock& lock_;
  std::mutex mutex_;
  Error lost_;
};

}  // namespace rocksdb_backup
