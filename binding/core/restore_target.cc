#include "core/restore_target.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/paths.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {
namespace {

namespace fs = std::filesystem;

constexpr char kStagedMark[] = ".restoring-";
// Behind a staged directory's name: what it takes the place of.
constexpr char kReplacedMark[] = ".replaced";
// In a staged directory until it takes the target's place: all beside it is ours to remove. A directory, because the
// engine's restore begins with deleting every file.
constexpr char kStagedSign[] = ".rocksdb-backup-staged";

Error SystemError(const std::string& doing, int error) {
  return Error("ROCKSDB_IO_ERROR", doing + ": " + std::strerror(error));
}

// Puts each in the other's place in one step. False where the system cannot.
bool Exchange(const std::string& a, const std::string& b) {
#if defined(RENAME_EXCHANGE)
  return renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#elif defined(RENAME_SWAP)
  return renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0;
#else
  (void)a, (void)b;
  return false;
#endif
}

// `lost+found` is the file system's own and says nothing about a directory's use.
Error List(const std::string& directory, std::vector<std::string>* names) {
  names->clear();
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (std::string name = entry->path().filename().string(); name != "lost+found") {
      names->push_back(std::move(name));
    }
  }
  return error ? Error("ROCKSDB_IO_ERROR", "cannot list the directory " + directory + ": " + error.message()) : Error();
}

// The same where the worst of not seeing a file is that it stays.
std::vector<std::string> Entries(const std::string& directory) {
  std::vector<std::string> names;
  (void)List(directory, &names);
  return names;
}

bool IsDirectory(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(fs::symlink_status(path, ignored));
}

// A directory of RocksDB's own below a database: nothing in it but archived logs.
bool IsArchive(const std::string& path) {
  if (NameOf(path) != "archive" || !IsDirectory(path)) {
    return false;
  }
  for (const auto& name : Entries(path)) {
    if (!IsWalFileName(name)) {
      return false;
    }
  }
  return true;
}

bool BelongsToDatabase(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  return IsDirectory(path) ? IsArchive(path) : IsDatabaseFileName(name);
}

bool BelongsToLogs(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  return IsDirectory(path) ? IsArchive(path) : IsWalFileName(name);
}

