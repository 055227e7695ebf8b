#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/open_databases.h"
#include "rocksdb/env.h"

namespace rocksdb_backup {

// Where a restore goes. The engine's own restore deletes every file in the target first and copies then; whoever had a
// database there, open or not, has lost it when the backup turns out to be bad. Here the engine restores into a fresh
// directory, and only when that is whole and on the disk does it take the target's place.
//
//   Prepare   checks the target and locks the database in it; nothing is changed yet
//   Stage     makes the fresh directory
//   Install   puts it in place: one atomic exchange where the system has one; all or nothing
//   (destructor) removes what is left of a restore that did not come to Install
//
// Files in the target that are not the database's stay there. Where the target cannot be replaced as a whole, because
// it is a mount point, its parent is not ours to write, or somebody's folder lies in it, such as the backups, the fresh
// directory lies inside it and files are moved one by one, CURRENT out first and in last.
class RestoreTarget {
 public:
  struct Options {
    std::string database_dir;
    std::string wal_dir;  // empty: the database's directory
    bool overwrite = false;
    bool keep_log_files = false;
  };

  explicit RestoreTarget(Options options);
  ~RestoreTarget();
  RestoreTarget(const RestoreTarget&) = delete;
  RestoreTarget& operator=(const RestoreTarget&) = delete;

  Error Prepare(const std::string& backup_dir);
  Error CheckSpace(uint64_t bytes) const;
  Error Stage();
  Error Install();

  // Where the engine restores to. After Stage().
  const std::string& staged_database_dir() const { return database_.staged; }
  const std::string& staged_wal_dir() const { return separate_wal_ ? wal_.staged : staged_wal_inside_; }
  const std::string& database_dir() const { return database_.target; }

 private:
  struct Directory {
    std::string target;    // real path
    std::string parent;    // of the fresh directory
    std::string prefix;    // of its name
    std::string staged;    // the fresh directory
    int staged_fd = -1;    // locked while it is in use
    std::string replaced;  // what was in the target, once it is out of the way
    bool existed = false;
    bool inside = false;  // staged inside the target
  };

  // A change that can be taken back.
  struct Move {
    std::string from;
    std::string to;
    bool exchange;
  };

  Error PrepareDirectory(const std::string& path, const std::string& backup_dir, Directory* directory);
  Error Occupied(const Directory& directory) const;
  Error ClaimDatabase();
  Error LockDatabase();
  Error StageDirectory(Directory* directory);
  Error KeepLogFiles();
  Error HideCurrent();
  Error Place(Directory* directory, bool is_database);
  Error PlaceWhole(Directory* directory, bool is_database);
  Error PlaceFiles(Directory* directory, bool is_database);
  Error ReturnOthersFiles(const std::string& from, const std::string& to, bool is_database,
                          const std::string& wal_inside);
  Error Rename(const std::string& from, const std::string& to);
  // After `why`.
  Error TakeBack(Error why);

  const Options options_;
  Directory database_;
  Directory wal_;
  bool separate_wal_ = false;  // the WALs' directory lies outside the database's
  std::string wal_inside_;     // its path relative to the database's directory where it lies inside
  std::string staged_wal_inside_;
  std::vector<Move> moves_;
  DatabaseClaim claim_;  // keeps this process from opening the database meanwhile
  DatabaseClaim wal_claim_;
  rocksdb::FileLock* lock_ = nullptr;
};

}  // namespace rocksdb_backup
