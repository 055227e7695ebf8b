#include "core/target_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/paths.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {
namespace {

namespace fs = std::filesystem;

// Where the worst of not seeing a file is that it stays.
std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  (void)ListNames(directory, &names);
  return names;
}

// A directory of RocksDB's own below a database: nothing in it but archived logs.
bool IsArchive(const std::string& path) {
  if (NameOf(path) != "archive" || !IsDirectory(path)) {
    return false;
  }
  for (const auto& name : NamesIn(path)) {
    if (!IsWalFileName(name)) {
      return false;
    }
  }
  return true;
}

// Of one directory, and not of those in it that have files of others.
void RemoveDatabaseFiles(const std::string& directory) {
  std::error_code ignored;
  for (const auto& name : NamesIn(directory)) {
    const std::string path = directory + "/" + name;
    if (BelongsToDatabase(directory, name)) {
      fs::remove_all(path, ignored);
    } else if (IsDirectory(path) && NamesIn(path).empty()) {
      fs::remove(path, ignored);
    }
  }
  fs::remove(directory, ignored);
}

#if defined(__linux__)
// A directory bound to another of the same file system is a mount point, too, which only this list tells.
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

Error ListNames(const std::string& directory, std::vector<std::string>* names) {
  names->clear();
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (std::string name = entry->path().filename().string(); name != "lost+found") {
      names->push_back(std::move(name));
    }
  }
  return error ? Error::System("cannot list the directory " + directory, error.value()) : Error();
}

bool IsDirectory(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(fs::symlink_status(path, ignored));
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
  const std::string to_wal = wal_inside.substr(0, wal_inside.find('/'));
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
  // As in /tmp: only its owner, the parent's or root may rename it.
  return (parent.st_mode & S_ISVTX) != 0 && geteuid() != 0 && self.st_uid != geteuid() && parent.st_uid != geteuid();
}

bool ExchangeNames(const std::string& a, const std::string& b) {
#if defined(RENAME_EXCHANGE)
  return renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#elif defined(__linux__) && defined(SYS_renameat2)
  constexpr unsigned kExchange = 2;  // a C library without a function for it
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
  return Error::From(status, "syncing " + path);
}

Error SyncFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
  if (fd >= 0) {
    close(fd);
  }
  return failed == 0 ? Error() : Error::System("syncing " + path, failed);
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

void RemoveStale(const std::string& parent, const std::string& prefix, const std::string& target,
                 bool unfinished_only) {
  for (const auto& name : NamesIn(parent)) {
    if (!name.starts_with(prefix)) {
      continue;
    }
    const std::string path = parent + "/" + name;
    const bool replaced = name.ends_with(kReplacedMark);
    std::string owner = replaced ? path.substr(0, path.size() - strlen(kReplacedMark)) : path;
    std::error_code ignored;
    if (!fs::exists(owner, ignored)) {
      owner = path;
    }
    bool locked = false;
    const int fd = TryLockDirectory(owner, &locked);
    if (fd < 0) {
      continue;
    }
    if (!locked) {
      // Somebody may be at work in it, as far as can be known here.
    } else if (!replaced && HasSign(path)) {
      fs::remove_all(path, ignored);
    } else if (!unfinished_only) {
      // It died after the exchange: what is not the database's belongs back into the target.
      for (const auto& entry : NamesIn(path)) {
        if (!BelongsToDatabase(path, entry) && !fs::exists(fs::symlink_status(target + "/" + entry, ignored))) {
          fs::rename(path + "/" + entry, target + "/" + entry, ignored);
        }
      }
      RemoveDatabaseFiles(path);
    }
    UnlockDirectory(fd);
  }
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
  flock(fd, LOCK_UN);  // said, because a process forked a moment ago has the file, too
  close(fd);
}

std::string Shortened(const std::string& name) {
  constexpr size_t kLongest = 180;  // of the 255 bytes that file systems give
  if (name.size() <= kLongest) {
    return name;
  }
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char byte : name) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) {
    --end;  // not in the middle of a character
  }
  char number[24];
  snprintf(number, sizeof(number), "~%016llx", static_cast<unsigned long long>(hash));
  return name.substr(0, end) + number;
}

}  // namespace rocksdb_backup
