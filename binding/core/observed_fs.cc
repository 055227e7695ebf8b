#include "core/observed_fs.h"

#include <utility>

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

// A pointer to the operation where this file's bytes count, and where to ask about stopping.
struct Watch {
  std::shared_ptr<Operation> operation;
  bool counts;
  std::string path;
};

class SequentialFile : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  SequentialFile(std::unique_ptr<FSSequentialFile> target, Watch watch)
      : FSSequentialFileOwnerWrapper(std::move(target)), watch_(std::move(watch)) {}

  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch, IODebugContext* debug) override {
    if (watch_.operation->ended()) {
      return StoppedStatus();
    }
    IOStatus status = FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, debug);
    if (status.ok() && watch_.counts) {
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
  bool ended_ = false;
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
    return Counted(data.size(), [&] { return FSWritableFileOwnerWrapper::Append(data, options, debug); });
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    return Counted(data.size(), [&] { return FSWritableFileOwnerWrapper::Append(data, options, info, debug); });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return watch_.operation->ended() ? StoppedStatus() : FSWritableFileOwnerWrapper::Sync(options, debug);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return watch_.operation->ended() ? StoppedStatus() : FSWritableFileOwnerWrapper::Fsync(options, debug);
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = FSWritableFileOwnerWrapper::Close(options, debug);
    if (status.ok() && watch_.counts && !closed_) {
      closed_ = true;
      watch_.operation->AddFile(watch_.path);
    }
    return status;
  }

 private:
  template <class Write>
  IOStatus Counted(size_t bytes, Write write) {
    if (watch_.operation->ended()) {
      return StoppedStatus();
    }
    IOStatus status = write();
    if (status.ok() && watch_.counts) {
      watch_.operation->AddBytes(watch_.path, bytes);
    }
    return status;
  }

  const Watch watch_;
  bool closed_ = false;
};

// The engine's own bookkeeping: written or read beside the data, and not part of a backup's size.
bool IsMetaFile(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash != std::string::npos && slash >= 5 && path.compare(slash - 5, 5, "/meta") == 0;
}

}  // namespace

IOStatus StoppedStatus() { return rocksdb::status_to_io_status(rocksdb::Status::Incomplete("stopped on request")); }

ObservedFileSystem::ObservedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base,
                                       std::shared_ptr<Operation> operation, Count count, FileObserver* observer)
    : FileSystemWrapper(base), operation_(std::move(operation)), count_(count), observer_(observer) {}

IOStatus ObservedFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                               std::unique_ptr<FSSequentialFile>* file, IODebugContext* debug) {
  if (operation_->ended()) {
    return StoppedStatus();
  }
  IOStatus status = FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  if (status.ok()) {
    const bool counts = count_ == Count::kReads && !IsMetaFile(path);
    *file = std::make_unique<SequentialFile>(std::move(*file), Watch{operation_, counts, path});
  }
  return status;
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
    operation_->SetPhase(Phase::kCommit);  // the data is there; what makes it a backup follows
  }
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  if (status.ok()) {
    *file = std::make_unique<WritableFile>(std::move(*file), Watch{operation_, counts, path});
  } else if (status.IsPathNotFound()) {
    // Engines before 10.5.1 take PathNotFound here for "try the source again" and then use a file they do not have.
    status = IOStatus::IOError("directory is missing for " + path);
  }
  return status;
}

IOStatus ObservedFileSystem::FileExists(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::FileExists(path, options, debug);
  if (status.ok() && observer_ != nullptr) {
    observer_->OnFound(path);
  }
  return status;
}

}  // namespace rocksdb_backup
