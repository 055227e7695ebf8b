#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backup/condensed_fs.h"
#include "core/backup/directory_picture.h"
#include "core/backup/meta_catalog.h"
#include "core/backup/observed_fs.h"
#include "core/backup/protected_fs.h"
#include "core/backup/tolerant_fs.h"
#include "core/base/operation.h"

namespace rocksdb_backup {

// What a BackupEngine is opened for.
enum class Purpose {
  kRead,    // changes nothing: list, verify, restore, open a backup in place
  kCreate,  // needs the writer's lock
  kDelete,  // needs the writer's lock; deletes files that no readable backup refers to
};

struct SessionRequest {
  Purpose purpose = Purpose::kRead;
  std::shared_ptr<Operation> operation = std::make_shared<Operation>();
  // Which bytes are the operation's progress: a verify reads the backup, a restore writes the database.
  ObservedFileSystem::Count count_backup = ObservedFileSystem::Count::kNothing;
  ObservedFileSystem::Count count_database = ObservedFileSystem::Count::kNothing;
  // Where the database is that a create reads or a restore writes.
  std::shared_ptr<rocksdb::FileSystem> database_fs = rocksdb::FileSystem::Default();
  FileObserver* observer = nullptr;  // for a create
  // With a picture, the BackupEngine reads only the meta files that the purpose needs.
  std::shared_ptr<const DirectoryPicture> picture = nullptr;
  // With a picture: to read, the one backup that is read; to delete, the backups that were deleted since the picture
  // was taken.
  std::vector<uint32_t> ids = {};
};

// The file systems between a BackupEngine and the files of its repository, from below:
//
//   files               those of the storage; while a writer works, under its lock (core/storage/locked_fs.h)
//   TolerantFileSystem  a problem with one backup is none of the others
//   WithParallelDeletes kCreate, kDelete: the clean-up after a failure is fast
//   ProtectedFileSystem kCreate, kDelete: the clean-up deletes nothing of an unreadable backup; the point of no return
//   Condensed           with a picture: shows only the needed meta files
//   MetaCatalog         without a picture: notes what the meta files say
//   ObservedFileSystem  counts the operation's bytes, and can end the operation
struct EngineLayers {
  std::shared_ptr<TolerantFileSystem> tolerant;
  std::shared_ptr<ProtectedFileSystem> protected_fs;  // null: kRead
  std::shared_ptr<MetaCatalog> catalog;               // null: with a picture
  std::shared_ptr<ObservedFileSystem> observed;       // the top
};

// `files` are those of the repository, which is at `root` in them.
EngineLayers MakeLayers(const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& root,
                        const SessionRequest& request);

}  // namespace rocksdb_backup
