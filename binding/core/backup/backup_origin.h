#pragma once

#include <optional>
#include <string>

namespace rocksdb_backup {

// What only whoever makes a backup knows of it. Records of before do not have it.
struct BackupOrigin {
  std::string database;      // its id, see core/backup/database_identity.h; empty where it is not known
  std::optional<bool> full;  // no file of it was there before, in an earlier backup
  bool operator==(const BackupOrigin&) const = default;
};

}  // namespace rocksdb_backup
