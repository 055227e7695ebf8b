#include "core/backup/observed_fs.h"

#include <optional>
#include <utility>

#include "core/base/paths.h"
#include "core/storage/directories.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSRandomAccessFile;
using rocksdb::FSSequentialFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What a wrapped file needs: the operation, which counts bytes and says whether to stop, and whether this file counts.
struct Watch {
  std::shared_ptr<Operation> operation;
  bool counts;
  std::string path;
  bool skips_syncs = false;
};

class RandomAccessFile : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  RandomAccessFile(std::unique_ptr<FSRandomAccessFile> target, std::shared_ptr<Operation> operation)
      : FSRandomAccessFileOwnerWrapper(std::move(target)), operation_(std::move(operation)) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    return operation_->ended() ? StoppedStatus()
                               : FSRandomAccessFileOwnerWrapper::Read(offset, n, options, result, scratch, debug);
  }

 private:
  const std::shared_ptr<Operation> operation_;
};

class WritableFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WritableFile(std::unique_ptr<FSWritableFile> target, Watch watch)
      : FSWritableFileOwnerWrapper(std::move(target)), watch_(std::move(watch)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return Counted([&] { return FSWritableFileOwnerWrapper::Append(data, options, debug); });
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    return Counted([&] { return FSWritableFileOwnerWrapper::Append(data, options, info, debug); });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Synced([&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Synced([&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = FSWritableFileOwnerWrapper::Close(options, debug);
    if (status.ok() && watch_.counts && !closed_) {
      closed_ = true;
      CountBytes();
      watch_.operation->AddFile(watch_.path);
    }
    return status;
  }

 private:
  template <class Sync>
  IOStatus Synced(Sync sync) {
    return watch_.operation->ended() ? StoppedStatus() : watch_.skips_syncs ? IOStatus::OK() : sync();
  }
  template <class Write>
  IOStatus Counted(Write write) {
    if (watch_.operation->ended()) {
      return StoppedStatus();
    }
    IOStatus status = write();
    if (status.ok() && watch_.counts) {
      CountBytes();
    }
    return status;
  }
  // A store may have taken less than was appended.
  void CountBytes() {
    const uint64_t size = FSWritableFileOwnerWrapper::GetFileSize(IOOptions(), nullptr);
    if (size > counted_) {
      watch_.operation->AddBytes(watch_.path, size - counted_);
      counted_ = size;
    }
  }

  const Watch watch_;
  uint64_t counted_ = 0;
  bool closed_ = false;
};

// Meta files are RocksDB's own bookkeeping. They are written or read beside the data and do not count towards the size
// of a backup.
bool IsMetaFile(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash != std::string::npos && slash >= 5 && path.compare(slash - 5, 5, "/meta") == 0;
}

IOStatus SyncFailure(const std::string& directory, IOStatus status) {
  if (!status.IsIOError()) {
    return status;
  }
  const std::string what = "syncing the directory " + directory;
  const char* why = status.getState() != nullptr ? status.getState() : "";
  return status.IsNoSpace() ? IOStatus::NoSpace(what, why) : IOStatus::IOError(what, why);
}

}  // namespace

IOStatus SyncNames(rocksdb::FileSystem& storage, const std::string& directory) {
  std::unique_ptr<rocksdb::FSDirectory> opened;
  IOStatus status = storage.NewDirectory(directory, IOOptions(), &opened, nullptr);
  if (status.ok()) {
    status = SyncFailure(directory, opened->FsyncWithDirOptions(IOOptions(), nullptr, rocksdb::DirFsyncOptions()));
  }
  return status;
}

IOStatus StoppedStatus() { return rocksdb::status_to_io_status(rocksdb::Status::Incomplete("stopped on request")); }

ObservedFileSystem::ObservedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base,
                                       std::shared_ptr<Operation> operation, Count count, FileObserver* observer)
    : FileSystemWrapper(base), operation_(std::move(operation)), count_(count), observer_(observer) {}

IOStatus ObservedFileSystem::Failures::Note(IOStatus status) {
  if (!status.ok() && !status.IsNotFound() && !status.IsPathNotFound()) {
    const std::lock_guard lock(mutex);
    if (first.ok()) {
      first = status;
    }
  }
  return status;
}

void ObservedFileSystem::ForgetFailure() {
  const std::lock_guard lock(failures_->mutex);
  failures_->first = IOStatus::OK();
}

class ObservedFileSystem::SequentialFile : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  SequentialFile(std::unique_ptr<FSSequentialFile> target, Watch watch, std::shared_ptr<Failures> failures,
                 std::optional<uint64_t> expected_size)
      : FSSequentialFileOwnerWrapper(std::move(target)),
        watch_(std::move(watch)),
        failures_(std::move(failures)),
        expected_size_(expected_size) {}

  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch, IODebugContext* debug) override {
    if (watch_.operation->ended()) {
      return StoppedStatus();
    }
    IOStatus status = FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, debug);
    if (!status.ok()) {
      return failures_->Note(std::move(status));
    }
    size_ += result->size();
    if (result->empty() && n > 0 && size_ < expected_size_.value_or(0)) {
      return failures_->Note(IOStatus::IOError(watch_.path, "ended after " + std::to_string(size_) + " of its " +
                                                                std::to_string(*expected_size_) + " bytes"));
    }
    if (watch_.counts) {
      if (!result->empty()) {
        watch_.operation->AddBytes(watch_.path, result->size());
      } else if (!ended_ && n > 0) {
        ended_ = true;
        watch_.operation->AddFile(watch_.path);
      }
    }
    return status;
  }

 private:
  const Watch watch_;
  const std::shared_ptr<Failures> failures_;
  const std::optional<uint64_t> expected_size_;
  uint64_t size_ = 0;
  bool ended_ = false;
};

