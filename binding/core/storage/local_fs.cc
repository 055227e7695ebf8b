#include "core/storage/local_fs.h"

#include <filesystem>
#include <mutex>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

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

class LocalFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  LocalFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string directory)
      : FileSystemWrapper(base), directory_(std::move(directory)) {}

  const char* Name() const override { return "LocalFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file, IODebugContext* debug) override {
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

  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* file, IODebugContext* debug) override {
    IOStatus status = CheckFile(path);
    return status.ok() ? Looked(path, FileSystemWrapper::NewRandomAccessFile(path, options, file, debug)) : status;
  }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) override {
    if (IOStatus status = CheckParent(path); !status.ok()) {
      return status;
    }
    std::error_code error;
    if (const fs::file_status there = fs::symlink_status(path, error);
        fs::exists(there) && !fs::is_regular_file(there)) {
      return IOStatus::IOError("cannot be written, because something that is not a file is there; remove it: " + path);
    }
    return FileSystemWrapper::NewWritableFile(path, options, file, debug);
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* debug) override {
    IOStatus status = CheckDirectory(path);
    return status.ok() ? Looked(path, FileSystemWrapper::NewDirectory(path, options, directory, debug)) : status;
  }

  IOStatus FileExists(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    return Looked(path, FileSystemWrapper::FileExists(path, options, debug));
  }

  IOStatus GetFileSize(const std::string& path, const IOOptions& options, uint64_t* size,
                       IODebugContext* debug) override {
    IOStatus status = CheckFile(path);
    return status.ok() ? Looked(path, FileSystemWrapper::GetFileSize(path, options, size, debug)) : status;
  }

  IOStatus GetChildren(const std::string& path, const IOOptions& options, std::vector<std::string>* children,
                       IODebugContext* debug) override {
    IOStatus status = CheckDirectory(path);
    return status.ok() ? Looked(path, FileSystemWrapper::GetChildren(path, options, children, debug)) : status;
  }

  // What is no plain file inside the repository, such as a folder of somebody else, is left out. What cannot be looked
  // at fails the listing.
  IOStatus GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                     std::vector<rocksdb::FileAttributes>* children, IODebugContext* debug) override {
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

  IOStatus CreateDir(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = CheckParent(path);
    return status.ok() ? FileSystemWrapper::CreateDir(path, options, debug) : status;
  }

  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    // A BackupEngine also makes the repository's directory itself, whose parent is not ours.
    IOStatus status = CleanPath(path) == directory_ ? IOStatus::OK() : CheckParent(path);
    return status.ok() ? FileSystemWrapper::CreateDirIfMissing(path, options, debug) : status;
  }

  // No BackupEngine uses these, and they are not checked.
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& /*options*/,
                              std::unique_ptr<rocksdb::FSWritableFile>* /*file*/, IODebugContext* /*debug*/) override {
    return IOStatus::NotSupported("writing to the end of " + path);
  }

  IOStatus NewRandomRWFile(const std::string& path, const FileOptions& /*options*/,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* /*file*/, IODebugContext* /*debug*/) override {
    return IOStatus::NotSupported("writing into " + path);
  }

  IOStatus LinkFile(const std::string& from, const std::string& /*to*/, const IOOptions& /*options*/,
                    IODebugContext* /*debug*/) override {
    return IOStatus::NotSupported("linking " + from);
  }

  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = CheckParent(path);
    return status.ok() ? FileSystemWrapper::DeleteFile(path, options, debug) : status;
  }

  IOStatus DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = CheckParent(path);
    return status.ok() ? FileSystemWrapper::DeleteDir(path, options, debug) : status;
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    for (const std::string* path : {&from, &to}) {
      if (IOStatus status = CheckParent(*path); !status.ok()) {
        return status;
      }
    }
    return FileSystemWrapper::RenameFile(from, to, options, debug);
  }

 private:
  bool IsWithin(const std::string& real) const {
    std::error_code error;
    const fs::path directory = fs::canonical(directory_, error);
    return !error && (real == directory || IsInside(real, directory.string()));
  }

  // A path that does not exist leads nowhere and passes.
  IOStatus CheckDirectory(const std::string& path) {
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

  // Checks the directory that a path lies in. The disk is asked only once for each directory.
  IOStatus CheckParent(const std::string& path) { return CheckDirectory(ParentOf(CleanPath(path))); }

  // Checks a path that is about to be read.
  IOStatus CheckFile(const std::string& path) {
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

  const std::string directory_;
  std::mutex mutex_;
  std::unordered_set<std::string> within_;  // directories that are known to lie inside
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> LocalFiles(const std::shared_ptr<rocksdb::FileSystem>& base,
                                                const std::string& directory) {
  return std::make_shared<LocalFileSystem>(base, directory);
}

}  // namespace rocksdb_backup
