#pragma once

#include <memory>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// While one of these lives, its thread reads table files only as far as the operating system has them in memory: a read
// that would have to wait for the disk fails instead, and so does opening a file. That lets a JS thread read what needs
// no waiting, RocksDB's block cache or not, and leave the rest to another thread. Concerns databases opened with
// DatabaseEnv().
class NoWait {
 public:
  NoWait();
  ~NoWait();
  NoWait(const NoWait&) = delete;
  NoWait& operator=(const NoWait&) = delete;

  // Whether a read failed for that reason: what RocksDB answered then says nothing.
  bool missed() const;
};

// The default storage whose table files know NoWait; lives for ever. Null where the system has no such reads.
const std::shared_ptr<rocksdb::FileSystem>& NoWaitFileSystem();

}  // namespace rocksdb_backup
