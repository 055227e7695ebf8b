#pragma once

#include <string>

#include "core/base/error.h"

namespace rocksdb_backup {

// The process-wide record of the directories of open databases. RocksDB's LOCK is a POSIX lock, which does not hold
// against the process that took it, and RocksDB's own record compares paths as text: a second path to the same
// directory (a link, a mount) would open it twice and ruin it.
class DatabaseClaim {
 public:
  enum class Kind {
    kShared,     // opened to read beside whoever writes: read-only, secondary
    kExclusive,  // opened to write
    kAlone,      // nobody else at all: destroy, repair
  };

  DatabaseClaim() = default;
  DatabaseClaim(DatabaseClaim&& other) noexcept;
  DatabaseClaim& operator=(DatabaseClaim&& other) noexcept;
  DatabaseClaim(const DatabaseClaim&) = delete;
  DatabaseClaim& operator=(const DatabaseClaim&) = delete;
  ~DatabaseClaim();

  // Before the database is opened, so that two threads cannot open one directory. DATABASE_IN_USE if the record forbids
  // it. `path` is a real path (RealPath).
  static Error Take(const std::string& path, Kind kind, DatabaseClaim* claim);

  void Release();

 private:
  explicit DatabaseClaim(int id) : id_(id) {}
  int id_ = 0;
};

// Whether a database of this directory is open in this process, in any mode.
bool IsDatabaseOpenHere(const std::string& path);

// DATABASE_IN_USE if another process holds the database's LOCK. Only asks: takes no lock. Must be called only while no
// database of the directory is open to write in this process, as looking at a file drops this process's locks on it.
Error CheckNotLockedElsewhere(const std::string& path);

Error DatabaseInUseError(const std::string& path, const std::string& by_whom);

}  // namespace rocksdb_backup
