#include "core/restore/restore_target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/paths.h"
#include "core/restore/target_files.h"
#include "core/storage/directories.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

namespace fs = std::filesystem;

RestoreTarget::RestoreTarget(Options options) : options_(std::move(options)), keep_old_(options_.keep_old) {}

RestoreTarget::~RestoreTarget() {
  std::error_code ignored;
  for (const Directory* directory : {&database_, &wal_}) {
    if (!directory->staged.empty() && HasSign(directory->staged)) {
      RemoveStaged(directory->staged);
    }
    if (directory->staged_fd >= 0) {
      UnlockDirectory(directory->staged_fd);
    }
  }
  if (lock_ != nullptr) {
    rocksdb::Env::Default()->UnlockFile(lock_).PermitUncheckedError();
  }
}

Error RestoreTarget::Prepare(const Storage& storage) {
  if (options_.database_dir.empty()) {
    return Error("INVALID_OPTION", "the path to restore to must not be empty");
  }
  database_.target = RealPath(options_.database_dir);
  const std::string& backup = storage.local_directory();
  const std::string wal = options_.wal_dir.empty() ? database_.target : RealPath(options_.wal_dir);
  for (const std::string& target : {database_.target, wal}) {
    if (Error error = storage.CheckTarget(target); !error.ok()) {
      return error;
    }
  }
  if (IsInside(database_.target, wal)) {
    return Error("INVALID_OPTION", "cannot restore to " + database_.target + ": it lies inside walDir " + wal)
        .With("path", database_.target);
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
  // With permission to overwrite, the contents are checked later, so that an open database is reported as open.
  if (Error error = options_.overwrite ? Error() : CheckContents(); !error.ok()) {
    return error;
  }
  if (Error error = ClaimDatabase(); !error.ok()) {
    return error;
  }
  // Replacing the logs of another database would lose data that is only in them.
  std::error_code ignored;
  if (wal != database_.target && fs::exists(wal + "/CURRENT", ignored)) {
    return Error("INVALID_OPTION", "walDir must be a directory for logs, not " + wal + ", where another database is")
        .With("path", wal);
  }
  if (Error error = LockDatabase(LockFileOf::kExisting); !error.ok()) {
    return error;
  }
  return CheckContents();
}

Error RestoreTarget::PrepareDirectory(const std::string& path, const std::string& backup_dir, Directory* directory) {
  directory->target = path;
  directory->place = {ParentOf(path), "." + Shortened(NameOf(path)) + kStagedMark};
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none || status.type() == fs::file_type::unknown) {
    return Error::System("cannot restore to " + path + ": cannot look at it", error.value()).With("path", path);
  }
  if (!fs::exists(status)) {
    if (fs::is_symlink(fs::symlink_status(path, error))) {
      return Error("TARGET_EXISTS", "cannot restore to " + path + ": it is a link that leads nowhere")
          .With("path", path);
    }
    return Error();
  }
  if (!fs::is_directory(status)) {
    return Error("TARGET_EXISTS", "cannot restore to " + path + ": it exists and is not a directory")
        .With("path", path);
  }
  directory->existed = true;
  directory->inside = (!backup_dir.empty() && IsInside(backup_dir, path)) || IsMountPointOrFixed(path) ||
                      HasOthersFolder(path, directory == &database_ ? wal_inside_ : "");
  if (directory->inside) {
    directory->place = {path, kStagedMark};
  }
  return Error();
}

// Also called right before the target is replaced, because somebody may have put something there since.
Error RestoreTarget::CheckContents() {
  if (Error error = LookAtTarget(database_.target, database_.place, database_.staged, &contents_); !error.ok()) {
    return error;
  }
  if (Error error = CheckReplaceable(database_.target, contents_, options_.overwrite); !error.ok()) {
    return error;
  }
  return separate_wal_ ? CheckLogs() : Error();
}

