#include "core/restore/target_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/base/paths.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {
namespace {

namespace fs = std::filesystem;

// Whether this is RocksDB's own directory below a database, which holds only archived logs. A database counts its files
// upwards, so it has archived no log whose number it has not reached yet. (`archive/2024.log` may be somebody else's.)
bool IsArchive(const std::string& path) {
  if (NameOf(path) != "archive" || !IsDirectory(path)) {
    return false;
  }
  uint64_t archived = 0;
  for (const auto& name : NamesIn(path)) {
    if (!IsWalFileName(name)) {
      return false;
    }
    archived = std::max(archived, NumberIn(name));
  }
  uint64_t reached = 0;
  for (const auto& name : NamesIn(ParentOf(path))) {
    if (IsDatabaseFileName(name)) {
      reached = std::max(reached, NumberIn(name));
    }
  }
  return archived <= reached || reached == 0;
}

#if defined(__linux__)
// A directory that is bound to another one of the same file system is a mount point, too. Only this list shows it.
bool IsListedMountPoint(const std::string& directory) {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string field;
    for (int i = 0; i < 5; ++i) {
      fields >> field;
    }
    std::string path;
    for (size_t i = 0; i < field.size(); ++i) {
      if (field[i] == '\\' && i + 3 < field.size()) {
        path += static_cast<char>(std::stoi(field.substr(i + 1, 3), nullptr, 8));
        i += 3;
      } else {
        path += field[i];
      }
    }
    if (path == directory) {
      return true;
    }
  }
  return false;
}
#endif

}  // namespace

bool HasSign(const std::string& staged) {
  std::error_code ignored;
  return fs::exists(staged + "/" + kStagedSign, ignored);
}

bool HasMovingSign(const std::string& staged) {
  std::error_code ignored;
  return fs::exists(staged + "/" + kMovingOutSign, ignored) || fs::exists(staged + "/" + kMovingInSign, ignored);
}

void RemoveStaged(const std::string& staged) {
  std::error_code ignored;
  for (const auto& name : NamesIn(staged)) {
    if (name != kStagedSign) {
      fs::remove_all(staged + "/" + name, ignored);
    }
  }
  fs::remove_all(staged, ignored);
}

std::string StagedOf(const std::string& path) {
  std::error_code ignored;
  if (path.ends_with(kReplacedMark)) {
    if (std::string staged = path.substr(0, path.size() - strlen(kReplacedMark)); fs::exists(staged, ignored)) {
      return staged;
    }
  }
  return path;
}

Error ListNames(const std::string& directory, std::vector<std::string>* names) {
  names->clear();
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (std::string name = entry->path().filename().string(); name != "lost+found") {
      names->push_back(std::move(name));
    }
  }
  return error ? Error::System("cannot list the directory " + directory, error.value()).With("path", directory)
               : Error();
}

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  (void)ListNames(directory, &names);
  return names;
}

bool IsDirectory(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(fs::symlink_status(path, ignored));
}

std::string FirstPart(const std::string& relative_path) { return relative_path.substr(0, relative_path.find('/')); }

uint64_t NumberIn(const std::string& name) {
  const size_t begin = name.find_first_of("0123456789");
  // The number in LOG.old.<microseconds> does not count files.
  return begin == std::string::npos || name.starts_with("LOG") ? 0 : strtoull(name.c_str() + begin, nullptr, 10);
}

bool BelongsToDatabase(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  return IsDirectory(path) ? IsArchive(path) : IsDatabaseFileName(name);
}

bool BelongsToLogs(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  return IsDirectory(path) ? IsArchive(path) : IsWalFileName(name);
}

bool HasOthersFolder(const std::string& directory, const std::string& wal_inside) {
  const std::string to_wal = FirstPart(wal_inside);
  for (const auto& name : NamesIn(directory)) {
    const std::string path = directory + "/" + name;
    if (!IsDirectory(path) || IsArchive(path)) {
      continue;
    }
    if (to_wal.empty() || name != to_wal ||
        HasOthersFolder(path, wal_inside.size() > to_wal.size() ? wal_inside.substr(to_wal.size() + 1) : "")) {
      return true;
    }
  }
  return false;
}

