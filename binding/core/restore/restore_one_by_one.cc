// Puts what is staged into the target's place where the target cannot be exchanged as a whole: file by file.

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>

#include "core/base/paths.h"
#include "core/restore/restore_target.h"
#include "core/restore/target_files.h"
#include "core/storage/directories.h"

namespace rocksdb_backup {

// The directory itself stays. The old files move out, CURRENT first; then the new files move in, CURRENT last. So a
// mixture of old and new files can never be opened.
Error RestoreTarget::PlaceFiles(Directory* directory, bool is_database) {
  FilesToMove files;
  files.wal = is_database && !wal_inside_.empty() ? "/" + wal_inside_ : "";
  const std::string keep = PlaceToKeep(*directory, is_database);
  directory->replaced = directory->staged + kReplacedMark;
  if (Error error = MakePlaceForReplaced(*directory, files); !error.ok()) {
    return error;
  }
  if (Error error = ListOldFiles(*directory, is_database, &files); !error.ok()) {
    return error;
  }
  if (Error error = ListNewFiles(*directory, &files); !error.ok()) {
    return error;
  }
  if (Error error = MoveOut(*directory, files); !error.ok()) {
    return error;
  }
  if (Error error = EndMovingOut(*directory, files); !error.ok()) {
    return error;
  }
  if (!keep.empty()) {
    if (Error error = Rename(directory->replaced, keep); !error.ok()) {
      return error;
    }
    directory->kept = keep;
    if (Error error = Sync(ParentOf(keep)); !error.ok()) {
      return error;
    }
  }
  return MoveIn(*directory, files);
}

Error RestoreTarget::MakePlaceForReplaced(const Directory& directory, const FilesToMove& files) {
  for (const std::string& needed : {directory.replaced + files.wal, directory.target + files.wal}) {
    if (Error error = CreateDirectories(needed); !error.ok()) {
      return error;
    }
  }
  if (struct stat was = {}; stat(directory.target.c_str(), &was) == 0) {
    (void)chmod(directory.replaced.c_str(), was.st_mode & 07777);  // no more permissions than the database had
  }
  return Error();
}

Error RestoreTarget::ListOldFiles(const Directory& directory, bool is_database, FilesToMove* files) {
  const std::string& target = directory.target;
  std::vector<std::string> names;
  if (!files->wal.empty()) {
    if (Error error = ListNames(target + files->wal, &names); !error.ok()) {
      return error;
    }
    for (const auto& name : names) {
      if (BelongsToLogs(target + files->wal, name)) {
        files->old_names.push_back(files->wal + "/" + name);
      }
    }
  }
  if (Error error = ListNames(target, &names); !error.ok()) {
    return error;
  }
  for (const auto& name : names) {
    if (is_database ? BelongsToDatabase(target, name) : BelongsToLogs(target, name)) {
      files->old_names.push_back("/" + name);
    }
  }
  // CURRENT goes first. The others go by number, and the archive last: so after a crash, what is left is recognized as
  // a database's.
  const auto rank = [&](const std::string& name) {
    return name == "/CURRENT" ? 0 : IsDirectory(target + name) ? UINT64_MAX : 1 + NumberIn(NameOf(name));
  };
  std::stable_sort(files->old_names.begin(), files->old_names.end(),
                   [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return Error();
}

Error RestoreTarget::ListNewFiles(const Directory& directory, FilesToMove* files) {
  std::vector<std::string> names;
  if (!files->wal.empty()) {
    if (Error error = ListNames(directory.staged + files->wal, &names); !error.ok()) {
      return error;
    }
    for (const auto& name : names) {
      files->new_names.push_back(files->wal + "/" + name);
    }
  }
  if (Error error = ListNames(directory.staged, &names); !error.ok()) {
    return error;
  }
  for (const auto& name : names) {
    if (name != kMovingOutSign && (files->wal.empty() || name != FirstPart(wal_inside_))) {
      files->new_names.insert(name == "CURRENT" ? files->new_names.end() : files->new_names.begin(), "/" + name);
    }
  }
  return Error();
}

Error RestoreTarget::MoveOut(const Directory& directory, const FilesToMove& files) {
  for (const auto& name : files.old_names) {
    if (Error error = Rename(directory.target + name, directory.replaced + name); !error.ok()) {
      return error;
    }
    if (name == "/CURRENT") {
      // CURRENT must be out for good before anything that it needs moves out.
      if (Error error = Sync(directory.target); !error.ok()) {
        return error;
      }
    }
  }
  return Error();
}

// If this process or the power ends before, the next restore moves the old files back. From then on, they are whole
// where they are.
Error RestoreTarget::EndMovingOut(const Directory& directory, const FilesToMove& files) {
  const auto sync = [this](std::initializer_list<std::string> directories) {
    Error error;
    for (const std::string& synced : directories) {
      if (error.ok()) {
        error = Sync(synced);
      }
    }
    return error;
  };
  const std::string& replaced = directory.replaced;
  if (Error error =
          sync({replaced + files.wal, replaced, ParentOf(replaced), directory.target + files.wal, directory.target});
      !error.ok()) {
    return error;
  }
  if (Error error = Rename(directory.staged + "/" + kMovingOutSign, directory.staged + "/" + kMovingInSign);
      !error.ok()) {
    return error;
  }
  return sync({directory.staged});
}

Error RestoreTarget::MoveIn(const Directory& directory, const FilesToMove& files) {
  for (const auto& name : files.new_names) {
    if (name == "/CURRENT") {
      for (const std::string& synced : {directory.target + files.wal, directory.target}) {
        if (Error error = Sync(synced); !error.ok()) {
          return error;
        }
      }
    }
    if (Error error = Rename(directory.staged + name, directory.target + name); !error.ok()) {
      return error;
    }
  }
  return Error();
}

}  // namespace rocksdb_backup
