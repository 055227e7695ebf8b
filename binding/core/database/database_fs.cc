#include "core/database/database_fs.h"

#include <utility>

#include "core/database/no_wait_fs.h"
#include "core/storage/directories.h"
#include "rocksdb/system_clock.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::FileSystem;
using rocksdb::FSRandomAccessFile;
using rocksdb::FSSequentialFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

thread_local OpenWatch* watch = nullptr;

IOStatus Noted(IOStatus status) {
  if (watch != nullptr) {
    watch->Note(status);
  }
  return status;
}

// RocksDB computes the age of an archived log as its own time minus the log's time, without checking which is greater.
// If the log's time is greater, the log seems so old that RocksDB deletes it, whatever WAL_ttl_seconds is. That happens
// after a clock was set back, and within the second in which a log was written. If the log's time cannot be read, the
// log stays until RocksDB's next check.
bool IsOfTheFuture(uint64_t time) {
  constexpr uint64_t kLongestLook = 2;  // seconds that may have passed since RocksDB read the clock
  int64_t now = 0;
  return rocksdb::SystemClock::Default()->GetCurrentTime(&now).ok() && time + kLongestLook > static_cast<uint64_t>(now);
}

// A file that fails to read if it ends before the size that its directory entry gives.
class WholeFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  WholeFile(std::unique_ptr<FSSequentialFile> target, std::string path, uint64_t size)
      : FSSequentialFileOwnerWrapper(std::move(target)), path_(std::move(path)), size_(size) {}

  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch, IODebugContext* debug) override {
    IOStatus status = FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, debug);
    if (!status.ok()) {
      return status;
    }
    at_ += result->size();
    if (result->size() < n && at_ < size_) {
      return IOStatus::IOError(path_,
                               "ended after " + std::to_string(at_) + " of its " + std::to_string(size_) + " bytes");
    }
    return status;
  }

  IOStatus Skip(uint64_t n) override {
    at_ += n;
    return FSSequentialFileOwnerWrapper::Skip(n);
  }

 private:
  const std::string path_;
  const uint64_t size_;
  uint64_t at_ = 0;
};

class Watched final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "WatchedFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<FSSequentialFile>* file, IODebugContext* debug) override {
    // The size is read before the file is opened: the file may grow in between, but it does not shrink.
    uint64_t size = 0;
    const bool known = watch != nullptr && !options.use_direct_reads &&
                       target()->GetFileSize(path, options.io_options, &size, debug).ok();
    IOStatus status = Looked(path, target()->NewSequentialFile(path, options, file, debug));
    if (status.ok() && known) {
      *file = std::make_unique<WholeFile>(std::move(*file), path, size);
    }
    return Noted(std::move(status));
  }

  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<FSRandomAccessFile>* file, IODebugContext* debug) override {
    return Noted(Looked(path, target()->NewRandomAccessFile(path, options, file, debug)));
  }

  IOStatus LockFile(const std::string& path, const IOOptions& options, rocksdb::FileLock** lock,
                    IODebugContext* debug) override {
    return Looked(path, target()->LockFile(path, options, lock, debug), Wanted::kToWrite);
  }

  IOStatus GetFileModificationTime(const std::string& path, const IOOptions& options, uint64_t* time,
                                   IODebugContext* debug) override {
    IOStatus status = target()->GetFileModificationTime(path, options, time, debug);
    if (status.ok() && path.find("/archive/") != std::string::npos && IsOfTheFuture(*time)) {
      return IOStatus::Busy(path, "was written after the time that the clock shows");
    }
    return status;
  }

  IOStatus GetChildren(const std::string& path, const IOOptions& options, std::vector<std::string>* names,
                       IODebugContext* debug) override {
    return Noted(Looked(path, target()->GetChildren(path, options, names, debug)));
  }
};

}  // namespace

OpenWatch::OpenWatch() { watch = this; }

OpenWatch::~OpenWatch() { watch = nullptr; }

void OpenWatch::Note(const IOStatus& status) {
  if (first_failure_.ok() && status.IsIOError() && !status.IsPathNotFound()) {
    first_failure_ = status;
  }
}

Error OpenWatch::Explain(const rocksdb::Status& status, const std::string& doing) const {
  if (status.ok() || status.IsIOError() || first_failure_.ok()) {
    return Error::From(status, doing);
  }
  return Error::From(first_failure_, doing).And("; RocksDB reports: " + Worded(status));
}

std::shared_ptr<FileSystem> WatchedFileSystem(std::shared_ptr<FileSystem> storage) {
  return std::make_shared<Watched>(std::move(storage));
}

rocksdb::Env* DatabaseEnv() {
  static rocksdb::Env* const env =
      rocksdb::NewCompositeEnv(
          WatchedFileSystem(NoWaitFileSystem() != nullptr ? NoWaitFileSystem() : FileSystem::Default()))
          .release();
  return env;
}

}  // namespace rocksdb_backup
