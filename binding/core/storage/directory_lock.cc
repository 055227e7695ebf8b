#include "core/storage/directory_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

// Larger than every backup id.
constexpr int64_t kWriterByte = int64_t{1} << 40;
constexpr int64_t kFirstTimelineByte = kWriterByte + 1;
constexpr int64_t kStateByte = kWriterByte - 1;
constexpr int64_t kRestoreByte = kWriterByte - 2;
constexpr int64_t kSmallFilesByte = kWriterByte - 3;

// How often a lock is tried again if the file was removed between opening and locking it, or if a lock was given up
// between two checks of it.
constexpr int kLockAttempts = 10;

std::string ReadHolder(int fd) {
  char text[256];
  const ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
  std::string holder(text, size > 0 ? static_cast<size_t>(size) : 0);
  while (!holder.empty() && holder.back() == '\n') {
    holder.pop_back();
  }
  return holder.empty() ? "another writer" : holder;
}

void WriteHolder(int fd) {
  char host[128] = "unknown host";
  gethostname(host, sizeof(host) - 1);
  char since[32] = "";
  const time_t now = time(nullptr);
  struct tm utc = {};
  gmtime_r(&now, &utc);
  strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &utc);
  const std::string text = "process " + std::to_string(getpid()) + " on " + host + ", since " + since + "\n";
  // Best effort: the text only makes a message better.
  if (ftruncate(fd, 0) == 0 && pwrite(fd, text.data(), text.size(), 0) < 0) {
    errno = 0;
  }
}

Error Lost(const std::string& path) {
  return Error("LOCK_LOST", path +
                                " was moved, removed or replaced while it was in use here. Another process may use the "
                                "directory now, so nothing was written or deleted there since. Do not move or remove "
                                "lock files; check the directory, and try again.")
      .With("path", path);
}

}  // namespace

// The locks that this process holds. Never destroyed, because threads may outlive main().
struct DirectoryLock::Table {
  std::mutex mutex;
  std::multiset<Claim> claims;

  static Table& Get() {
    static auto* table = new Table;
    return *table;
  }

  bool Add(const Claim& claim) {
    const std::lock_guard lock(mutex);
    Claim other = claim;
    other.exclusive = true;
    if (claims.contains(other)) {
      return false;
    }
    other.exclusive = false;
    if (claim.exclusive && claims.contains(other)) {
      return false;
    }
    claims.insert(claim);
    return true;
  }

  void Remove(const Claim& claim) {
    const std::lock_guard lock(mutex);
    claims.erase(claims.find(claim));
  }

  bool Has(const FileIdentity& file, int64_t byte) {
    const std::lock_guard lock(mutex);
    return claims.contains({file, byte, false}) || claims.contains({file, byte, true});
  }
};

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept { *this = std::move(other); }

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  if (this != &other) {
    Release();
    directory_ = std::move(other.directory_);
    directory_identity_ = other.directory_identity_;
    file_ = std::move(other.file_);
    others_ = std::move(other.others_);
    backup_ = std::move(other.backup_);
    claims_ = std::exchange(other.claims_, {});
  }
  return *this;
}

DirectoryLock::~DirectoryLock() { Release(); }

void DirectoryLock::Release() {
  // The other programs' lock is closed first. A process that finds that lock held, and none of our bytes held,
  // concludes that another program holds it.
  others_.Close();
  backup_.Close();
  file_.Close();
  for (const Claim& claim : std::exchange(claims_, {})) {
    Table::Get().Remove(claim);
  }
}

Error DirectoryLock::Failure(int error) const { return LockFile::Failure(directory_ + "/" + kLockFileName, error); }

