#include "core/restore_target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/directories.h"
#include "core/paths.h"
#include "core/target_files.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

namespace fs = std::filesystem;

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
  if (status.type() == fs::file_type::none || status.type() == fs::file_type::unknown) {
    return Error::System("cannot restore to " + path + ": cannot look at it", error.value());
  }
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
  if (Error error = ListNames(directory.target, &names); !error.ok()) {
    return error;
  }
  for (const auto& name : names) {
    // A restore that did not come to its end has changed nothing yet.
    if (name.starts_with(kStagedMark) && HasSign(directory.target + "/" + name)) {
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
  directory->parent = directory->inside ? directory->target : ParentOf(directory->target);
  directory->prefix = directory->inside ? kStagedMark : "." + Shortened(NameOf(directory->target)) + kStagedMark;
  const std::string& parent = directory->parent;
  if (Error error = CreateDirectories(parent); !error.ok()) {
    return error;
  }
  RemoveStale(parent, directory->prefix, directory->target, true);
  // Until it is locked, another restore may take it for a stale one.
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts && directory->staged_fd < 0; ++attempt) {
    const std::string staged =
        parent + "/" + directory->prefix + std::to_string(getpid()) + "-" + std::to_string(++counter);
    if (mkdir(staged.c_str(), 0777) != 0) {
      if (errno == EEXIST) {
        continue;
      }
      return Error::System("cannot create the directory " + staged, errno);
    }
    directory->staged_fd = TryLockDirectory(staged);
    if (directory->staged_fd >= 0 && mkdir((staged + "/" + kStagedSign).c_str(), 0777) == 0) {
      directory->staged = staged;
    } else {
      const int error = errno;
      if (directory->staged_fd >= 0) {
        close(std::exchange(directory->staged_fd, -1));
      }
      rmdir(staged.c_str());
      if (attempt + 1 == kAttempts) {
        return Error::System("cannot create files in " + staged, error);
      }
    }
  }
  if (directory->staged_fd < 0) {
    return Error::System("cannot create a directory beside " + directory->target, EEXIST);
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
    return CreateDirectories(staged_wal_inside_);
  }
  return Error();
}

}  // namespace rocksdb_backup
