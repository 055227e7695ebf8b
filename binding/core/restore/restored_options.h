#pragma once

#include <string>

#include "core/base/error.h"

namespace rocksdb_backup {

// The newest OPTIONS file of a restored database says where its log was when it was backed up. Here it is made to say
// where the restore put the log: who opens the database, or backs it up, learns from it where to look. `wal_dir`: empty
// where the log is in the database's own directory.
Error NotePlaceOfLog(const std::string& database_dir, const std::string& wal_dir, bool sync);

}  // namespace rocksdb_backup
