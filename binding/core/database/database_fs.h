#pragma once

#include "core/base/error.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Finds out why an open failed. During an open, RocksDB reports some failures as another error that names no file: a
// CURRENT that could not be read as "direct I/O is not supported", and a directory that may not be listed as "not
// found". It also takes an early end of a log for its normal end, and drops everything behind it for good. While an
// OpenWatch lives, it sees what its thread does through a WatchedFileSystem, the file system under every database that
// is opened here. A read fails if the file ends before its size, and the first failure is remembered.
class OpenWatch {
 public:
  OpenWatch();
  ~OpenWatch();
  OpenWatch(const OpenWatch&) = delete;
  OpenWatch& operator=(const OpenWatch&) = delete;

  // The error for an open that ended with this status. If RocksDB does not report the failure of the file system, the
  // error includes that failure.
  Error Explain(const rocksdb::Status& status, const std::string& doing) const;
  void Note(const rocksdb::IOStatus& status);

 private:
  rocksdb::IOStatus first_failure_;
};

std::shared_ptr<rocksdb::FileSystem> WatchedFileSystem(std::shared_ptr<rocksdb::FileSystem> storage);

// The default file system, watched. Its table files support NoWait if the operating system does. It lives for ever.
rocksdb::Env* DatabaseEnv();

}  // namespace rocksdb_backup
