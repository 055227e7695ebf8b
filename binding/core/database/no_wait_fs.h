#pragma once

#include <memory>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// While a NoWait lives, its thread reads table files only as far as the operating system has them in memory. A read
// that would have to wait for the disk fails instead, and so does opening a file. So a JS thread can read what needs no
// waiting, even if it is not in RocksDB's block cache, and leave the rest to another thread. Works for databases opened
// with DatabaseEnv().
class NoWait {
 public:
  NoWait();
  ~NoWait();
  NoWait(const NoWait&) = delete;
  NoWait& operator=(const NoWait&) = delete;

  // Whether a read failed for that reason. If so, RocksDB's answer means nothing.
  bool missed() const;
};

// The default file system, with table files that support NoWait. It lives for ever. Null if the operating system has no
// such reads.
const std::shared_ptr<rocksdb::FileSystem>& NoWaitFileSystem();

}  // namespace rocksdb_backup
