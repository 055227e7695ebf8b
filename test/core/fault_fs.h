#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/operation.h"
#include "core/base/paths.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup::test {

// The file system below each FaultFileSystem, unless the test gives another one.
inline std::shared_ptr<rocksdb::FileSystem>& BaseOfFaults() {
  static auto* const base = new std::shared_ptr<rocksdb::FileSystem>(rocksdb::FileSystem::Default());
  return *base;
}

// A file system that fails on demand, reports each operation, and has as much free space as the test wants.
class FaultFileSystem : public rocksdb::FileSystemWrapper {
 public:
  enum Kind {
    kOpenRead,
    kRead,
    kOpenWrite,
    kAppend,
    kSync,
    kClose,
    kRename,
    kDelete,
    kMakeDir,
    kList,
    kExists,
    kSize,
    kKinds
  };
  static constexpr const char* kNames[] = {"open to read", "read",   "open to write",  "append", "sync",   "close",
                                           "rename",       "delete", "make directory", "list",   "exists", "size"};
  enum class Fault {
    kIoError,
    kNoSpace,
    kDenied,
    kShortRead,  // a read returns half of what was asked for; the next read returns the rest
    kEarlyEnd,   // a read reports the end of the file
    kDelay
  };
  // Called before every operation. If it does not return OK, the operation fails with that status.
  using Hook = std::function<rocksdb::IOStatus(Kind, const std::string& path)>;

