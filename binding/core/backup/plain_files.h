#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <functional>
#include <string>

#include "core/base/descriptor.h"

namespace rocksdb_backup {

// Lists directories and reads files by descriptors, fast. Links are not followed, and only plain files count. What else
// there is, is left to a BackupEngine, under core/storage/local_fs.h.

// How coarse the clock of a file system may be: two seconds on FAT. On a network it is the server's own clock.
constexpr std::time_t kClockSeconds = 3;

// Tells whether a file is still what it was.
struct Stamp {
  dev_t device = 0;
  ino_t inode = 0;
  uint64_t size = 0;
  timespec modified = {};
  timespec changed = {};
  std::string tag = {};  // of a file that is not on a disk; differs for every content

  bool operator==(const Stamp& other) const {
    const auto same = [](const timespec& a, const timespec& b) {
      return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
    };
    return tag == other.tag && device == other.device && inode == other.inode && size == other.size &&
           same(modified, other.modified) && same(changed, other.changed);
  }
  // Whether the last change is long enough ago that a change from now on would get another time.
  bool IsSettled(std::time_t now) const {
    return !tag.empty() || std::max(modified.tv_sec, changed.tv_sec) + kClockSeconds < now;
  }
};

Stamp StampOf(const struct stat& found);

// `follow` is 0 for a directory that may be a link.
Descriptor OpenDirectory(int parent, const char* name, int follow = O_NOFOLLOW);

// Calls `found(directory, name)` for each entry. False if the directory could not be read to its end.
bool ForEachName(Descriptor directory, const std::function<bool(int, const char*)>& found);

// Calls `found(stamp)` if this is a plain file. Anything else is left out, so a backup that names it counts as unusual.
bool IfPlainFile(int directory, const char* file, const std::function<void(const Stamp&)>& found);

// Calls `found(name, stamp)` for each plain file.
bool ForEachFile(int parent, const char* name, const std::function<void(const char*, const Stamp&)>& found);

// False if the file is larger, is no plain file, or changes meanwhile.
bool ReadWhole(int parent, const std::string& name, size_t max_bytes, std::string* text, Stamp* stamp);

}  // namespace rocksdb_backup
