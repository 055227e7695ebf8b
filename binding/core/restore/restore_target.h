#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/database/open_databases.h"
#include "core/restore/target_contents.h"
#include "rocksdb/env.h"

namespace rocksdb_backup {

// Where a restore goes. The engine's own restore deletes every file in the target first and copies then; whoever had a
// database there, open or not, has lost it when the backup turns out to be bad. Here the engine restores into a fresh
// directory, and only when that is whole and on the disk does it take the target's place.
//
//   Prepare   checks the target and locks the database in it; nothing is changed yet. Nothing but a database is
//   replaced Stage     makes the fresh directory Install   puts it in place: one atomic exchange where the system has
//   one; all or nothing (destructor) removes what is left of a restore that did not come to Install
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
    bool keep_old = false;  // what is replaced stays, beside the target
    // Makes what is restored outlive a power cut. Done all the same where a database is removed for it.
    bool sync = true;
  };

  explicit RestoreTarget(Options options);
  ~RestoreTarget();
  RestoreTarget(const RestoreTarget&) = delete;
  RestoreTarget& operator=(const RestoreTarget&) = delete;

  Error Prepare(const std::string& backup_dir);
  // Where the target is to be; nothing where the system does not say.
  std::optional<uint64_t> FreeSpace() const;
  Error CheckSpace(uint64_t bytes) const;
  // What restores to targets beside this one left that died before they changed anything.
  void RemoveLeftovers() const;
  Error Stage();
  Error Install();

  // A file of the database in the target becomes one of the restored one, too: another name of the same file, first
  // out of the engine's way, and with the others once the engine is done. Where it is meanwhile, or empty where that
  // cannot be: on a file system without such names, or where the file may not have another. After Stage().
  std::string Link(const std::string& name);
  // Those of these names; the others that were linked are given up.
  Error TakeLinked(const std::vector<std::string>& names);

  // Where the engine restores to. After Stage().
  const std::string& staged_database_dir() const { return database_.staged; }
  const std::string& staged_wal_dir() const { return separate_wal_ ? wal_.staged : staged_wal_inside_; }
  const std::string& database_dir() const { return database_.target; }
  // Where the log will be; empty where that is the database's directory.
  std::string separate_wal_dir() const;
  // After Prepare().
  const TargetContents& contents() const { return contents_; }
  bool syncs() const { return options_.sync || (contents_.holds != TargetHolds::kNothing && !options_.keep_old); }
  // Where what was replaced has been left: the database, and its logs where they lay apart. After Install(); empty
  // where nothing was.
  const std::string& kept() const { return database_.kept; }
  const std::string& kept_logs() const { return wal_.kept; }

 private:
  struct Directory {
    std::string target;    // real path
    StagingPlace place;    // of the fresh directory
    std::string staged;    // the fresh directory
    int staged_fd = -1;    // locked while it is in use
    std::string replaced;  // what was in the target, once it is out of the way, to be removed
    std::string kept;      // the same, to be kept
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
  Error CheckContents();
  Error CheckLogs() const;
  Error ClaimDatabase();
  Error LockDatabase();
  Error StageDirectory(Directory* directory);
  Error KeepLogFiles();
  Error Sync(const std::string& directory) const;
  Error RemoveSigns();
  Error SyncBegun();
  Error HideCurrent();
  Error ShowCurrent(const std::string& directory);
  std::string PlaceToKeep(const Directory& directory, bool is_database) const;
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
  TargetContents contents_;
  std::vector<Move> moves_;
  DatabaseClaim claim_;  // keeps this process from opening the database meanwhile
  DatabaseClaim wal_claim_;
  rocksdb::FileLock* lock_ = nullptr;
};

}  // namespace rocksdb_backup
