// Puts what is staged into the target's place. What was there is kept, or comes back after a failure.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/paths.h"
#include "core/restore/restore_target.h"
#include "core/restore/target_files.h"
#include "core/storage/directories.h"

namespace rocksdb_backup {

namespace fs = std::filesystem;

// Keeps the target's logs beside the restored files, also archived logs, as RocksDB's keep_log_files does. If the
// backup has a log of the same name, the backup's log stays.
Error RestoreTarget::KeepLogFiles() {
  const std::string from = separate_wal_         ? wal_.target
                           : wal_inside_.empty() ? database_.target
                                                 : database_.target + "/" + wal_inside_;
  for (const std::string& directory : {from, from + "/archive"}) {
    std::error_code ignored;
    std::vector<std::string> names;
    if (fs::exists(directory, ignored)) {
      if (Error error = ListNames(directory, &names); !error.ok()) {
        return error;
      }
    }
    for (const auto& name : names) {
      if (!IsWalFileName(name)) {
        continue;
      }
      const std::string source = directory + "/" + name;
      const std::string destination = staged_wal_dir() + "/" + name;
      std::error_code error;
      fs::create_hard_link(source, destination, error);
      if (error && error != std::errc::file_exists) {
        error.clear();
        fs::copy_file(source, destination, fs::copy_options::skip_existing, error);
        if (error) {
          return Error::System("cannot keep the log " + source, error.value()).With("path", source);
        }
        if (Error unsynced = syncs() ? SyncFile(destination) : Error(); !unsynced.ok()) {
          return unsynced;  // the log that it was copied from will be removed
        }
      }
    }
  }
  return Error();
}

Error RestoreTarget::Install() {
  if (options_.keep_log_files) {
    if (Error error = KeepLogFiles(); !error.ok()) {
      return error;
    }
  }
  // Since Prepare(), somebody may have made a database there, or put something else there. From here on, nobody may
  // open what is about to be replaced.
  const bool replaces = contents_.holds == TargetHolds::kDatabase;
  if (Error error = LockDatabase(replaces ? LockFileOf::kMake : LockFileOf::kExisting); !error.ok()) {
    return error;
  }
  if (Error error = CheckContents(); !error.ok()) {
    return error;
  }
  // Logs come first: a database whose CURRENT is in place must find them. The old database must not find them: if this
  // process or the power ended in between, it would open with the new logs. So its CURRENT is hidden.
  Error error = RemoveSigns();
  if (error.ok() && separate_wal_) {
    error = SyncBegun();
  }
  if (error.ok() && separate_wal_) {
    error = HideCurrent();
  }
  if (error.ok() && separate_wal_) {
    error = Place(&wal_, false);
  }
  if (error.ok()) {
    error = Place(&database_, true);
  }
  if (error.ok() && separate_wal_ && !database_.kept.empty()) {
    error = ShowCurrent(database_.kept);
  }
  if (!error.ok()) {
    return TakeBack(std::move(error));
  }
  for (const Directory* directory : {&wal_, &database_}) {
    for (const std::string& emptied : {directory->inside ? directory->staged : "", directory->replaced}) {
      RemoveDatabase(emptied, directory == &database_ ? wal_inside_ : "");
    }
    if (!directory->staged.empty()) {
      RemoveStale(directory->place.parent, directory->place.prefix, directory->target,
                  keep_old_ ? Replaced::kKept : Replaced::kRemoved);
    }
  }
  return Error();
}

Error RestoreTarget::Sync(const std::string& directory) const { return syncs() ? SyncDirectory(directory) : Error(); }

// From here on, what is staged takes its place. Without the sign it shows that this restore had begun to install.
Error RestoreTarget::RemoveSigns() {
  for (const Directory* directory : {&wal_, &database_}) {
    const std::string sign = directory->staged + "/" + kStagedSign;
    const std::string moving = directory->staged + "/" + kMovingOutSign;
    if (!directory->staged.empty() &&
        (directory->inside ? rename(sign.c_str(), moving.c_str()) : rmdir(sign.c_str())) != 0 && errno != ENOENT) {
      return Error::System("cannot remove " + sign, errno).With("path", sign);
    }
  }
  return Error();
}

// Called before the first of the two directories takes its place. Otherwise, after a power cut, logs could be there
// without anything that shows to which database they belong.
Error RestoreTarget::SyncBegun() {
  for (const std::string& directory : {database_.staged, database_.place.parent}) {
    if (Error error = Sync(directory); !error.ok()) {
      return error;
    }
  }
  return Error();
}

// Where to keep what is replaced. Empty if there is nothing to keep.
std::string RestoreTarget::PlaceToKeep(const Directory& directory, bool is_database) const {
  std::vector<std::string> names;
  (void)ListNames(directory.target, &names);
  if (!keep_old_ || directory.half_moved.new_files ||
      std::none_of(names.begin(), names.end(), [&](const std::string& name) {
        return is_database ? BelongsToDatabase(directory.target, name) || name == FirstPart(wal_inside_)
                           : BelongsToLogs(directory.target, name);
      })) {
    return "";
  }
  return PathToKeep(directory.target);
}

Error RestoreTarget::HideCurrent() {
  const std::string current = database_.target + "/CURRENT";
  std::error_code ignored;
  if (!fs::exists(current, ignored)) {
    return Error();
  }
  if (Error error = Rename(current, current + ".tmp"); !error.ok()) {
    return error;
  }
  return Sync(database_.target);
}

// Undoes HideCurrent() for the database that is kept.
Error RestoreTarget::ShowCurrent(const std::string& directory) {
  std::error_code ignored;
  if (!fs::exists(directory + "/CURRENT.tmp", ignored)) {
    return Error();
  }
  if (Error error = Rename(directory + "/CURRENT.tmp", directory + "/CURRENT"); !error.ok()) {
    return error;
  }
  return Sync(directory);
}

Error RestoreTarget::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return Error::System("cannot rename " + from + " to " + to, errno).With("path", to);
  }
  moves_.push_back({from, to, false});
  return Error();
}

