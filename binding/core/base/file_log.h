#pragma once

#include <memory>
#include <string>

#include "core/base/error.h"
#include "rocksdb/env.h"

namespace rocksdb_backup {

// Opens a RocksDB log that appends to a file. Each line gets a date and a level. RocksDB's own file logger is not used,
// because it starts a new file each time it is opened, and BackupEngines here are opened for every operation.
Error OpenFileLog(const std::string& path, std::shared_ptr<rocksdb::Logger>* log);

}  // namespace rocksdb_backup
