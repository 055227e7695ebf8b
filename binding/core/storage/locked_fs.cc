#include "core/storage/locked_fs.h"

#include <utility>

namespace rocksdb_backup {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

Error LockedFileSystem::lost() {
  const std::lock_guard lock(mutex_);
  return lost_;
}

IOStatus LockedFileSystem::CheckHeld() {
  const std::lock_guard lock(mutex_);
  if (lost_.ok()) {
    Error error = lock_.StillHeld();
    if (!error.ok() && error.code() != "LOCK_LOST") {
      return IOStatus::IOError(error.message());  // not remembered: the lock may be visible again later
    }
    lost_ = std::move(error);
  }
  return lost_.ok() ? IOStatus::OK() : IOStatus::IOFenced(lost_.message());
}

IOStatus LockedFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (IOStatus status = CheckHeld(); !status.ok()) {
    return status;
  }
  if (FileSystemWrapper::FileExists(path, options.io_options, debug).ok()) {
    // If the file cannot be removed, opening it below reports the error.
    FileSystemWrapper::DeleteFile(path, options.io_options, debug).PermitUncheckedError();
  }
  return FileSystemWrapper::NewWritableFile(path, options, file, debug);
}

IOStatus LockedFileSystem::CreateDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckHeld();
  return status.ok() ? FileSystemWrapper::CreateDir(path, options, debug) : status;
}

IOStatus LockedFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions& options,
                                              IODebugContext* debug) {
  IOStatus status = CheckHeld();
  return status.ok() ? FileSystemWrapper::CreateDirIfMissing(path, options, debug) : status;
}

IOStatus LockedFileSystem::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckHeld();
  return status.ok() ? FileSystemWrapper::DeleteFile(path, options, debug) : status;
}

IOStatus LockedFileSystem::DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckHeld();
  return status.ok() ? FileSystemWrapper::DeleteDir(path, options, debug) : status;
}

IOStatus LockedFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                      IODebugContext* debug) {
  IOStatus status = CheckHeld();
  return status.ok() ? FileSystemWrapper::RenameFile(from, to, options, debug) : status;
}

}  // namespace rocksdb_backup
