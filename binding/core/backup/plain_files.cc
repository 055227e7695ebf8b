#include "core/backup/plain_files.h"

#include <dirent.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

namespace rocksdb_backup {

Stamp StampOf(const struct stat& found) {
#ifdef __APPLE__
  return {found.st_dev, found.st_ino, static_cast<uint64_t>(found.st_size), found.st_mtimespec, found.st_ctimespec, {}};
#else
  return {found.st_dev, found.st_ino, static_cast<uint64_t>(found.st_size), found.st_mtim, found.st_ctim, {}};
#endif
}

Descriptor OpenDirectory(int parent, const char* name, int follow) {
  return Descriptor(openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow));
}

bool ForEachName(Descriptor directory, const std::function<bool(int, const char*)>& found) {
  DIR* const opened = fdopendir(directory.get());
  if (opened == nullptr) {
    return false;
  }
  (void)directory.Release();
  const std::unique_ptr<DIR, int (*)(DIR*)> closing(opened, &closedir);
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(opened);
    if (entry == nullptr) {
      return errno == 0;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && !found(dirfd(opened), entry->d_name)) {
      return false;
    }
  }
}

bool IfPlainFile(int directory, const char* file, const std::function<void(const Stamp&)>& found) {
  struct stat status = {};
  if (fstatat(directory, file, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT;  // it existed a moment ago; code that needs it will find it missing
  }
  if (S_ISREG(status.st_mode)) {
    found(StampOf(status));
  }
  return true;
}

bool ForEachFile(int parent, const char* name, const std::function<void(const char*, const Stamp&)>& found) {
  Descriptor directory = OpenDirectory(parent, name);
  if (!directory.ok()) {
    return errno == ENOENT;
  }
  return ForEachName(std::move(directory), [&](int fd, const char* file) {
    return IfPlainFile(fd, file, [&](const Stamp& stamp) { found(file, stamp); });
  });
}

bool ReadWhole(int parent, const std::string& name, size_t max_bytes, std::string* text, Stamp* stamp) {
  const Descriptor file(openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat before = {};
  if (!file.ok() || fstat(file.get(), &before) != 0 || !S_ISREG(before.st_mode) ||
      static_cast<uint64_t>(before.st_size) > max_bytes) {
    return false;
  }
  text->resize(static_cast<size_t>(before.st_size));
  if (ReadFully(file, text->data(), text->size()) != before.st_size) {
    return false;
  }
  struct stat after = {};
  *stamp = StampOf(before);
  return fstat(file.get(), &after) == 0 && StampOf(after) == *stamp;
}

}  // namespace rocksdb_backup
