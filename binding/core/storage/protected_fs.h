#pragma once

#include <mutex>
#include <string>
#include <unordered_set>

#include "core/base/operation.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// What a backup in progress may change in its directory. The engine's clean-up deletes every file that no readable
// backup refers to, and it runs whenever a create fails or finds traces of one that did. While a backup is unreadable,
// be it for an hour, that clean-up would destroy its files. So while any is, only what this operation made, and what
// interrupted creates left under the new backup's own number, may be deleted, and no file may be replaced by one that
// differs.
//
// Also holds the point of no return: the rename that makes the backup exist. The engine syncs the directories after it:
// the power may go in between, and leave a backup whose files have no names. So they are synced before it, too.
class ProtectedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  ProtectedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<Operation> operation,
                      std::string backup_dir);

  // Before the create: the id it will have, whether any backup is unreadable, and whether a backup that was reported
  // must be there after a power cut. Opening an engine changes nothing.
  void Guard(uint32_t new_id, bool protect, bool sync);

  static const char* kClassName() { return "ProtectedFileSystem"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  bool MayDelete(const std::string& path);
  rocksdb::IOStatus SyncFiles();
  rocksdb::IOStatus HaveSameContents(const std::string& a, const std::string& b, bool* same);

  const std::shared_ptr<Operation> operation_;
  const std::string backup_dir_;
  std::string meta_path_;     // <backup_dir>/meta/<new_id>
  std::string private_path_;  // <backup_dir>/private/<new_id>
  bool protect_ = false;
  bool sync_ = false;
  std::mutex mutex_;
  std::unordered_set<std::string> ours_;
};

}  // namespace rocksdb_backup
