#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backup/directory_picture.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// A backup directory with fewer backups than it has, for an engine that is to do something with one or a few of them:
// opening costs it what reading their metas does, and not what reading all does.
//
// What it must know of the others it is shown as one backup, under the highest of their ids: that has every shared file
// which any of them has. So it copies none of these again, finds none of them unreferenced, and gives the id that
// follows. The private directories of the others it does not see, and what is theirs cannot be deleted through here.
class CondensedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  // What the engine is to see of the backups that it is not to see.
  enum class Others { kNothing, kAsOne };

  // `shown`: in ascending order, those that it sees as they are, were they deleted since.
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
  std::string meta_of_others_;  // its path
};

}  // namespace rocksdb_backup
