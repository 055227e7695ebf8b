#pragma once

#include <optional>
#include <string>

namespace rocksdb_backup {

// What only the program that makes a backup knows about it. Records of older versions do not have it.
struct BackupOrigin {
  std::string database;      // id of the database, see core/backup/database_identity.h; empty if it is not known
  std::optional<bool> full;  // no file of it was already there, in an earlier backup
  bool operator==(const BackupOrigin&) const = default;
};

}  // namespace rocksdb_backup
