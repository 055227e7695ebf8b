#pragma once

#include <string>

#include "core/base/error.h"

namespace rocksdb_backup {

// The newest OPTIONS file of a restored database says where its log was when it was backed up. This function makes it
// say where the restore put the log, because programs that open or back up the database read the place from it.
// `wal_dir` is empty if the log is in the database's own directory.
Error WriteWalDirToOptions(const std::string& database_dir, const std::string& wal_dir, bool sync);

}  // namespace rocksdb_backup
