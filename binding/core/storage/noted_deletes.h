#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Notes which files could not be deleted. The BackupEngine's clean-up only logs that, and goes on.
class NotedDeletes : public rocksdb::FileSystemWrapper {
 public:
  explicit NotedDeletes(const std::shared_ptr<rocksdb::FileSystem>& base) : FileSystemWrapper(base) {}

  struct Left {
    std::string path;  // a clean path
    rocksdb::IOStatus why;
  };
  // What could not be deleted and is still there, sorted by path. A directory is listed only if it is empty or cannot
  // be listed: otherwise its files are listed, or they are somebody else's and should stay.
  std::vector<Left> left();

  static const char* kClassName() { return "NotedDeletes"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;

 private:
  struct Failure {
    rocksdb::IOStatus why;
    bool is_directory = false;
  };
  void Note(const std::string& path, const rocksdb::IOStatus& status, bool is_directory);

  std::mutex mutex_;
  std::map<std::string, Failure> failures_;  // by path; guarded by mutex_
};

}  // namespace rocksdb_backup
