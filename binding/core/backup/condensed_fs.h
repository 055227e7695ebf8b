#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backup/directory_picture.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// What a BackupEngine sees of the backups that it does not work on.
enum class Others { kNothing, kAsOne };

// Shows a repository with fewer backups than it has, to a BackupEngine that works on one or a few of them. Opening the
// BackupEngine then costs only the reading of their meta files, not of all meta files.
//
// What the BackupEngine must know about the other backups is shown as one backup, under the highest of their ids. That
// backup has every shared file that any of them has. So the BackupEngine copies none of these files again, finds none
// of them unreferenced, and gives the next id. It does not see the private directories of the others, and their files
// cannot be deleted through it.
//
// `shown`, in ascending order: the backups that the BackupEngine sees as they are on the disk, even if they were
// deleted since the picture was taken.
std::shared_ptr<rocksdb::FileSystem> Condensed(const std::shared_ptr<rocksdb::FileSystem>& base,
                                               const std::string& backup_dir,
                                               std::shared_ptr<const DirectoryPicture> picture,
                                               const std::vector<uint32_t>& shown, Others others);

}  // namespace rocksdb_backup