// What works in a folder of its own below a database's directory must not see it vanish, as it would for a moment while
// two directories change places.
bool HasOthersFolder(const std::string& directory, const std::string& wal_inside) {
  const std::string to_wal = wal_inside.substr(0, wal_inside.find('/'));
  for (const auto& name : Entries(directory)) {
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

// The beginning of a name that is made of `name` and must fit where `name` fits: cut short it ends in a number made of
// all of it, always the same one.
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

// Removes what is the database's and then the directory if nothing else is left: never anybody else's file.
void RemoveDatabaseFiles(const std::string& directory) {
  std::error_code ignored;
  for (const auto& name : Entries(directory)) {
    const std::string path = directory + "/" + name;
    if (BelongsToDatabase(directory, name)) {
      fs::remove_all(path, ignored);
    } else if (IsDirectory(path) && Entries(path).empty()) {
      fs::remove(path, ignored);
    }
  }
  fs::remove(directory, ignored);
}

void RemoveEmptied(const std::string& directory, const std::string& wal_inside) {
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

bool HasSign(const std::string& staged) {
  std::error_code ignored;
  return fs::exists(staged + "/" + kStagedSign, ignored);
}

bool EndsWith(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

// The directory's lock, or -1 where somebody else has it or there is no such directory.
int TryLockDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(fd);
    return -1;
  }
  return fd;
}

void UnlockDirectory(int fd) {
  flock(fd, LOCK_UN);  // said, because a process forked a moment ago has the file, too
  close(fd);
}

// Left by a restore whose process died. A running one holds a lock on its directory.
void RemoveStale(const std::string& parent, const std::string& prefix, const std::string& target) {
  for (const auto& name : Entries(parent)) {
    if (name.compare(0, prefix.size(), prefix) != 0) {
      continue;
    }
    const std::string path = parent + "/" + name;
    const bool replaced = EndsWith(name, kReplacedMark);
    std::string owner = replaced ? path.substr(0, path.size() - strlen(kReplacedMark)) : path;
    std::error_code ignored;
    if (!fs::exists(owner, ignored)) {
      owner = path;
    }
    const int fd = TryLockDirectory(owner);
    if (fd < 0) {
      continue;
    }
    if (!replaced && HasSign(path)) {
      fs::remove_all(path, ignored);
    } else {
      // It died after the exchange: what is not the database's belongs back into the target.
      for (const auto& entry : Entries(path)) {
        if (!BelongsToDatabase(path, entry) && !fs::exists(fs::symlink_status(target + "/" + entry, ignored))) {
          fs::rename(path + "/" + entry, target + "/" + entry, ignored);
        }
      }
      RemoveDatabaseFiles(path);
    }
    UnlockDirectory(fd);
  }
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

}  // namespace

Error MakeDirectories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? Error("ROCKSDB_IO_ERROR", "cannot create the directory " + path + ": " + error.message()) : Error();
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

RestoreTarget::RestoreTarget(Options options) : options_(std::move(options)) {}

RestoreTarget::~RestoreTarget() {
  std::error_code ignored;
  for (const Directory* directory : {&database_, &wal_}) {
    if (!directory->staged.empty() && HasSign(directory->staged)) {
      fs::remove_all(directory->staged, ignored);
    }
    if (directory->staged_fd >= 0) {
      UnlockDirectory(directory->staged_fd);
    }
  }
  if (lock_ != nullptr) {
    rocksdb::Env::Default()->UnlockFile(lock_).PermitUncheckedError();
  }
}

Error RestoreTarget::Prepare(const std::string& backup_dir) {
  if (options_.database_dir.empty()) {
    return Error("INVALID_OPTION", "the path to restore to must not be empty");
  }
  database_.target = RealPath(options_.database_dir);
  const std::string backup = RealPath(backup_dir);
  const std::string wal = options_.wal_dir.empty() ? database_.target : RealPath(options_.wal_dir);
  for (const std::string& target : {database_.target, wal}) {
    bool refused = target == backup;
    for (const char* part : {"/meta", "/private", "/shared", "/shared_checksum"}) {
      refused = refused || target == backup + part || IsInside(target, backup + part);
    }
    if (refused) {
      return Error("INVALID_OPTION",
                   "cannot restore to " + target + ": that is the backup directory itself or a part of it");
    }
  }
  if (IsInside(database_.target, wal)) {
    return Error("INVALID_OPTION", "cannot restore to " + database_.target + ": it lies inside walDir " + wal);
  }
  separate_wal_ = wal != database_.target && !IsInside(wal, database_.target);
  if (IsInside(wal, database_.target)) {
    wal_inside_ = wal.substr(database_.target.size() + 1);
  }
  if (Error error = PrepareDirectory(database_.target, backup, &database_); !error.ok()) {
    return error;
  }
  if (separate_wal_) {
    if (Error error = PrepareDirectory(wal, backup, &wal_); !error.ok()) {
      return error;
    }
  }
  if (Error error = ClaimDatabase(); !error.ok()) {
    return error;
  }
  // Replacing the logs of another database would lose what is only in them.
  std::error_code ignored;
  if (wal != database_.target && fs::exists(wal + "/CURRENT", ignored)) {
    return Error("INVALID_OPTION", "walDir must be a directory for logs, not " + wal + ", where another database is");
  }
  return LockDatabase();
}

Error RestoreTarget::PrepareDirectory(const std::string& path, const std::string& backup_dir, Directory* directory) {
  directory->target = path;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    if (fs::is_symlink(fs::symlink_status(path, error))) {
      return Error("TARGET_EXISTS", "cannot restore to " + path + ": it is a link that leads nowhere");
    }
    return Error();
  }
  if (!fs::is_directory(status)) {
    return Error("TARGET_EXISTS", "cannot restore to " + path + ": it exists and is not a directory");
  }
  directory->existed = true;
  directory->inside = IsInside(backup_dir, path) || IsMountPointOrFixed(path) ||
                      HasOthersFolder(path, directory == &database_ ? wal_inside_ : "");
  return options_.overwrite ? Error() : Occupied(*directory);
}

Error RestoreTarget::Occupied(const Directory& directory) const {
  std::vector<std::string> names;
  if (Error error = List(directory.target, &names); !error.ok()) {
    return error;
  }
  for (const auto& name : names) {
    // A restore that did not come to its end has changed nothing yet.
    if (name.compare(0, strlen(kStagedMark), kStagedMark) == 0 && HasSign(directory.target + "/" + name)) {
      continue;
    }
    if (directory.staged.empty() || directory.staged != directory.target + "/" + name) {
      return Error(
          "TARGET_EXISTS",
          "cannot restore to " + directory.target +
              ": the directory is not empty. Restore to a new one, or pass overwrite: true, which replaces the "
              "database there once the restored one is complete and leaves other files where they are.");
    }
  }
  return Error();
}

Error RestoreTarget::ClaimDatabase() {
  const auto claim = [](const std::string& directory, DatabaseClaim* taken) {
    if (!DatabaseClaim::Take(directory, DatabaseClaim::Kind::kAlone, taken).ok()) {
      return Error("DATABASE_IN_USE", "cannot restore to " + directory +
                                          ": a database that has its files or its log there is open in this process. "
                                          "Close it first; nothing was changed.");
    }
    return Error();
  };
  if (Error error = claim(database_.target, &claim_); !error.ok()) {
    return error;
  }
  if (separate_wal_) {
    return claim(wal_.target, &wal_claim_);
  }
  return wal_inside_.empty() ? Error() : claim(database_.target + "/" + wal_inside_, &wal_claim_);
}

Error RestoreTarget::LockDatabase() {
  // A lock file nobody wrote says that no database was ever open here; making one would leave a file behind.
  const std::string lock_path = database_.target + "/LOCK";
  std::error_code ignored;
  if (lock_ != nullptr || !fs::exists(lock_path, ignored)) {
    return Error();
  }
  if (const rocksdb::Status status = rocksdb::Env::Default()->LockFile(lock_path, &lock_); !status.ok()) {
    lock_ = nullptr;
    return Error("DATABASE_IN_USE", "cannot restore to " + database_.target +
                                        ": the database there is open, in another process or through another library. "
                                        "Close it first; nothing was changed. (" +
                                        status.ToString() + ")");
  }
  return Error();
}

Error RestoreTarget::CheckSpace(uint64_t bytes) const {
  // The nearest directory that exists is on the file system that will be written.
  std::string directory = database_.target;
  while (directory != "/" && directory != "." && !IsDirectory(directory)) {
    directory = ParentOf(directory);
  }
  uint64_t free = 0;
  if (rocksdb::FileSystem::Default()->GetFreeSpace(directory, rocksdb::IOOptions(), &free, nullptr).ok() &&
      free < bytes) {
    return Error("NO_SPACE", "the restore would write " + HumanBytes(bytes) + " to " + database_.target + ", where " +
                                 HumanBytes(free) +
                                 " are free. Nothing was written. A database that is there is removed only after the "
                                 "restored one is complete. Free some space, or pass checkDiskSpace: false to try all "
                                 "the same.");
  }
  return Error();
}

Error RestoreTarget::StageDirectory(Directory* directory) {
  static std::atomic<uint64_t> counter{0};
  const std::string parent = directory->inside ? directory->target : ParentOf(directory->target);
  if (Error error = MakeDirectories(parent); !error.ok()) {
    return error;
  }
  const std::string prefix = directory->inside ? kStagedMark : "." + Shortened(NameOf(directory->target)) + kStagedMark;
  RemoveStale(parent, prefix, directory->target);
  // Until it is locked, another restore may take it for a stale one.
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts && directory->staged_fd < 0; ++attempt) {
    const std::string staged = parent + "/" + prefix + std::to_string(getpid()) + "-" + std::to_string(++counter);
    if (mkdir(staged.c_str(), 0777) != 0) {
      if (errno == EEXIST) {
        continue;
      }
      return SystemError("cannot create the directory " + staged, errno);
    }
    directory->staged_fd = TryLockDirectory(staged);
    if (directory->staged_fd >= 0 && mkdir((staged + "/" + kStagedSign).c_str(), 0777) == 0) {
      directory->staged = staged;
    } else {
      const int error = errno;
      if (directory->staged_fd >= 0) {
        close(std::exchange(directory->staged_fd, -1));
      }
      if (attempt + 1 == kAttempts) {
        return SystemError("cannot create files in " + staged, error);
      }
    }
  }
  if (directory->staged_fd < 0) {
    return SystemError("cannot create a directory beside " + directory->target, EEXIST);
  }
  if (struct stat was = {}; directory->existed && stat(directory->target.c_str(), &was) == 0) {
    // Who could open the database that was there can open the one that takes its place. Best effort: only root can.
    if (fchmod(directory->staged_fd, was.st_mode & 07777) != 0 ||
        fchown(directory->staged_fd, was.st_uid, was.st_gid) != 0) {
      errno = 0;
    }
  }
  return Error();
}

