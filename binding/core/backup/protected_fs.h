#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "core/base/operation.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Decides what a running create may change in its repository. The BackupEngine's clean-up deletes every file that no
// readable backup refers to. It runs whenever a create fails, or finds traces of a create that failed. If a backup is
// unreadable, even for only an hour, that clean-up would destroy its files. So while any backup is unreadable, two
// rules hold. Only two kinds of files may be deleted: files that this operation made, and files that interrupted
// creates left under the id of the new backup. And no file may be replaced by a file with other contents.
//
// This class also holds the point of no return: the rename that makes the backup exist. The BackupEngine syncs the
// directories after that rename. A power cut in between could leave a backup whose files have no names. So this class
// syncs the directories before the rename, too.
class ProtectedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  ProtectedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<Operation> operation,
                      std::string backup_dir);

  // Called before the create. `new_id` is the id of the new backup. `protect`: some backup is unreadable. `sync`: a
  // backup that was reported as made must survive a power cut. Until this call nothing is protected, because opening a
  // BackupEngine changes nothing.
  void Guard(uint32_t new_id, bool protect, bool sync);
  // What the new backup's meta file was written with. Empty before it has its name.
  const std::string& written_meta() const { return written_meta_; }

  const char* Name() const override { return "ProtectedFileSystem"; }

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
  class MetaWriter;

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
  std::map<std::string, std::shared_ptr<std::string>> metas_;  // what was written so far, by the paths
  std::string written_meta_;
};

}  // namespace rocksdb_backup
