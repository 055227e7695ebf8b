#include "core/storage/local_fs.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/paths.h"
#include "core/storage/directories.h"

namespace rocksdb_backup {
namespace {

namespace fs = std::filesystem;
using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

IOStatus Outside(const std::string& path) {
  return IOStatus::Corruption(path + " leads out of the repository by a link, and is not followed");
}

// Whether a file may be deleted is a question of the directory that it lies in.
IOStatus WhyNotDeleted(const std::string& path, IOStatus status) {
  const std::string denial = status.IsIOError() ? Denial(ParentOf(CleanPath(path)), Wanted::kToWrite) : "";
  return denial.empty() ? std::move(status) : IOStatus::IOError("cannot delete " + path, denial);
}

}  // namespace

bool LocalFileSystem::IsWithin(const std::string& real) const {
  std::error_code error;
  const fs::path directory = fs::canonical(directory_, error);
  return !error && (real == directory || IsInside(real, directory.string()));
}

// A path that does not exist leads nowhere and passes.
IOStatus LocalFileSystem::CheckDirectory(const std::string& path) {
  const std::string clean = CleanPath(path);
  {
    const std::lock_guard lock(mutex_);
    if (within_.contains(clean)) {
      return IOStatus::OK();
    }
  }
  std::error_code error;
  const fs::path real = fs::canonical(clean, error);
  if (error == std::errc::too_many_symbolic_link_levels) {
    return IOStatus::Corruption(clean + " is a link in a circle");
  }
  if (error) {
    return IOStatus::OK();
  }
  if (!IsWithin(real.string())) {
    return Outside(clean);
  }
  if (!fs::is_directory(real, error) && !error) {
    return IOStatus::Corruption(clean + " is no directory");
  }
  const std::lock_guard lock(mutex_);
  within_.insert(clean);
  return IOStatus::OK();
}

IOStatus LocalFileSystem::CheckParent(const std::string& path) { return CheckDirectory(ParentOf(CleanPath(path))); }

IOStatus LocalFileSystem::CheckFile(const std::string& path) {
  if (IOStatus status = CheckParent(path); !status.ok()) {
    return status;
  }
  std::error_code error;
  const fs::file_status link = fs::symlink_status(path, error);
  if (fs::is_symlink(link)) {
    const fs::path real = fs::canonical(path, error);
    if (!error && !IsWithin(real.string())) {
      return Outside(path);
    }
    if (error == std::errc::too_many_symbolic_link_levels) {
      return IOStatus::Corruption(path + " is a link in a circle");
    }
  }
  const fs::file_type type = fs::is_symlink(link) ? fs::status(path, error).type() : link.type();
  switch (type) {
    case fs::file_type::directory:
      return IOStatus::Corruption(path + " is a directory");
    case fs::file_type::fifo:
    case fs::file_type::socket:
    case fs::file_type::character:
    case fs::file_type::block:
      return IOStatus::Corruption(path + " is no plain file");
    default:
      return IOStatus::OK();
  }
}

IOStatus LocalFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* file, IODebugContext* debug) {
  if (IOStatus status = CheckFile(path); !status.ok()) {
    return status;
  }
  std::error_code error;
  const bool is_link = fs::is_symlink(fs::symlink_status(path, error));
  if (is_link && (fs::status(path, error).type() == fs::file_type::not_found ||
                  error == std::errc::too_many_symbolic_link_levels)) {
    return IOStatus::Corruption(path + " is a link that leads nowhere");
  }
  return Looked(path, FileSystemWrapper::NewSequentialFile(path, options, file, debug));
}

IOStatus LocalFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                              IODebugContext* debug) {
  IOStatus status = CheckFile(path);
  return status.ok() ? Looked(path, FileSystemWrapper::NewRandomAccessFile(path, options, file, debug)) : status;
}

IOStatus LocalFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (IOStatus status = CheckParent(path); !status.ok()) {
    return status;
  }
  std::error_code error;
  if (const fs::file_status there = fs::symlink_status(path, error); fs::exists(there) && !fs::is_regular_file(there)) {
    return IOStatus::IOError("cannot be written, because something that is not a file is there; remove it: " + path);
  }
  return FileSystemWrapper::NewWritableFile(path, options, file, debug);
}

IOStatus LocalFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* debug) {
  IOStatus status = CheckDirectory(path);
  return status.ok() ? Looked(path, FileSystemWrapper::NewDirectory(path, options, directory, debug)) : status;
}

IOStatus LocalFileSystem::FileExists(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  return Looked(path, FileSystemWrapper::FileExists(path, options, debug));
}

