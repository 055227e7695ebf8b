#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backup/directory_picture.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Shows a repository with fewer backups than it has, to a BackupEngine that works on one or a few of them. Opening the
// BackupEngine then costs only the reading of their meta files, not of all meta files.
//
// What the BackupEngine must know about the other backups is shown as one backup, under the highest of their ids. That
// backup has every shared file that any of them has. So the BackupEngine copies none of these files again, finds none
// of them unreferenced, and gives the next id. It does not see the private directories of the others, and their files
// cannot be deleted through this class.
class CondensedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  // What the BackupEngine sees of the other backups.
  enum class Others { kNothing, kAsOne };

  // `shown`, in ascending order: the backups that the BackupEngine sees as they are on the disk, even if they were
  // deleted since the picture was taken.
  CondensedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir,
                      std::shared_ptr<const DirectoryPicture> picture, const std::vector<uint32_t>& shown,
                      Others others);

  static const char* kClassName() { return "CondensedFileSystem"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* children, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* children,
                                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  bool IsHidden(const std::string& name) const;

  const std::string backup_dir_;
  const std::shared_ptr<const DirectoryPicture> picture_;
  const DirectoryPicture::Remainder others_;
  const Others show_others_;
  std::string meta_of_others_;  // path of the meta file that stands for the others
};

}  // namespace rocksdb_backup
