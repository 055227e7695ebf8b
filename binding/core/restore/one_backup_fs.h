#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Shows a repository as if it had only one backup, and that backup had only the files that the BackupEngine is to copy:
// its meta file is read without the lines of its other files. The files themselves do not change.
class OneBackupFileSystem : public rocksdb::FileSystemWrapper {
 public:
  OneBackupFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, const std::string& backup_dir, uint32_t id,
                      std::set<std::string> left_out);

  static const char* kClassName() { return "OneBackupFileSystem"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* children, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* children,
                                              rocksdb::IODebugContext* debug) override;

 private:
  const std::string meta_;  // the directory of meta files
  const std::string name_;  // name of the backup's meta file
  const std::set<std::string> left_out_;
};

// The text of a meta file without the files that have these names, and with the number of files corrected.
std::string MetaWithout(const std::string& meta, const std::set<std::string>& left_out);

}  // namespace rocksdb_backup