IOStatus LocalFileSystem::GetFileSize(const std::string& path, const IOOptions& options, uint64_t* size,
                                      IODebugContext* debug) {
  IOStatus status = CheckFile(path);
  return status.ok() ? Looked(path, FileSystemWrapper::GetFileSize(path, options, size, debug)) : status;
}

IOStatus LocalFileSystem::IsDirectory(const std::string& path, const IOOptions& /*options*/, bool* is_directory,
                                      IODebugContext* /*debug*/) {
  std::error_code error;
  const fs::file_status found = fs::symlink_status(path, error);
  *is_directory = fs::is_directory(found);
  if (found.type() == fs::file_type::not_found) {
    return IOStatus::NotFound(path);
  }
  return error ? Looked(path, IOStatus::IOError("cannot look at " + path, error.message())) : IOStatus::OK();
}

IOStatus LocalFileSystem::GetChildren(const std::string& path, const IOOptions& options,
                                      std::vector<std::string>* children, IODebugContext* debug) {
  IOStatus status = CheckDirectory(path);
  return status.ok() ? Looked(path, FileSystemWrapper::GetChildren(path, options, children, debug)) : status;
}

// What is no plain file inside the repository, such as a folder of somebody else, is left out. What cannot be looked at
// fails the listing.
IOStatus LocalFileSystem::GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                                    std::vector<rocksdb::FileAttributes>* children,
                                                    IODebugContext* debug) {
  std::vector<std::string> names;
  children->clear();
  IOStatus status = GetChildren(path, options, &names, debug);
  for (auto& name : names) {
    if (!status.ok()) {
      break;
    }
    uint64_t size = 0;
    status = GetFileSize(path + "/" + name, options, &size, debug);
    if (status.ok()) {
      children->push_back({std::move(name), size});
    } else if (status.IsNotFound() || status.IsPathNotFound() || status.IsCorruption()) {
      status = IOStatus::OK();
    }
  }
  return status;
}

IOStatus LocalFileSystem::CreateDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckParent(path);
  return status.ok() ? FileSystemWrapper::CreateDir(path, options, debug) : status;
}

IOStatus LocalFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  // A BackupEngine also makes the repository's directory itself, whose parent is not ours.
  IOStatus status = CleanPath(path) == directory_ ? IOStatus::OK() : CheckParent(path);
  return status.ok() ? FileSystemWrapper::CreateDirIfMissing(path, options, debug) : status;
}

// No BackupEngine uses these, and they are not checked.
IOStatus LocalFileSystem::ReopenWritableFile(const std::string& path, const FileOptions& /*options*/,
                                             std::unique_ptr<rocksdb::FSWritableFile>* /*file*/,
                                             IODebugContext* /*debug*/) {
  return IOStatus::NotSupported("writing to the end of " + path);
}

IOStatus LocalFileSystem::NewRandomRWFile(const std::string& path, const FileOptions& /*options*/,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* /*file*/,
                                          IODebugContext* /*debug*/) {
  return IOStatus::NotSupported("writing into " + path);
}

IOStatus LocalFileSystem::LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                                   IODebugContext* debug) {
  for (const std::string* path : {&from, &to}) {
    if (IOStatus status = CheckParent(*path); !status.ok()) {
      return status;
    }
  }
  return FileSystemWrapper::LinkFile(from, to, options, debug);
}

IOStatus LocalFileSystem::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckParent(path);
  if (!status.ok()) {
    return status;
  }
  // What lies behind a link in the place of a backup's private directory belongs to another backup.
  std::error_code error;
  const std::string parent = ParentOf(CleanPath(path));
  if (ParentOf(parent) == PrivateDirectory(directory_) && fs::is_symlink(fs::symlink_status(parent, error))) {
    return IOStatus::Corruption(parent + " is a link");
  }
  status = FileSystemWrapper::DeleteFile(path, options, debug);
  if (status.IsIOError() && fs::is_directory(fs::symlink_status(path, error))) {
    return IOStatus::Corruption(path + " is a directory");
  }
  return WhyNotDeleted(path, std::move(status));
}

IOStatus LocalFileSystem::DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckParent(path);
  if (!status.ok()) {
    return status;
  }
  status = FileSystemWrapper::DeleteDir(path, options, debug);
  std::error_code error;
  const fs::file_status there = fs::symlink_status(CleanPath(path), error);
  if (status.IsIOError() && fs::exists(there) && !fs::is_directory(there)) {
    return IOStatus::Corruption(path + " is no directory");
  }
  return WhyNotDeleted(path, std::move(status));
}

IOStatus LocalFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                     IODebugContext* debug) {
  for (const std::string* path : {&from, &to}) {
    if (IOStatus status = CheckParent(*path); !status.ok()) {
      return status;
    }
  }
  return FileSystemWrapper::RenameFile(from, to, options, debug);
}

}  // namespace rocksdb_backup
