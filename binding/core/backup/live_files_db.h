#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "rocksdb/utilities/stackable_db.h"

namespace rocksdb_backup {

// The database that the BackupEngine sees during a create. Through it we see the list of files that the BackupEngine is
// about to copy, before it copies the first one. So we know how much work there is, and whether the destination has
// room for it.
class LiveFilesDb : public rocksdb::StackableDB {
 public:
  using Files = std::vector<rocksdb::LiveFileStorageInfo>;

  struct Hooks {
    // If a hook returns an error, the backup ends there, with nothing copied.
    std::function<rocksdb::Status()> before_flush;
    std::function<rocksdb::Status(const Files&)> on_files;
  };

  LiveFilesDb(rocksdb::DB* db, Hooks hooks)
      : StackableDB(std::shared_ptr<rocksdb::DB>(db, [](rocksdb::DB*) {})), hooks_(std::move(hooks)) {}

  rocksdb::Status GetLiveFilesStorageInfo(const rocksdb::LiveFilesStorageInfoOptions& options, Files* files) override {
    if (options.wal_size_for_flush == 0) {
      if (rocksdb::Status status = hooks_.before_flush(); !status.ok()) {
        return status;
      }
    }
    rocksdb::Status status = StackableDB::GetLiveFilesStorageInfo(options, files);
    if (status.IsNotFound()) {
      // RocksDB returns NotFound for a directory that it may not list.
      status = rocksdb::Status::IOError("cannot list the files of " + GetName(), "Permission denied, or not found");
    }
    return status.ok() ? hooks_.on_files(*files) : status;
  }

 private:
  const Hooks hooks_;
};

}  // namespace rocksdb_backup