class ObservedFileSystem::Directory : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory> target, std::string path, bool skips_syncs)
      : FSDirectoryWrapper(std::move(target)), path_(std::move(path)), skips_syncs_(skips_syncs) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return skips_syncs_ ? IOStatus::OK() : SyncFailure(path_, FSDirectoryWrapper::Fsync(options, debug));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& how) override {
    return skips_syncs_ ? IOStatus::OK()
                        : SyncFailure(path_, FSDirectoryWrapper::FsyncWithDirOptions(options, debug, how));
  }

 private:
  const std::string path_;
  const bool skips_syncs_;
};

void ObservedFileSystem::ExpectSize(const std::string& path, uint64_t size) {
  const std::lock_guard lock(mutex_);
  expected_sizes_[CleanPath(path)] = size;
}

IOStatus ObservedFileSystem::failure() const {
  const std::lock_guard lock(failures_->mutex);
  return failures_->first;
}

IOStatus ObservedFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                               std::unique_ptr<FSSequentialFile>* file, IODebugContext* debug) {
  if (operation_->ended()) {
    return StoppedStatus();
  }
  IOStatus status = FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  if (status.ok()) {
    const bool counts = count_ == Count::kReads && !IsMetaFile(path);
    std::optional<uint64_t> expected_size;
    {
      const std::lock_guard lock(mutex_);
      const auto expected = expected_sizes_.find(CleanPath(path));
      if (expected != expected_sizes_.end()) {
        expected_size = expected->second;
      }
    }
    *file =
        std::make_unique<SequentialFile>(std::move(*file), Watch{operation_, counts, path}, failures_, expected_size);
  }
  return failures_->Note(std::move(status));
}

IOStatus ObservedFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                                 std::unique_ptr<FSRandomAccessFile>* file, IODebugContext* debug) {
  if (operation_->ended()) {
    return StoppedStatus();
  }
  IOStatus status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
  if (status.ok()) {
    *file = std::make_unique<RandomAccessFile>(std::move(*file), operation_);
  }
  return status;
}

IOStatus ObservedFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                             std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) {
  if (operation_->ended()) {
    return StoppedStatus();
  }
  const bool counts = count_ == Count::kWrites && !IsMetaFile(path);
  if (counts && observer_ != nullptr) {
    observer_->OnCreate(path);
  }
  if (count_ == Count::kWrites && IsMetaFile(path)) {
    operation_->SetPhase(Phase::kCommit);  // the data is written; what makes it a backup comes next
  }
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  if (status.ok()) {
    *file = std::make_unique<WritableFile>(std::move(*file), Watch{operation_, counts, path, skips_syncs_});
  } else if (status.IsPathNotFound()) {
    // RocksDB before 10.5.1 takes PathNotFound here for "try the source again", and then uses a file that it does not
    // have.
    status = IOStatus::IOError("directory is missing for " + path);
  }
  return status;
}

IOStatus ObservedFileSystem::FileExists(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::FileExists(path, options, debug);
  if (status.ok() && observer_ != nullptr) {
    observer_->OnFound(path);
  }
  return failures_->Note(std::move(status));
}

IOStatus ObservedFileSystem::GetFileSize(const std::string& path, const IOOptions& options, uint64_t* size,
                                         IODebugContext* debug) {
  return failures_->Note(FileSystemWrapper::GetFileSize(path, options, size, debug));
}

IOStatus ObservedFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                          std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewDirectory(path, options, directory, debug);
  if (status.ok()) {
    *directory = std::make_unique<Directory>(std::move(*directory), CleanPath(path), skips_syncs_);
  }
  return failures_->Note(std::move(status));
}

IOStatus ObservedFileSystem::GetChildren(const std::string& path, const IOOptions& options,
                                         std::vector<std::string>* children, IODebugContext* debug) {
  return failures_->Note(Looked(path, FileSystemWrapper::GetChildren(path, options, children, debug)));
}

IOStatus ObservedFileSystem::GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                                       std::vector<rocksdb::FileAttributes>* children,
                                                       IODebugContext* debug) {
  return failures_->Note(Looked(path, FileSystemWrapper::GetChildrenFileAttributes(path, options, children, debug)));
}

}  // namespace rocksdb_backup
