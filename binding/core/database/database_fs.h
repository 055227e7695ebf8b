#pragma once

#include "core/base/error.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// The storage under every database that is opened here. RocksDB tells some failures of an open as something else,
// without a name: a CURRENT that could not be read as direct I/O that is not supported, a directory that may not be
// listed as not found. And it takes an early end of a log for the end, and drops for good what is behind it. While one
// of these lives, its thread's reads through a WatchedFileSystem fail where a file ends before its size, and what
// failed is known.
class OpenWatch {
 public:
  OpenWatch();
  ~OpenWatch();
  OpenWatch(const OpenWatch&) = delete;
  OpenWatch& operator=(const OpenWatch&) = delete;

  // The error of an open that ended with this status: with what the storage said, where RocksDB does not.
  Error Explain(const rocksdb::Status& status, const std::string& doing) const;
  void Note(const rocksdb::IOStatus& status);

 private:
  rocksdb::IOStatus first_failure_;
};

std::shared_ptr<rocksdb::FileSystem> WatchedFileSystem(std::shared_ptr<rocksdb::FileSystem> storage);

// The default storage, watched, whose table files know NoWait where the system can do that. Lives for ever.
rocksdb::Env* DatabaseEnv();

}  // namespace rocksdb_backup
