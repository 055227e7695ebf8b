#include "core/restore/restore_leftovers.h"

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

// `.NAME.restoring-PID-N`; without `.NAME` if the target cannot be replaced as a whole.
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

}  // namespace

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
    } else if (!name.ends_with(kReplacedMark) && HasSign(path)) {
      RemoveStaged(path);
    } else {
      // That restore died after the exchange. What is not the database's belongs back into the target.
      for (const auto& entry : NamesIn(path)) {
        if (!BelongsToDatabase(path, entry) && !fs::exists(fs::symlink_status(target + "/" + entry, ignored))) {
          fs::rename(path + "/" + entry, target + "/" + entry, ignored);
        }
      }
      const bool keep = old == Replaced::kKept || name.compare(prefix.size(), strlen(kKeepMark), kKeepMark) == 0;
      if (keep && !NamesIn(path).empty()) {
        fs::rename(path, NameToKeep(parent, target), ignored);
      } else {
        RemoveDatabaseFiles(path);
      }
    }
    UnlockDirectory(fd);
  }
}

std::string NameToKeep(const std::string& parent, const std::string& target) {
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

}  // namespace rocksdb_backup