Error RestoreTarget::Stage() {
  if (Error error = StageDirectory(&database_); !error.ok()) {
    return error;
  }
  staged_wal_inside_ = database_.staged;
  if (separate_wal_) {
    return StageDirectory(&wal_);
  }
  if (!wal_inside_.empty()) {
    staged_wal_inside_ += "/" + wal_inside_;
    return MakeDirectories(staged_wal_inside_);
  }
  return Error();
}

// The logs that are in the target go on beside the restored files, archived ones among them, as RocksDB's
// keep_log_files has it. Where the backup has one of the same name, the backup's stays.
Error RestoreTarget::KeepLogFiles() {
  const std::string from = separate_wal_         ? wal_.target
                           : wal_inside_.empty() ? database_.target
                                                 : database_.target + "/" + wal_inside_;
  for (const std::string& directory : {from, from + "/archive"}) {
    std::error_code ignored;
    std::vector<std::string> names;
    if (fs::exists(directory, ignored)) {
      if (Error error = List(directory, &names); !error.ok()) {
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
          return Error("ROCKSDB_IO_ERROR", "cannot keep the log " + source + ": " + error.message());
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
  // Somebody may have made a database there since.
  if (Error error = LockDatabase(); !error.ok()) {
    return error;
  }
  // Logs first: a database whose CURRENT is in place must find them.
  Error error = separate_wal_ ? Place(&wal_, false) : Error();
  if (error.ok()) {
    error = Place(&database_, true);
  }
  if (!error.ok()) {
    TakeBack();
    return error;
  }
  for (const Directory* directory : {&wal_, &database_}) {
    for (const std::string& emptied : {directory->inside ? directory->staged : "", directory->replaced}) {
      RemoveEmptied(emptied, directory == &database_ ? wal_inside_ : "");
    }
  }
  return Error();
}

Error RestoreTarget::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return SystemError("cannot rename " + from + " to " + to, errno);
  }
  moves_.push_back({from, to, false});
  return Error();
}

void RestoreTarget::TakeBack() {
  for (; !moves_.empty(); moves_.pop_back()) {
    const Move& move = moves_.back();
    // Nothing better is left to do where even this fails.
    if (move.exchange ? !Exchange(move.from, move.to) : rename(move.to.c_str(), move.from.c_str()) != 0) {
      errno = 0;
    }
  }
  for (const Directory* directory : {&database_, &wal_}) {
    if (directory->staged.empty()) {
      continue;
    }
    mkdir((directory->staged + "/" + kStagedSign).c_str(), 0777);  // so that it goes as a whole
    if (directory->replaced != directory->staged) {
      RemoveEmptied(directory->replaced, directory == &database_ ? wal_inside_ : "");
    }
    if (directory->existed) {
      mkdir(directory->target.c_str(), 0777);  // an empty one was renamed over
    }
  }
}

Error RestoreTarget::Place(Directory* directory, bool is_database) {
  rmdir((directory->staged + "/" + kStagedSign).c_str());
  if (is_database && !wal_inside_.empty()) {
    if (Error error = SyncDirectory(staged_wal_inside_); !error.ok()) {
      return error;
    }
  }
  if (Error error = SyncDirectory(directory->staged); !error.ok()) {
    return error;
  }
  if (Error error = directory->inside ? PlaceFiles(directory, is_database) : PlaceWhole(directory, is_database);
      !error.ok()) {
    return error;
  }
  return SyncDirectory(directory->inside ? directory->target : ParentOf(directory->target));
}

// The whole directory takes the target's place, in one step where the system can.
Error RestoreTarget::PlaceWhole(Directory* directory, bool is_database) {
  const std::string& target = directory->target;
  const std::string& staged = directory->staged;
  if (!directory->existed || !options_.overwrite) {
    // The system itself refuses where something has come there meanwhile.
    const Error error = Rename(staged, target);
    std::error_code ignored;
    return error.ok() || !fs::exists(target, ignored)
               ? error
               : Error("TARGET_EXISTS", "cannot restore to " + target +
                                            ": somebody else has made it in the meantime (" + error.message() + ")");
  }
  if (Exchange(staged, target)) {
    directory->replaced = staged;
    moves_.push_back({staged, target, true});
  } else {
    directory->replaced = staged + kReplacedMark;
    if (Error error = Rename(target, directory->replaced); !error.ok()) {
      return error;
    }
    if (Error error = Rename(staged, target); !error.ok()) {
      return error;
    }
  }
  return ReturnOthersFiles(directory->replaced, target, is_database, is_database ? wal_inside_ : "");
}

// The target was exchanged as a whole; what is not the database's goes back to where it was.
Error RestoreTarget::ReturnOthersFiles(const std::string& from, const std::string& to, bool is_database,
                                       const std::string& wal_inside) {
  std::vector<std::string> names;
  if (Error error = List(from, &names); !error.ok()) {
    return error;
  }
  const std::string to_wal = wal_inside.substr(0, wal_inside.find('/'));
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

// The directory itself stays. Out with the old, CURRENT first; in with the new, CURRENT last: at no moment does a
// mixture open.
Error RestoreTarget::PlaceFiles(Directory* directory, bool is_database) {
  const std::string& target = directory->target;
  const std::string& staged = directory->staged;
  if (!options_.overwrite) {
    if (Error error = Occupied(*directory); !error.ok()) {
      return error;
    }
  }
  const std::string wal = is_database && !wal_inside_.empty() ? "/" + wal_inside_ : "";
  directory->replaced = staged + kReplacedMark;
  for (const std::string& needed : {directory->replaced + wal, target + wal}) {
    if (Error error = MakeDirectories(needed); !error.ok()) {
      return error;
    }
  }
  std::vector<std::string> old_names;
  std::vector<std::string> new_names;
  std::vector<std::string> names;
  if (!wal.empty()) {
    if (Error error = List(target + wal, &names); !error.ok()) {
      return error;
    }
    for (const auto& name : names) {
      if (BelongsToLogs(target + wal, name)) {
        old_names.push_back(wal + "/" + name);
      }
    }
    if (Error error = List(staged + wal, &names); !error.ok()) {
      return error;
    }
    for (const auto& name : names) {
      new_names.push_back(wal + "/" + name);
    }
  }
  if (Error error = List(target, &names); !error.ok()) {
    return error;
  }
  for (const auto& name : names) {
    if (is_database ? BelongsToDatabase(target, name) : BelongsToLogs(target, name)) {
      old_names.insert(name == "CURRENT" ? old_names.begin() : old_names.end(), "/" + name);
    }
  }
  if (Error error = List(staged, &names); !error.ok()) {
    return error;
  }
  for (const auto& name : names) {
    if (wal.empty() || name != wal_inside_.substr(0, wal_inside_.find('/'))) {
      new_names.insert(name == "CURRENT" ? new_names.end() : new_names.begin(), "/" + name);
    }
  }
  for (const auto& name : old_names) {
    if (Error error = Rename(target + name, directory->replaced + name); !error.ok()) {
      return error;
    }
  }
  for (const auto& name : new_names) {
    if (Error error = Rename(staged + name, target + name); !error.ok()) {
      return error;
    }
  }
  return wal.empty() ? Error() : SyncDirectory(target + wal);
}

}  // namespace rocksdb_backup
