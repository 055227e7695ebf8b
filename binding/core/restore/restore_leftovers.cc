#include "core/restore/restore_leftovers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/base/paths.h"
#include "core/restore/target_files.h"

namespace rocksdb_backup {
namespace {

namespace fs = std::filesystem;

// `.NAME.restoring-PID-N`; without `.NAME` if it lies in the target.
bool IsStagedName(std::string_view name) {
  const size_t mark = name.rfind(kStagedMark);
  if (mark == std::string_view::npos || name.front() != '.') {
    return false;
  }
  name.remove_prefix(mark + strlen(kStagedMark));
  if (name.ends_with(kReplacedMark)) {
    name.remove_suffix(strlen(kReplacedMark));
  }
  if (name.starts_with(kKeepMark)) {
    name.remove_prefix(strlen(kKeepMark));
  }
  const size_t dash = name.find('-');
  return dash != std::string_view::npos && AllDigits(name.substr(0, dash)) && AllDigits(name.substr(dash + 1));
}

uint64_t BytesIn(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (fs::is_regular_file(entry->symlink_status(ignored))) {
      bytes += entry->file_size(ignored);
    }
  }
  return bytes;
}

// The files below a directory, as paths relative to it. An archive counts as one file. CURRENT comes last.
std::vector<std::string> FilesToBringBack(const std::string& directory, const std::string& below = "") {
  std::vector<std::string> files;
  for (const auto& name : NamesIn(directory + below)) {
    const std::string path = below + "/" + name;
    if (!IsDirectory(directory + path) || BelongsToDatabase(directory + below, name)) {
      files.insert(path == "/CURRENT" ? files.end() : files.begin(), path);
    } else {
      const auto inside = FilesToBringBack(directory, path);
      files.insert(files.begin(), inside.begin(), inside.end());
    }
  }
  return files;
}

void RemoveEmptyDirectories(const std::string& directory) {
  for (const auto& name : NamesIn(directory)) {
    if (IsDirectory(directory + "/" + name)) {
      RemoveEmptyDirectories(directory + "/" + name);
    }
  }
  rmdir(directory.c_str());  // fails if it is not empty
}

Error BringBack(const std::string& replaced, const std::string& target) {
  const std::vector<std::string> files = FilesToBringBack(replaced);
  std::error_code error;
  if (std::any_of(files.begin(), files.end(),
                  [&](const auto& file) { return fs::exists(fs::symlink_status(target + file, error)); })) {
    return Error();  // somebody has made something there since, so these files stay as they are
  }
  for (const auto& file : files) {
    if (file == "/CURRENT") {
      if (Error unsynced = SyncDirectory(target); !unsynced.ok()) {
        return unsynced;  // a CURRENT must not be there without what it names
      }
    }
    if (rename((replaced + file).c_str(), (target + file).c_str()) != 0) {
      return Error::System("cannot move " + replaced + file + " back to " + target + file, errno)
          .With("path", target + file);
    }
  }
  RemoveEmptyDirectories(replaced);
  return SyncDirectory(target);
}

}  // namespace

Error BringBackOld(const std::string& parent, const std::string& prefix, const std::string& target, HalfMoved* found) {
  *found = {};
  for (const auto& name : NamesIn(parent)) {
    const std::string path = parent + "/" + name;
    if (!name.starts_with(prefix) || name.ends_with(kReplacedMark) || !HasMovingSign(path)) {
      continue;
    }
    bool locked = false;
    const int fd = TryLockDirectory(path, &locked);
    if (fd < 0) {
      continue;  // its restore lives
    }
    Error error;
    std::error_code ignored;
    if (locked) {
      found->was_to_keep |= name.compare(prefix.size(), strlen(kKeepMark), kKeepMark) == 0;
      if (fs::exists(path + "/" + kMovingInSign, ignored)) {
        found->new_files |= !fs::exists(target + "/CURRENT", ignored);
      } else {
        error = BringBack(path + kReplacedMark, target);
      }
    }
    UnlockDirectory(fd);
    if (!error.ok()) {
      return error;
    }
  }
  return Error();
}

void RemoveStale(const std::string& parent, const std::string& prefix, const std::string& target, Replaced old) {
  for (const auto& name : NamesIn(parent)) {
    if (!name.starts_with(prefix)) {
      continue;
    }
    const std::string path = parent + "/" + name;
    bool locked = false;
    const int fd = TryLockDirectory(StagedOf(path), &locked);
    if (fd < 0) {
      continue;
    }
    std::error_code ignored;
    if (!locked) {
      // Somebody may be working in it; without locks this cannot be known.
    } else if (!name.ends_with(kReplacedMark) && (HasSign(path) || HasMovingSign(path))) {
      RemoveStaged(path);  // a copy of what is in the backup
    } else {
      // That restore died after the exchange. What is not the database's belongs back into the target.
      for (const auto& entry : NamesIn(path)) {
        if (!BelongsToDatabase(path, entry) && !fs::exists(fs::symlink_status(target + "/" + entry, ignored))) {
          fs::rename(path + "/" + entry, target + "/" + entry, ignored);
        }
      }
      const bool keep = old == Replaced::kKept || name.compare(prefix.size(), strlen(kKeepMark), kKeepMark) == 0;
      if (keep && !NamesIn(path).empty()) {
        fs::rename(path, PathToKeep(target), ignored);
      } else {
        RemoveDatabaseFiles(path);
      }
    }
    UnlockDirectory(fd);
  }
}

std::string PathToKeep(const std::string& target) {
  const std::string parent = IsMountPointOrFixed(target) ? target : ParentOf(target);
  const time_t now = time(nullptr);
  struct tm utc = {};
  gmtime_r(&now, &utc);
  char when[32];
  (void)strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &utc);
  const std::string name = parent + "/" + Shortened(NameOf(target)) + ".replaced-" + when;
  std::string free = name;
  std::error_code ignored;
  for (int n = 2; fs::exists(fs::symlink_status(free, ignored)); ++n) {
    free = name + "-" + std::to_string(n);
  }
  return free;
}

Error FindLeftovers(const std::string& parent, Leftovers what, std::vector<RestoreLeftover>* found) {
  std::vector<std::string> names;
  if (Error error = ListNames(parent, &names); !error.ok()) {
    return error;
  }
  for (const auto& name : names) {
    const std::string path = parent + "/" + name;
    if (!IsStagedName(name) || !IsDirectory(path)) {
      continue;
    }
    bool locked = false;
    const int fd = TryLockDirectory(StagedOf(path), &locked);
    if (fd < 0) {
      continue;  // belongs to a running restore
    }
    if (locked) {
      RestoreLeftover left{path, BytesIn(path), !name.ends_with(kReplacedMark) && HasSign(path), false};
      if (what == Leftovers::kRemove && left.unfinished) {
        RemoveStaged(path);
        std::error_code ignored;
        left.removed = !fs::exists(path, ignored);
      }
      found->push_back(std::move(left));
    }
    UnlockDirectory(fd);
  }
  return Error();
}

Error FindAllLeftovers(const std::string& parent, Leftovers what, std::vector<RestoreLeftover>* found) {
  if (Error error = FindLeftovers(parent, what, found); !error.ok()) {
    return error;
  }
  for (const auto& name : NamesIn(parent)) {
    if (const std::string target = parent + "/" + name; !IsStagedName(name) && IsDirectory(target)) {
      (void)FindLeftovers(target, what, found);  // a directory that is not ours to read has nothing of ours
    }
  }
  return Error();
}

}  // namespace rocksdb_backup