DirectoryLock::Outcome DirectoryLock::TakeFirst(const std::string& directory, int flags, int64_t byte, bool exclusive) {
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    Release();
    directory_ = directory;
    if (!IdentityAt(directory, true, &directory_identity_)) {
      return Outcome::kFailed;
    }
    file_ = LockFile::Open(directory + "/" + kLockFileName, flags);
    if (!file_.is_open()) {
      return Outcome::kFailed;
    }
    const Outcome outcome = Take(byte, exclusive);
    if (outcome == Outcome::kFailed) {
      return outcome;
    }
    std::string ignored;
    if (const Presence presence = Look(&ignored); presence != Presence::kGone) {
      return presence == Presence::kThere ? outcome : Outcome::kFailed;
    }
  }
  errno = ESTALE;
  return Outcome::kFailed;
}

DirectoryLock::Outcome DirectoryLock::Take(int64_t byte, bool exclusive) {
  const Claim claim{file_.identity(), byte, exclusive};
  if (!Table::Get().Add(claim)) {
    return Outcome::kHeldByOther;
  }
  const Outcome outcome = file_.LockByte(byte, exclusive);
  if (outcome == Outcome::kHeldByOther || (outcome == Outcome::kFailed && !LocksAreUnsupported(errno))) {
    const int error = errno;
    Table::Get().Remove(claim);
    errno = error;
    return outcome;
  }
  claims_.push_back(claim);
  return Outcome::kTaken;
}

bool DirectoryLock::IsHeldByAnother(int64_t byte, bool exclusive) const {
  return file_.is_open() && (Table::Get().Has(file_.identity(), byte) || file_.IsByteHeld(byte, exclusive));
}

Error DirectoryLock::AcquireWriter(const std::string& directory, DirectoryLock* lock) {
  DirectoryLock taken;
  switch (taken.TakeFirst(directory, O_RDWR | O_CREAT, kWriterByte, true)) {
    case Outcome::kFailed:
      return taken.Failure(errno);
    case Outcome::kHeldByOther: {
      const std::string holder = ReadHolder(taken.file_.fd());
      return Error("BACKUP_LOCKED", "the repository " + directory + " is being changed by " + holder +
                                        ". Wait until that is done, or stop it; reading needs no lock.")
          .With("path", directory)
          .With("holder", holder);
    }
    case Outcome::kTaken:
      break;
  }
  if (Error error = taken.LockAgainstOtherPrograms(true, true); !error.ok()) {
    return error;
  }
  WriteHolder(taken.file_.fd());
  *lock = std::move(taken);
  return Error();
}

Error DirectoryLock::IsBeingDeleted(uint32_t backup_id) const {
  const std::string holder = file_.is_open() ? ReadHolder(file_.fd()) : "another writer";
  return Error("BACKUP_IN_USE",
               "backup " + std::to_string(backup_id) + " in " + directory_ + " is being deleted by " + holder + ".")
      .With("path", directory_)
      .With("backupId", uint64_t{backup_id})
      .With("holder", holder);
}

Error DirectoryLock::AcquireReader(const std::string& directory, uint32_t backup_id, bool may_create,
                                   DirectoryLock* lock) {
  DirectoryLock taken;
  Outcome outcome = taken.TakeFirst(directory, O_RDWR | (may_create ? O_CREAT : 0), backup_id, false);
  if (outcome == Outcome::kFailed && !taken.file_.is_open()) {
    // Read access to the file is enough for a shared lock.
    outcome = taken.TakeFirst(directory, O_RDONLY, backup_id, false);
  }
  if (outcome == Outcome::kHeldByOther) {
    return taken.IsBeingDeleted(backup_id);
  }
  // A failure that will pass, such as too many open files, is reported: without a lock, another process could delete
  // what is being read. After other failures, for example on a dying disk, reading goes on.
  if (outcome == Outcome::kFailed && (taken.file_.is_open() || errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
    return taken.Failure(errno);
  }
  if (FileIdentity any; !IdentityAt(directory, true, &any)) {
    return Error();  // the BackupEngine reports what is missing
  }
  if (taken.LockBackup(backup_id) == Outcome::kHeldByOther) {
    return taken.IsBeingDeleted(backup_id);
  }
  *lock = std::move(taken);
  return Error();
}

// Fails if there is no such backup, or none that can be read.
DirectoryLock::Outcome DirectoryLock::LockBackup(uint32_t backup_id) {
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    backup_ = LockFile::Open(MetaPath(directory_, backup_id), O_RDONLY);
    if (!backup_.is_open()) {
      break;
    }
    if (backup_.LockAll(false) == Outcome::kHeldByOther) {
      return Outcome::kHeldByOther;
    }
    if (backup_.AtPath() == Presence::kThere) {
      return Outcome::kTaken;
    }
  }
  backup_.Close();
  return Outcome::kFailed;
}

