#include "core/storage/parallel_deletes.h"

#include <system_error>
#include <utility>

namespace rocksdb_backup {

using rocksdb::FileAttributes;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

namespace {
constexpr size_t kMaxThreads = 16;  // the threads wait for the disk, not for a core
constexpr size_t kFilesPerThread = 4;
}  // namespace

ParallelDeletes::ParallelDeletes(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<Operation> operation)
    : FileSystemWrapper(base), operation_(std::move(operation)) {}

ParallelDeletes::~ParallelDeletes() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  for (auto& thread : threads_) {
    thread.join();
  }
}

void ParallelDeletes::Serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) {
      return;
    }
    const std::string path = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    FileSystemWrapper::DeleteFile(path, IOOptions(), nullptr).PermitUncheckedError();
    lock.lock();
    if (--unfinished_ == 0) {
      changed_.notify_all();
    }
  }
}

void ParallelDeletes::Settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return unfinished_ == 0; });
}

IOStatus ParallelDeletes::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  if (operation_->ended()) {
    const std::lock_guard lock(mutex_);
    if (threads_.size() < kMaxThreads && threads_.size() * kFilesPerThread <= waiting_.size()) {
      try {
        threads_.emplace_back([this] { Serve(); });
      } catch (const std::system_error&) {
        // The system has no more threads. The existing threads do the work, or this thread does.
      }
    }
    if (!threads_.empty()) {
      waiting_.push_back(path);
      ++unfinished_;
      changed_.notify_all();
      return IOStatus::OK();
    }
  }
  return FileSystemWrapper::DeleteFile(path, options, debug);
}

IOStatus ParallelDeletes::DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  Settle();
  return FileSystemWrapper::DeleteDir(path, options, debug);
}

IOStatus ParallelDeletes::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                     IODebugContext* debug) {
  Settle();
  return FileSystemWrapper::RenameFile(from, to, options, debug);
}

IOStatus ParallelDeletes::FileExists(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  Settle();
  return FileSystemWrapper::FileExists(path, options, debug);
}

IOStatus ParallelDeletes::GetChildren(const std::string& path, const IOOptions& options,
                                      std::vector<std::string>* children, IODebugContext* debug) {
  Settle();
  return FileSystemWrapper::GetChildren(path, options, children, debug);
}

IOStatus ParallelDeletes::GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                                    std::vector<FileAttributes>* children, IODebugContext* debug) {
  Settle();
  return FileSystemWrapper::GetChildrenFileAttributes(path, options, children, debug);
}

}  // namespace rocksdb_backup