bool IsMountPointOrFixed(const std::string& directory) {
  struct stat self = {};
  struct stat parent = {};
  const std::string above = ParentOf(directory);
  if (stat(directory.c_str(), &self) != 0 || stat(above.c_str(), &parent) != 0 || self.st_dev != parent.st_dev ||
      access(above.c_str(), W_OK) != 0) {
    return true;
  }
#if defined(__linux__)
  if (IsListedMountPoint(directory)) {
    return true;
  }
#endif
  // The parent is like /tmp: only the directory's owner, the parent's owner or root may rename it.
  return (parent.st_mode & S_ISVTX) != 0 && geteuid() != 0 && self.st_uid != geteuid() && parent.st_uid != geteuid();
}

bool ExchangeNames(const std::string& a, const std::string& b) {
#if defined(RENAME_EXCHANGE)
  return renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#elif defined(__linux__) && defined(SYS_renameat2)
  constexpr unsigned kExchange = 2;  // for a C library without a function for it
  return syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), kExchange) == 0;
#elif defined(RENAME_SWAP)
  return renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0;
#else
  (void)a, (void)b;
  return false;
#endif
}

Error SyncDirectory(const std::string& path) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  rocksdb::IOStatus status =
      rocksdb::FileSystem::Default()->NewDirectory(path, rocksdb::IOOptions(), &directory, nullptr);
  if (status.ok()) {
    status = directory->Fsync(rocksdb::IOOptions(), nullptr);
  }
  return Error::From(status, "syncing " + path).With("path", path);
}

Error SyncFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
  if (fd >= 0) {
    close(fd);
  }
  return failed == 0 ? Error() : Error::System("syncing " + path, failed).With("path", path);
}

void RemoveDatabaseFiles(const std::string& directory) {
  std::error_code ignored;
  std::vector<std::string> removed;
  for (const auto& name : NamesIn(directory)) {
    const std::string path = directory + "/" + name;
    if (BelongsToDatabase(directory, name)) {
      // The archive is removed first, because the other files show that it is the database's.
      removed.insert(IsDirectory(path) ? removed.begin() : removed.end(), path);
    } else if (IsDirectory(path) && NamesIn(path).empty()) {
      fs::remove(path, ignored);
    }
  }
  for (const std::string& path : removed) {
    fs::remove_all(path, ignored);
  }
  fs::remove(directory, ignored);
}

void RemoveDatabase(const std::string& directory, const std::string& wal_inside) {
  if (directory.empty()) {
    return;
  }
  if (!wal_inside.empty()) {
    for (std::string path = wal_inside; path != "."; path = ParentOf(path)) {
      RemoveDatabaseFiles(directory + "/" + path);
    }
  }
  RemoveDatabaseFiles(directory);
}

int TryLockDirectory(const std::string& path, bool* locked) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool has_lock = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
  if (fd >= 0 && !has_lock && errno == EWOULDBLOCK) {
    close(fd);
    return -1;
  }
  if (locked != nullptr) {
    *locked = has_lock;
  }
  return fd;
}

void UnlockDirectory(int fd) {
  flock(fd, LOCK_UN);  // explicitly, because a process that was forked a moment ago has the file open, too
  close(fd);
}

std::string Shortened(const std::string& name) {
  constexpr size_t kLongest = 180;  // of the 255 bytes that file systems allow
  if (name.size() <= kLongest) {
    return name;
  }
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char byte : name) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) {
    --end;  // must not end in the middle of a character
  }
  char number[24];
  snprintf(number, sizeof(number), "~%016llx", static_cast<unsigned long long>(hash));
  return name.substr(0, end) + number;
}

}  // namespace rocksdb_backup