// For a lock that is held shortly, to change what is remembered about the backups.
Error DirectoryLock::AcquireShortly(const std::string& directory, int64_t byte, DirectoryLock* lock) {
  DirectoryLock taken;
  switch (taken.TakeFirst(directory, O_RDWR | O_CREAT, byte, true)) {
    case Outcome::kFailed:
      return taken.Failure(errno);
    case Outcome::kHeldByOther:
      return Error("STATE_LOCKED", "the state of the backups in " + directory + " is being changed.")
          .With("path", directory);
    case Outcome::kTaken:
      break;
  }
  *lock = std::move(taken);
  return Error();
}

Error DirectoryLock::AcquireState(const std::string& directory, DirectoryLock* lock) {
  return AcquireShortly(directory, kStateByte, lock);
}

Error DirectoryLock::AcquireSmallFiles(const std::string& directory, DirectoryLock* lock) {
  constexpr std::chrono::seconds kPatience{10};
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    Error error = AcquireShortly(directory, kSmallFilesByte, lock);
    if (error.code() != "STATE_LOCKED" || std::chrono::steady_clock::now() > give_up) {
      return error;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Error DirectoryLock::AcquireTimeline(const std::string& directory, uint64_t timeline, DirectoryLock* lock) {
  DirectoryLock taken;
  switch (taken.TakeFirst(directory, O_RDWR | O_CREAT, kFirstTimelineByte + static_cast<int64_t>(timeline), true)) {
    case Outcome::kFailed:
      return taken.Failure(errno);
    case Outcome::kHeldByOther:
      return Error("ARCHIVE_LOCKED", "another database is being archived to the same timeline of " + directory)
          .With("path", directory);
    case Outcome::kTaken:
      break;
  }
  *lock = std::move(taken);
  return Error();
}

std::vector<RepositoryUse> DirectoryLock::UsesOf(const std::string& directory,
                                                 const std::vector<uint32_t>& backup_ids) {
  using What = RepositoryUse::What;
  std::vector<RepositoryUse> uses;
  DirectoryLock look;
  look.file_ = LockFile::Open(directory + "/" + kLockFileName, O_RDONLY);
  const bool is_written = look.IsHeldByAnother(kWriterByte, true);
  const std::string writer = is_written ? ReadHolder(look.file_.fd()) : "";
  if (is_written) {
    uses.push_back({.what = What::kWriting, .holder = writer});
  }
  if (look.IsHeldByAnother(kStateByte, true)) {
    uses.push_back({.what = What::kState});
  }
  for (const uint32_t id : backup_ids) {
    if (!look.IsHeldByAnother(id, true)) {
      continue;
    }
    if (look.file_.IsByteHeld(id, false)) {
      uses.push_back({.what = What::kDeleting, .backup_id = id, .holder = writer});
    } else {
      uses.push_back({.what = What::kReading, .backup_id = id});
    }
  }
  return uses;
}

Error DirectoryLock::ExcludeReaders(uint32_t backup_id) {
  // Locking the meta file finds readers that started before the lock file was removed and made anew. Only this check
  // finds them. Readers that come later find the byte locked. So the meta file's lock need not be kept, and thousands
  // of backups can be deleted without an open file for each.
  const std::string path = MetaPath(directory_, backup_id);
  LockFile meta = LockFile::Open(path, O_RDWR);
  if (!meta.is_open()) {
    meta = LockFile::Open(path, O_RDONLY);
  }
  Outcome outcome = meta.is_open() ? meta.LockAll(true) : Outcome::kFailed;
  if (meta.is_open() && outcome == Outcome::kFailed && !LocksAreUnsupported(errno)) {
    return LockFile::Failure(path, errno);
  }
  if (outcome != Outcome::kHeldByOther) {
    outcome = Take(backup_id, true);
    if (outcome == Outcome::kFailed) {
      return Failure(errno);
    }
  }
  return outcome == Outcome::kTaken
             ? Error()
             : Error("BACKUP_IN_USE", "backup " + std::to_string(backup_id) + " in " + directory_ +
                                          " is being read: it is restored, verified or open. Nothing was deleted; try "
                                          "again when that is done.")
                   .With("path", directory_)
                   .With("backupId", uint64_t{backup_id});
}

Error DirectoryLock::KeepOtherProgramsOut(bool may_create) {
  if (file_.is_open() && Take(kRestoreByte, false) == Outcome::kFailed) {
    return Failure(errno);
  }
  return LockAgainstOtherPrograms(false, may_create);
}

// If one of our writers holds the other programs' lock, that lock would keep our restores out, and the other way round.
// Our writers and restores see each other by bytes of our own lock file. They take these bytes before the other
// programs' lock, and give them up after it. So it is known whether one of ours holds that lock.
Error DirectoryLock::LockAgainstOtherPrograms(bool exclusive, bool may_create) {
  const std::string path = directory_ + "/" + kOtherLockFileName;
  // If the lock file cannot be made because the disk is full, other programs cannot make it either. And a delete must
  // go on, to make room.
  const auto unless_full = [&](int error) {
    return exclusive && error != ENOSPC && error != EDQUOT ? LockFile::Failure(path, error) : Error();
  };
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    LockFile file = LockFile::Open(path, O_RDWR | (may_create ? O_CREAT : 0));
    if (const int number = errno; !file.is_open() && number != ENOSPC && number != EDQUOT) {
      file = LockFile::Open(path, O_RDONLY);
      if (!file.is_open() && errno == ENOENT) {
        errno = number;  // why it could not be made
      }
    }
    if (!file.is_open()) {
      return unless_full(errno);
    }
    const Outcome outcome = file.LockAll(exclusive);
    if (outcome == Outcome::kFailed) {
      return LocksAreUnsupported(errno) ? Error() : unless_full(errno);
    }
    if (outcome == Outcome::kHeldByOther) {
      if (!exclusive && IsHeldByAnother(kWriterByte, false)) {
        return Error();
      }
      if (!exclusive || file.LockAll(false) != Outcome::kTaken || !IsHeldByAnother(kRestoreByte, true)) {
        continue;
      }
    }
    switch (file.AtPath()) {
      case Presence::kThere:
        others_ = std::move(file);
        return Error();
      case Presence::kUnknown:
        return unless_full(errno);
      case Presence::kGone:
        break;
    }
  }
  return Error("BACKUP_LOCKED", "the repository " + directory_ + " is in use by another program, which holds " + path +
                                    ", like rocksdb-js during a backup, a delete or a restore. Nothing was done; "
                                    "wait until the other program has finished.")
      .With("path", directory_)
      .With("holder", "another program");
}

Presence DirectoryLock::Look(std::string* path) const {
  *path = directory_;
  if (const Presence presence = IsAt(directory_, true, directory_identity_); presence != Presence::kThere) {
    return presence;
  }
  for (const LockFile* file : {&backup_, &file_, &others_}) {
    if (!file->is_open()) {
      continue;
    }
    *path = file->path();
    if (const Presence presence = file->AtPath(); presence != Presence::kThere) {
      return presence;
    }
    if (file == &backup_) {
      break;  // only this lock protects a reader
    }
  }
  return Presence::kThere;
}

Error DirectoryLock::StillHeld() const {
  std::string path;
  switch (directory_.empty() ? Presence::kThere : Look(&path)) {
    case Presence::kThere:
      return Error();
    case Presence::kGone:
      return Lost(path);
    case Presence::kUnknown:
      return Error::System("checking whether " + path + " is still the locked file", errno).With("path", path);
  }
  return Error();
}

}  // namespace rocksdb_backup
