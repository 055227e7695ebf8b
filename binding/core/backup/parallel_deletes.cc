#include "core/backup/parallel_deletes.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace rocksdb_backup {
namespace {

using rocksdb::FileAttributes;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr size_t kMaxThreads = 16;  // the threads wait for the disk, not for a core
constexpr size_t kFilesPerThread = 4;

class ParallelDeletes final : public rocksdb::FileSystemWrapper {
 public:
  ParallelDeletes(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<Operation> operation)
      : FileSystemWrapper(base), operation_(std::move(operation)) {}
  ~ParallelDeletes() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      changed_.notify_all();
    }
    for (auto& thread : threads_) {
      thread.join();
    }
  }
  ParallelDeletes(const ParallelDeletes&) = delete;
  ParallelDeletes& operator=(const ParallelDeletes&) = delete;

  const char* Name() const override { return "ParallelDeletes"; }

  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
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

  IOStatus DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    Settle();
    return FileSystemWrapper::DeleteDir(path, options, debug);
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    Settle();
    return FileSystemWrapper::RenameFile(from, to, options, debug);
  }

  IOStatus FileExists(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    Settle();
    return FileSystemWrapper::FileExists(path, options, debug);
  }

  IOStatus GetChildren(const std::string& path, const IOOptions& options, std::vector<std::string>* children,
                       IODebugContext* debug) override {
    Settle();
    return FileSystemWrapper::GetChildren(path, options, children, debug);
  }

  IOStatus GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                     std::vector<FileAttributes>* children, IODebugContext* debug) override {
    Settle();
    return FileSystemWrapper::GetChildrenFileAttributes(path, options, children, debug);
  }

 private:
  void Serve() {
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

  void Settle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return unfinished_ == 0; });
  }

  const std::shared_ptr<Operation> operation_;
  std::mutex mutex_;  // guards all members below
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  size_t unfinished_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> WithParallelDeletes(const std::shared_ptr<rocksdb::FileSystem>& base,
                                                         std::shared_ptr<Operation> operation) {
  return std::make_shared<ParallelDeletes>(base, std::move(operation));
}

}  // namespace rocksdb_backup