// Logs in a directory of their own belong to the database that is replaced, as far as can be known. If no database is
// replaced, they belong to somebody else.
Error RestoreTarget::CheckLogs() const {
  TargetContents logs;
  if (Error error = LookAtTarget(wal_.target, wal_.place, wal_.staged, &logs); !error.ok()) {
    return error;
  }
  std::vector<std::string> refused = logs.names;
  if (options_.overwrite) {
    const bool replaced = contents_.holds != TargetHolds::kNothing || contents_.unfinished || logs.unfinished;
    std::erase_if(refused, [&](const std::string& name) { return replaced || !BelongsToLogs(wal_.target, name); });
  }
  if (refused.empty()) {
    return Error();
  }
  return Error("TARGET_EXISTS", "cannot restore the logs to " + wal_.target + ": the directory is not empty" +
                                    (options_.overwrite ? ", and there is no database in " + database_.target +
                                                              " that these logs could belong to"
                                                        : "") +
                                    ". It holds " + SomeOf(refused))
      .With("path", wal_.target)
      .Advise("otherWalDirectory");
}

Error RestoreTarget::ClaimDatabase() {
  const auto claim = [](const std::string& directory, DatabaseClaim* taken) {
    if (!DatabaseClaim::Take(directory, DatabaseClaim::Kind::kAlone, taken).ok()) {
      return Error("DATABASE_IN_USE", "cannot restore to " + directory +
                                          ": a database that has its files or its log there is open in this process. "
                                          "Close it first; nothing was changed.")
          .With("path", directory)
          .With("holder", "this process");
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

namespace {

// RocksDB has no code for this. The texts are the system's own, and RocksDB's own if this process holds the lock.
bool IsHeldLock(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  const auto says = [&text](const char* words) { return text.find(words) != std::string::npos; };
  return says(std::strerror(EAGAIN)) || says(std::strerror(EACCES)) || says("lock hold by current process");
}

}  // namespace

Error RestoreTarget::LockDatabase(LockFileOf lock_file) {
  // If there is no lock file, nobody has the database open, and locking would leave a file behind.
  const std::string lock_path = database_.target + "/LOCK";
  std::error_code ignored;
  if (lock_ != nullptr || (lock_file == LockFileOf::kExisting && !fs::exists(lock_path, ignored))) {
    return Error();
  }
  const rocksdb::Status status = rocksdb::Env::Default()->LockFile(lock_path, &lock_);
  if (status.ok()) {
    return Error();
  }
  lock_ = nullptr;
  const std::string denial = Denial(lock_path, Wanted::kToWrite);
  if (denial.empty() && IsHeldLock(status)) {
    return Error("DATABASE_IN_USE", "cannot restore to " + database_.target +
                                        ": the database there is open, in another process or through another library. "
                                        "Close it first; nothing was changed. (" +
                                        Worded(status) + ")")
        .With("path", database_.target)
        .With("holder", "another process or another library");
  }
  // It is not known whether the database is open, so the error must not say that it is.
  const std::string doing =
      "cannot restore to " + database_.target + ": cannot find out whether the database there is open";
  return (denial.empty() ? Error::From(status, doing)
                         : Error("ROCKSDB_IO_ERROR", doing + ": " + denial).WithWhy(denial))
      .With("path", database_.target);
}

std::optional<uint64_t> RestoreTarget::FreeSpace() const {
  // The nearest existing directory lies on the file system that will be written.
  std::string directory = database_.target;
  while (directory != "/" && directory != "." && !IsDirectory(directory)) {
    directory = ParentOf(directory);
  }
  uint64_t free = 0;
  const bool known = rocksdb::FileSystem::Default()->GetFreeSpace(directory, rocksdb::IOOptions(), &free, nullptr).ok();
  return known ? std::optional(free) : std::nullopt;
}

Error RestoreTarget::CheckSpace(uint64_t bytes) const {
  const std::optional<uint64_t> free = FreeSpace();
  if (!free || *free >= bytes) {
    return Error();
  }
  return Error("NO_SPACE", "the restore would write " + HumanBytes(bytes) + " to " + database_.target + ", where " +
                               HumanBytes(*free) +
                               " are free. Nothing was written. An existing database is removed only after the "
                               "restored one is complete.")
      .With("path", database_.target)
      .With("bytesNeeded", bytes)
      .With("bytesFree", *free)
      .Advise("freeSpaceForRestore");
}

void RestoreTarget::RemoveLeftovers() const {
  for (const Directory* directory : {&database_, &wal_}) {
    if (!directory->target.empty()) {
      std::vector<RestoreLeftover> ignored;
      (void)FindLeftovers(directory->place.parent, Leftovers::kRemove, &ignored);
    }
  }
}

Error RestoreTarget::BringBackOldFiles() {
  for (Directory* directory : {&database_, &wal_}) {
    if (!directory->existed) {
      continue;
    }
    const auto& [parent, prefix] = directory->place;
    if (Error error = BringBackOld(parent, prefix, directory->target, &directory->half_moved); !error.ok()) {
      return error;
    }
    keep_old_ |= directory->half_moved.was_to_keep;
  }
  return Error();
}

Error RestoreTarget::StageDirectory(Directory* directory) {
  static std::atomic<uint64_t> counter{0};
  const auto& [parent, prefix] = directory->place;
  if (Error error = CreateDirectories(parent); !error.ok()) {
    return error;
  }
  std::vector<RestoreLeftover> ignored;
  (void)FindLeftovers(parent, Leftovers::kRemove, &ignored);
  // Until the directory is locked, another restore may take it for a stale one.
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts && directory->staged_fd < 0; ++attempt) {
    const std::string staged = parent + "/" + prefix + (keep_old_ ? kKeepMark : "") + std::to_string(getpid()) + "-" +
                               std::to_string(++counter);
    if (mkdir(staged.c_str(), 0777) != 0) {
      if (errno == EEXIST) {
        continue;
      }
      return Error::System("cannot create the directory " + staged, errno).With("path", staged);
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
        return Error::System("cannot create files in " + staged, error).With("path", staged);
      }
    }
  }
  if (directory->staged_fd < 0) {
    return Error::System("cannot create a directory beside " + directory->target, EEXIST)
        .With("path", directory->target);
  }
  if (struct stat was = {}; directory->existed && stat(directory->target.c_str(), &was) == 0) {
    // Users who could open the old database can open the new one. Best effort: only root can do that.
    if (fchmod(directory->staged_fd, was.st_mode & 07777) != 0 ||
        fchown(directory->staged_fd, was.st_uid, was.st_gid) != 0) {
      errno = 0;
    }
  }
  return Error();
}

Error RestoreTarget::Stage() {
  if (Error error = BringBackOldFiles(); !error.ok()) {
    return error;
  }
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

std::string RestoreTarget::Link(const std::string& name) {
  std::string linked = database_.staged + "/" + kStagedSign + "/" + name;
  return link((database_.target + "/" + name).c_str(), linked.c_str()) == 0 ? linked : "";
}

Error RestoreTarget::TakeLinked(const std::vector<std::string>& names) {
  const std::string sign = database_.staged + "/" + kStagedSign;
  for (const std::string& name : names) {
    const std::string from = sign + "/" + name;
    const std::string to = database_.staged + "/" + name;
    // An earlier restore may have been told to skip syncs.
    if (Error error = syncs() ? SyncFile(from) : Error(); !error.ok()) {
      return error;
    }
    if (rename(from.c_str(), to.c_str()) != 0) {
      return Error::System("cannot rename " + from + " to " + to, errno).With("path", to);
    }
  }
  std::vector<std::string> given_up;
  if (Error error = ListNames(sign, &given_up); !error.ok()) {
    return error;
  }
  for (const std::string& name : given_up) {
    if (const std::string path = sign + "/" + name; unlink(path.c_str()) != 0) {
      return Error::System("cannot remove " + path, errno).With("path", path);
    }
  }
  return Error();
}

std::string RestoreTarget::separate_wal_dir() const {
  if (separate_wal_) {
    return wal_.target;
  }
  return wal_inside_.empty() ? std::string() : database_.target + "/" + wal_inside_;
}

}  // namespace rocksdb_backup