  explicit FaultFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base = BaseOfFaults())
      : FileSystemWrapper(base) {}

  static const char* kClassName() { return "FaultFileSystem"; }
  const char* Name() const override { return kClassName(); }

  void SetHook(Hook hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }

  // Called after every rename, delete, close and creation of a directory. If it does not return OK, the operation was
  // done and still fails with that status, like an operation whose answer is lost.
  void SetAnswer(Hook answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  // Listings omit this path, like a storage whose listings are late. Empty: no path.
  void HideFromListings(std::string path) {
    const std::lock_guard lock(mutex_);
    hidden_ = std::move(path);
  }

  // Only the nth operation of this kind from now on fails.
  void FailNth(Kind kind, int nth, Fault fault = Fault::kIoError) {
    auto left = std::make_shared<std::atomic<int>>(nth);
    failed_ = false;
    SetHook([this, kind, left, fault](Kind done, const std::string& path) {
      if (done != kind || --*left != 0) {
        return rocksdb::IOStatus::OK();
      }
      {
        const std::lock_guard lock(mutex_);
        failed_path_ = path;
      }
      failed_ = true;
      return Fail(fault, std::string("injected failure of ") + kNames[kind] + ": " + path);
    });
  }
  bool failed() const { return failed_; }
  std::string failed_path() {
    const std::lock_guard lock(mutex_);
    return failed_path_;
  }

  // Counts the operations from now on.
  void Count() {
    for (auto& count : counts_) {
      count = 0;
    }
    SetHook([this](Kind kind, const std::string&) {
      ++counts_[kind];
      return rocksdb::IOStatus::OK();
    });
  }
  int count(Kind kind) const { return counts_[kind]; }
  int total() const {
    int total = 0;
    for (const auto& count : counts_) {
      total += count;
    }
    return total;
  }
  void Heal() {
    SetHook({});
    SetAnswer({});
    HideFromListings("");
  }

  // The errors as RocksDB's own file system words them.
  static rocksdb::IOStatus Fail(Fault fault, const std::string& what) {
    switch (fault) {
      case Fault::kIoError:
        return rocksdb::IOStatus::IOError(what, "Input/output error");
      case Fault::kNoSpace:
        return rocksdb::IOStatus::NoSpace(what, "No space left on device");
      case Fault::kDenied:
        return rocksdb::IOStatus::IOError(what, "Permission denied");
      case Fault::kShortRead:
      case Fault::kEarlyEnd:
        next_read_ = fault;
        break;
      case Fault::kDelay:
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        break;
    }
    return rocksdb::IOStatus::OK();
  }

  std::atomic<bool> knows_free_space{true};
  std::atomic<uint64_t> free_space{uint64_t{1} << 60};

  rocksdb::IOStatus GetFreeSpace(const std::string&, const rocksdb::IOOptions&, uint64_t* free,
                                 rocksdb::IODebugContext*) override {
    *free = free_space;
    return knows_free_space ? rocksdb::IOStatus::OK() : rocksdb::IOStatus::NotSupported("free space");
  }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kOpenRead, path);
    if (status.ok()) {
      status = FileSystemWrapper::NewSequentialFile(path, options, file, debug);
    }
    if (status.ok()) {
      *file = std::make_unique<SequentialFile>(std::move(*file), this, path);
    }
    return status;
  }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kOpenRead, path);
    if (status.ok()) {
      status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
    }
    if (status.ok()) {
      *file = std::make_unique<RandomAccessFile>(std::move(*file), this, path);
    }
    return status;
  }

  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kOpenRead, path);
    if (status.ok()) {
      status = FileSystemWrapper::NewDirectory(path, options, directory, debug);
    }
    if (status.ok()) {
      *directory = std::make_unique<Directory>(std::move(*directory), this, path);
    }
    return status;
  }

  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kSize, path);
    return status.ok() ? FileSystemWrapper::GetFileSize(path, options, size, debug) : status;
  }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kOpenWrite, path);
    if (status.ok()) {
      status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    }
    if (status.ok()) {
      *file = std::make_unique<WritableFile>(std::move(*file), this, path);
    }
    return status;
  }

  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kRename, to);
    return status.ok() ? Answer(kRename, to, FileSystemWrapper::RenameFile(from, to, options, debug)) : status;
  }
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kDelete, path);
    return status.ok() ? Answer(kDelete, path, FileSystemWrapper::DeleteFile(path, options, debug)) : status;
  }
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kDelete, path);
    return status.ok() ? FileSystemWrapper::DeleteDir(path, options, debug) : status;
  }
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kMakeDir, path);
    return status.ok() ? FileSystemWrapper::CreateDir(path, options, debug) : status;
  }
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kMakeDir, path);
    return status.ok() ? Answer(kMakeDir, path, FileSystemWrapper::CreateDirIfMissing(path, options, debug)) : status;
  }
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* names, rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kList, path);
    if (status.ok()) {
      status = FileSystemWrapper::GetChildren(path, options, names, debug);
      std::erase_if(*names, [&](const std::string& name) { return IsHidden(path + "/" + name); });
    }
    return status;
  }
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* files,
                                              rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kList, path);
    if (status.ok()) {
      status = FileSystemWrapper::GetChildrenFileAttributes(path, options, files, debug);
      std::erase_if(*files, [&](const auto& file) { return IsHidden(path + "/" + file.name); });
    }
    return status;
  }
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = Do(kExists, path);
    return status.ok() ? FileSystemWrapper::FileExists(path, options, debug) : status;
  }

 private:
  class SequentialFile : public rocksdb::FSSequentialFileOwnerWrapper {
   public:
    SequentialFile(std::unique_ptr<rocksdb::FSSequentialFile> target, FaultFileSystem* fs, std::string path)
        : FSSequentialFileOwnerWrapper(std::move(target)), fs_(fs), path_(std::move(path)) {}
    rocksdb::IOStatus Read(size_t n, const rocksdb::IOOptions& options, rocksdb::Slice* result, char* scratch,
                           rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = fs_->Do(kRead, path_);
      if (status.ok()) {
        status = FSSequentialFileOwnerWrapper::Read(fs_->ReadSize(n), options, result, scratch, debug);
      }
      return status;
    }

   private:
    FaultFileSystem* const fs_;
    const std::string path_;
  };

  class RandomAccessFile : public rocksdb::FSRandomAccessFileOwnerWrapper {
   public:
    RandomAccessFile(std::unique_ptr<rocksdb::FSRandomAccessFile> target, FaultFileSystem* fs, std::string path)
        : FSRandomAccessFileOwnerWrapper(std::move(target)), fs_(fs), path_(std::move(path)) {}
    rocksdb::IOStatus Read(uint64_t offset, size_t n, const rocksdb::IOOptions& options, rocksdb::Slice* result,
                           char* scratch, rocksdb::IODebugContext* debug) const override {
      rocksdb::IOStatus status = fs_->Do(kRead, path_);
      if (status.ok()) {
        status = FSRandomAccessFileOwnerWrapper::Read(offset, fs_->ReadSize(n), options, result, scratch, debug);
      }
      return status;
    }
    rocksdb::IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const rocksdb::IOOptions& options,
                                rocksdb::IODebugContext* debug) override {
      for (size_t i = 0; i < count; ++i) {
        rocksdb::FSReadRequest& request = requests[i];
        request.status = Read(request.offset, request.len, options, &request.result, request.scratch, debug);
      }
      return rocksdb::IOStatus::OK();
    }

   private:
    FaultFileSystem* const fs_;
    const std::string path_;
  };

  class Directory : public rocksdb::FSDirectoryWrapper {
   public:
    Directory(std::unique_ptr<rocksdb::FSDirectory> target, FaultFileSystem* fs, std::string path)
        : FSDirectoryWrapper(std::move(target)), fs_(fs), path_(std::move(path)) {}
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = fs_->Do(kSync, path_);
      return status.ok() ? FSDirectoryWrapper::Fsync(options, debug) : status;
    }
    rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                                          const rocksdb::DirFsyncOptions& how) override {
      rocksdb::IOStatus status = fs_->Do(kSync, path_);
      return status.ok() ? FSDirectoryWrapper::FsyncWithDirOptions(options, debug, how) : status;
    }

   private:
    FaultFileSystem* const fs_;
    const std::string path_;
  };

  class WritableFile : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    WritableFile(std::unique_ptr<rocksdb::FSWritableFile> target, FaultFileSystem* fs, std::string path)
        : FSWritableFileOwnerWrapper(std::move(target)), fs_(fs), path_(std::move(path)) {}
    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = fs_->Do(kAppend, path_);
      return status.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug) : status;
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& info, rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = fs_->Do(kAppend, path_);
      return status.ok() ? FSWritableFileOwnerWrapper::Append(data, options, info, debug) : status;
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = fs_->Do(kSync, path_);
      return status.ok() ? FSWritableFileOwnerWrapper::Sync(options, debug) : status;
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = fs_->Do(kSync, path_);
      return status.ok() ? FSWritableFileOwnerWrapper::Fsync(options, debug) : status;
    }
    rocksdb::IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status = fs_->Do(kClose, path_);
      return status.ok() ? fs_->Answer(kClose, path_, FSWritableFileOwnerWrapper::Close(options, debug)) : status;
    }

   private:
    FaultFileSystem* const fs_;
    const std::string path_;
  };

  // The number of bytes to read.
  static size_t ReadSize(size_t n) {
    switch (std::exchange(next_read_, Fault::kIoError)) {
      case Fault::kShortRead:
        return n > 1 ? n / 2 : n;
      case Fault::kEarlyEnd:
        return 0;
      default:
        return n;
    }
  }

  rocksdb::IOStatus Do(Kind kind, const std::string& path) {
    Hook hook;
    {
      const std::lock_guard lock(mutex_);
      hook = hook_;
    }
    return hook ? hook(kind, path) : rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus Answer(Kind kind, const std::string& path, rocksdb::IOStatus status) {
    Hook answer;
    {
      const std::lock_guard lock(mutex_);
      answer = answer_;
    }
    return status.ok() && answer ? answer(kind, path) : status;
  }

  bool IsHidden(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return !hidden_.empty() && CleanPath(path) == hidden_;
  }

  std::mutex mutex_;
  Hook hook_;
  Hook answer_;
  std::string hidden_;
  std::string failed_path_;
  std::atomic<bool> failed_{false};
  static inline thread_local Fault next_read_ = Fault::kIoError;  // between Do() and the read that it allowed
  std::array<std::atomic<int>, kKinds> counts_{};
};

// Runs `work`. Another thread stops its operation after `after` operations on the storage, so the moment depends on no
// clock. 0: before the work begins. kAfterTheWork: when the work is done. Returns the result of RequestStop().
constexpr int kAfterTheWork = std::numeric_limits<int>::max();

template <class Work>
bool StopMeanwhile(FaultFileSystem& storage, Operation& operation, int after, Work work) {
  storage.Count();
  std::atomic<bool> ended{false};
  std::atomic<bool> promised{after == 0 && operation.RequestStop()};
  std::thread stopper([&] {
    while (!ended && storage.total() < after) {
      std::this_thread::yield();
    }
    if (after != 0) {
      promised = operation.RequestStop();
    }
  });
  work();
  ended = true;
  stopper.join();
  storage.Heal();
  return promised;
}

// One moment for StopMeanwhile for each round: before the work, after it, and random moments in between.
inline std::vector<int> MomentsToStop(int rounds, int operations, uint64_t random) {
  std::vector<int> moments = {0, kAfterTheWork};
  while (static_cast<int>(moments.size()) < rounds) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    moments.push_back(static_cast<int>((random >> 33) % static_cast<uint64_t>(operations)));
  }
  return moments;
}

}  // namespace rocksdb_backup::test
