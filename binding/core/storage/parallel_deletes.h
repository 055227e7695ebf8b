#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/operation.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// After an operation has ended, deletes the files that it made on several threads. The BackupEngine's clean-up deletes
// one file after another, and a file system answers each delete only when its journal is written. 3,000 files took 7
// seconds, so a stopped backup took 7 seconds to stop. In parallel, the deletes take milliseconds.
//
// While the operation runs, deletes are done at once, because their order matters then. Calls that look at a directory,
// or remove one, wait for all earlier deletes, and so does the destructor. If a delete fails, its file is left to the
// next clean-up. The BackupEngine does the same.
class ParallelDeletes : public rocksdb::FileSystemWrapper {
 public:
  ParallelDeletes(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<Operation> operation);
  ~ParallelDeletes() override;

  static const char* kClassName() { return "ParallelDeletes"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* children, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* children,
                                              rocksdb::IODebugContext* debug) override;

 private:
  void Serve();
  void Settle();

  const std::shared_ptr<Operation> operation_;
  std::mutex mutex_;  // guards all members below
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  size_t unfinished_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace rocksdb_backup
