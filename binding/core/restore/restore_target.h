#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/database/open_databases.h"
#include "core/restore/restore_leftovers.h"
#include "core/restore/target_contents.h"
#include "core/storage/storage.h"
#include "rocksdb/env.h"

namespace rocksdb_backup {

// Where a restore goes. RocksDB's own restore first deletes every file in the target and then copies. If the backup
// turns out to be bad, a database that was there is lost, whether it was open or not. Here the BackupEngine restores
// into a fresh directory. That directory takes the target's place only when it is complete and on the disk.
//
//   Prepare       checks the target and locks the database in it; changes nothing. Only a database is replaced
//   Stage         makes the fresh directory
//   Install       puts it in place: in one atomic exchange if the system has one; all or nothing
//   (destructor)  removes what is left of a restore that did not reach Install
//
// Files in the target that are not the database's stay there. The target cannot be replaced as a whole if it is a mount
// point, if its parent is not ours to write, or if it holds somebody's folder, such as the repository. Then the fresh
// directory lies inside the target, and files are moved one by one: CURRENT moves out first and in last.
class RestoreTarget {
 public:
  struct Options {
    std::string database_dir;
    std::string wal_dir;  // empty: the database's directory
    bool overwrite = false;
    bool keep_log_files = false;
    bool keep_old = false;  // what is replaced is kept, beside the target
    // Makes the restored database survive a power cut. Done in any case if a database is removed for it.
    bool sync = true;
  };

  explicit RestoreTarget(Options options);
  ~RestoreTarget();
  RestoreTarget(const RestoreTarget&) = delete;
  RestoreTarget& operator=(const RestoreTarget&) = delete;

  Error Prepare(const Storage& storage);
  // At the place of the target. nullopt if the system does not say.
  std::optional<uint64_t> FreeSpace() const;
  Error CheckSpace(uint64_t bytes) const;
  // Removes what restores left beside this target if they died before they changed anything.
  void RemoveLeftovers() const;
  Error Stage();
  Error Install();

  // Makes a file of the target's database also a file of the restored one, as another name of the same file. At first
  // that name lies out of the BackupEngine's way; TakeLinked() moves it to the others when the BackupEngine is done.
  // Returns its path. Empty if the file system has no such names, or if the file may not have another name. Call it
  // after Stage().
  std::string Link(const std::string& name);
  // Takes the linked files with these names. Other linked files are given up.
  Error TakeLinked(const std::vector<std::string>& names);

  // Where the BackupEngine restores to. Call it after Stage().
  const std::string& staged_database_dir() const { return database_.staged; }
  const std::string& staged_wal_dir() const { return separate_wal_ ? wal_.staged : staged_wal_inside_; }
  const std::string& database_dir() const { return database_.target; }
  // Where the log will be. Empty if that is the database's directory.
  std::string separate_wal_dir() const;
  // Call it after Prepare().
  const TargetContents& contents() const { return contents_; }
  bool syncs() const { return options_.sync || (contents_.holds != TargetHolds::kNothing && !options_.keep_old); }
  // Where the replaced database is kept, and its logs if they had a directory of their own. Empty if nothing is kept.
  // Call them after Install().
  const std::string& kept() const { return database_.kept; }
  const std::string& kept_logs() const { return wal_.kept; }

 private:
  struct Directory {
    std::string target;    // real path
    StagingPlace place;    // where the fresh directory is made
    std::string staged;    // the fresh directory
    int staged_fd = -1;    // holds the lock while the directory is in use
    std::string replaced;  // what was in the target, after it was moved away, to be removed
    std::string kept;      // the same, to be kept
    bool existed = false;
    bool inside = false;  // staged inside the target
    HalfMoved half_moved;
  };

  // A change that can be undone.
  struct Move {
    std::string from;
    std::string to;
    bool exchange;
  };

  // What moves if files are moved one by one. Names begin with a slash.
  struct FilesToMove {
    std::string wal;                     // the directory of logs inside the database's, or empty
    std::vector<std::string> old_names;  // out of the target, in this order
    std::vector<std::string> new_names;  // into the target, in this order: CURRENT last
  };

  Error PrepareDirectory(const std::string& path, const std::string& backup_dir, Directory* directory);
  Error CheckContents();
  Error CheckLogs() const;
  Error ClaimDatabase();
  // kMake: also if the database has no lock file yet, because nobody has opened it since it was restored.
  enum class LockFileOf { kExisting, kMake };
  Error LockDatabase(LockFileOf lock_file);
  Error BringBackOldFiles();
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
  Error MakePlaceForReplaced(const Directory& directory, const FilesToMove& files);
  Error ListOldFiles(const Directory& directory, bool is_database, FilesToMove* files);
  Error ListNewFiles(const Directory& directory, FilesToMove* files);
  Error MoveOut(const Directory& directory, const FilesToMove& files);
  Error EndMovingOut(const Directory& directory, const FilesToMove& files);
  Error MoveIn(const Directory& directory, const FilesToMove& files);
  Error ReturnOthersFiles(const std::string& from, const std::string& to, bool is_database,
                          const std::string& wal_inside);
  Error Rename(const std::string& from, const std::string& to);
  // Undoes all moves, after the error `why`.
  Error TakeBack(Error why);

  const Options options_;
  Directory database_;
  Directory wal_;
  bool keep_old_ = false;      // this restore is to keep the old database, or a dead one was to
  bool separate_wal_ = false;  // the directory of the logs lies outside the database's directory
  std::string wal_inside_;     // its path relative to the database's directory, if it lies inside
  std::string staged_wal_inside_;
  TargetContents contents_;
  std::vector<Move> moves_;
  DatabaseClaim claim_;  // keeps this process from opening the database meanwhile
  DatabaseClaim wal_claim_;
  rocksdb::FileLock* lock_ = nullptr;
};

}  // namespace rocksdb_backup