Error RestoreTarget::TakeBack(Error why) {
  std::string stuck;
  for (; !moves_.empty(); moves_.pop_back()) {
    const Move& move = moves_.back();
    if (move.exchange ? !ExchangeNames(move.from, move.to) : rename(move.to.c_str(), move.from.c_str()) != 0) {
      stuck += (stuck.empty() ? "" : ", ") + move.to + " to " + move.from;
    }
  }
  if (!stuck.empty()) {
    // It is no longer clear what belongs to which database, so everything stays where it is.
    std::string places;
    for (Directory* directory : {&database_, &wal_}) {
      for (const std::string& place : {directory->staged, directory->replaced, directory->kept}) {
        if (IsDirectory(place) && places.find(place) == std::string::npos) {
          places += (places.empty() ? "" : " and ") + place;
        }
      }
      directory->staged.clear();
    }
    return std::move(why).And(". Some files could not be moved back (" + stuck +
                              "): nothing was removed, and the files of " + database_.target + " are there or in " +
                              places + ". Move them back by hand before you restore there again.");
  }
  for (const Directory* directory : {&database_, &wal_}) {
    if (directory->staged.empty()) {
      continue;
    }
    mkdir((directory->staged + "/" + kStagedSign).c_str(), 0777);  // so that it is removed as a whole
    for (const std::string& emptied : {directory->replaced, directory->kept}) {
      if (emptied != directory->staged) {
        RemoveDatabase(emptied, directory == &database_ ? wal_inside_ : "");
      }
    }
    if (directory->existed) {
      mkdir(directory->target.c_str(), 0777);  // the rename had replaced an empty target
    }
  }
  return why;
}

Error RestoreTarget::Place(Directory* directory, bool is_database) {
  if (is_database && !wal_inside_.empty()) {
    if (Error error = Sync(staged_wal_inside_); !error.ok()) {
      return error;
    }
  }
  if (Error error = Sync(directory->staged); !error.ok()) {
    return error;
  }
  if (Error error = directory->inside ? PlaceFiles(directory, is_database) : PlaceWhole(directory, is_database);
      !error.ok()) {
    return error;
  }
  return Sync(directory->inside ? directory->target : ParentOf(directory->target));
}

// The whole directory takes the target's place, in one step if the system can do that.
Error RestoreTarget::PlaceWhole(Directory* directory, bool is_database) {
  const std::string& target = directory->target;
  const std::string& staged = directory->staged;
  if (!directory->existed || !options_.overwrite) {
    // The system itself refuses the rename if something has appeared there in the meantime.
    const Error error = Rename(staged, target);
    std::error_code ignored;
    return error.ok() || !fs::exists(target, ignored)
               ? error
               : Error("TARGET_EXISTS", "cannot restore to " + target +
                                            ": somebody else has made it in the meantime (" + error.message() + ")")
                     .With("path", target);
  }
  const std::string keep = PlaceToKeep(*directory, is_database);
  errno = 0;
  if (ExchangeNames(staged, target)) {
    directory->replaced = staged;
    moves_.push_back({staged, target, true});
  } else if (errno == EXDEV) {
    // In a lower layer of an overlay, which holds the files of a container's image, files can be renamed, but
    // directories cannot.
    directory->inside = true;
    if (const std::string sign = staged + "/" + kMovingOutSign; mkdir(sign.c_str(), 0777) != 0) {
      return Error::System("cannot make " + sign, errno).With("path", sign);
    }
    return PlaceFiles(directory, is_database);
  } else {
    directory->replaced = staged + kReplacedMark;
    if (Error error = Rename(target, directory->replaced); !error.ok()) {
      return error;
    }
    if (Error error = Rename(staged, target); !error.ok()) {
      return error;
    }
  }
  Error error = ReturnOthersFiles(directory->replaced, target, is_database, is_database ? wal_inside_ : "");
  if (error.ok() && !keep.empty()) {
    if (error = Rename(directory->replaced, keep); error.ok()) {
      directory->replaced.clear();
      directory->kept = keep;
    }
  }
  return error;
}

// The target was exchanged as a whole. Moves back what is not the database's.
Error RestoreTarget::ReturnOthersFiles(const std::string& from, const std::string& to, bool is_database,
                                       const std::string& wal_inside) {
  std::vector<std::string> names;
  if (Error error = ListNames(from, &names); !error.ok()) {
    return error;
  }
  const std::string to_wal = FirstPart(wal_inside);
  for (const auto& name : names) {
    const std::string path = from + "/" + name;
    Error error;
    if (!to_wal.empty() && name == to_wal && IsDirectory(path)) {
      const std::string rest = wal_inside.size() > to_wal.size() ? wal_inside.substr(to_wal.size() + 1) : "";
      error = ReturnOthersFiles(path, to + "/" + name, false, rest);
    } else if (is_database ? !BelongsToDatabase(from, name) : !BelongsToLogs(from, name)) {
      error = Rename(path, to + "/" + name);
    }
    if (!error.ok()) {
      return error;
    }
  }
  return Error();
}

}  // namespace rocksdb_backup
