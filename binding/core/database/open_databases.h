#pragma once

#include <string>

#include "core/base/error.h"

namespace rocksdb_backup {

// The process-wide list of the directories of open databases. RocksDB's LOCK is a POSIX lock, which does not protect
// against the process that holds it. RocksDB's own list compares paths as text, so a second path to the same directory
// (a link, a mount) would open the database twice and ruin it.
class DatabaseClaim {
 public:
  enum class Kind {
    kShared,     // opened to read, while another may write: read-only, secondary
    kExclusive,  // opened to write
    kAlone,      // nobody else may have it open: destroy, repair
  };

  DatabaseClaim() = default;
  DatabaseClaim(DatabaseClaim&& other) noexcept;
  DatabaseClaim& operator=(DatabaseClaim&& other) noexcept;
  DatabaseClaim(const DatabaseClaim&) = delete;
  DatabaseClaim& operator=(const DatabaseClaim&) = delete;
  ~DatabaseClaim();

  // Call it before the database is opened, so that two threads cannot open the same directory. DATABASE_IN_USE if
  // another claim forbids it. `path` is a real path (RealPath).
  static Error Take(const std::string& path, Kind kind, DatabaseClaim* claim);

  void Release();

 private:
  explicit DatabaseClaim(int id) : id_(id) {}
  int id_ = 0;
};

// DATABASE_IN_USE if another process holds the database's LOCK. Only looks; takes no lock. Must be called only while
// this process has no database of the directory open to write, because looking at the file drops this process's locks
// on it.
Error CheckNotLockedElsewhere(const std::string& path);

Error DatabaseInUseError(const std::string& path, const std::string& by_whom);

}  // namespace rocksdb_backup
