#pragma once

#include <string>

#include "core/error.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Makes a directory and whatever is missing above it.
Error CreateDirectories(const std::string& path);

// How the listing of a directory ended. RocksDB's own storage says "not found" of one that may not be read: then all
// that is in it would be missing.
rocksdb::IOStatus Listed(rocksdb::FileSystem& storage, const std::string& path, rocksdb::IOStatus status);

}  // namespace rocksdb_backup
