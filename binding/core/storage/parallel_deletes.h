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

// Deletes what an ended operation made on several threads. The engine's clean-up deletes one file after the other, and
// a file system answers each when its journal comes round: 3,000 files took 7 seconds in which a stopped backup had not
// stopped. Beside each other they are a matter of milliseconds.
//
// While the operation runs, deletes are done in place: their order matters then. Whatever looks at the directory, or
// removes one, waits for the deletes before it, and so does the destructor. A delete that fails leaves its file to the
// next clean-up, as the engine would.
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
  std::mutex mutex_;  // for all below
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  size_t unfinished_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace rocksdb_backup
