#pragma once

#include <memory>
#include <string>

#include "core/base/error.h"
#include "rocksdb/env.h"

namespace rocksdb_backup {

// A RocksDB log that is appended to a file, line by line with date and level. RocksDB's own file logger starts the file
// anew each time, and engines here are opened for every operation.
Error OpenFileLog(const std::string& path, std::shared_ptr<rocksdb::Logger>* log);

}  // namespace rocksdb_backup
