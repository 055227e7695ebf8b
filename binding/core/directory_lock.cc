#include "core/directory_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <mutex>
#include <set>
#include <utility>

namespace rocksdb_backup {
namespace {

// Beyond every backup id.
constexpr int64_t kWriterByte = int64_t{1} << 40;
constexpr int64_t kStateByte = kWriterByte - 1;

#ifdef F_OFD_SETLK
constexpr int kSetLock = F_OFD_SETLK;
#else
// Locks of the process: within it, the table alone keeps engines apart.
constexpr int kSetLock = F_SETLK;
#endif

// `length` 0: to the end of all bytes.
bool SetLock(int fd, int type, off_t byte, off_t length) {
  struct flock range = {};
  range.l_type = static_cast<decltype(range.l_type)>(type);
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = length;
  int result;
  do {
    result = fcntl(fd, kSetLock, &range);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

bool IsHeldByOther(int error) { return error == EAGAIN || error == EACCES; }

// Some network and user-space file systems have no locks: then this process is the only one we can speak for.
bool LocksAreUnsupported(int error) {
  return error == ENOLCK || error == ENOTSUP || error == EINVAL || error == ENOSYS;
}

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
  // Best effort: it only makes a message better.
  if (ftruncate(fd, 0) == 0 && pwrite(fd, text.data(), text.size(), 0) < 0) {
    errno = 0;
  }
}

// A link would lead to a file that is not ours to write to, and opening a FIFO may take for ever.
int OpenPlainFile(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  struct stat file = {};
  if (fd >= 0 && (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))) {
    close(fd);
    errno = EINVAL;
    return -1;
  }
  return fd;
}

}  // namespace

// What this process holds. Never destroyed: threads may outlive main().
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
};

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      directory_(std::move(other.directory_)),
      claims_(std::exchange(other.claims_, {})) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  if (this != &other) {
    Release();
    fd_ = std::exchange(other.fd_, -1);
    directory_ = std::move(other.directory_);
    claims_ = std::exchange(other.claims_, {});
  }
  return *this;
}

DirectoryLock::~DirectoryLock() { Release(); }

void DirectoryLock::Release() {
  if (fd_ >= 0) {
    // Said, and not left to close(): a process forked a moment ago, which has not run its program yet, has the file
    // too.
    SetLock(fd_, F_UNLCK, 0, 0);
    close(std::exchange(fd_, -1));
  }
  for (const Claim& claim : std::exchange(claims_, {})) {
    Table::Get().Remove(claim);
  }
}

// Leaves `lock` without a file where there is none and none may be made.
Error DirectoryLock::Open(const std::string& directory, bool may_create, DirectoryLock* lock) {
  lock->Release();
  lock->directory_ = directory;
  const std::string path = directory + "/" + kLockFileName;
  lock->fd_ = OpenPlainFile(path, O_RDWR | (may_create ? O_CREAT : 0));
  return lock->fd_ >= 0 ? Error() : lock->Failure(errno);
}

Error DirectoryLock::Failure(int error) const {
  return Error::System("writing to a backup directory needs to lock " + directory_ + "/" + kLockFileName, error);
}

DirectoryLock::Outcome DirectoryLock::Take(int64_t byte, bool exclusive) {
  struct stat file = {};
  if (fstat(fd_, &file) != 0) {
    return Outcome::kFailed;
  }
  const Claim claim{static_cast<uint64_t>(file.st_dev), static_cast<uint64_t>(file.st_ino), byte, exclusive};
  if (!Table::Get().Add(claim)) {
    return Outcome::kHeldByOther;
  }
  if (!SetLock(fd_, exclusive ? F_WRLCK : F_RDLCK, byte, 1) && !LocksAreUnsupported(errno)) {
    const int error = errno;
    Table::Get().Remove(claim);
    errno = error;
    return IsHeldByOther(error) ? Outcome::kHeldByOther : Outcome::kFailed;
  }
  claims_.push_back(claim);
  return Outcome::kTaken;
}

Error DirectoryLock::AcquireWriter(const std::string& directory, DirectoryLock* lock) {
  DirectoryLock taken;
  if (Error error = Open(directory, true, &taken); !error.ok()) {
    return error;
  }
  switch (taken.Take(kWriterByte, true)) {
    case Outcome::kFailed:
      return taken.Failure(errno);
    case Outcome::kHeldByOther:
      return Error("BACKUP_LOCKED", "the backup directory " + directory + " is being changed by " +
                                        ReadHolder(taken.fd_) +
                                        ". Wait until that is done, or stop it; reading needs no lock.");
    case Outcome::kTaken:
      break;
  }
  WriteHolder(taken.fd_);
  *lock = std::move(taken);
  return Error();
}

Error DirectoryLock::AcquireReader(const std::string& directory, uint32_t backup_id, bool may_create,
                                   DirectoryLock* lock) {
  DirectoryLock taken;
  if (!Open(directory, may_create, &taken).ok()) {
    // Sharing a lock needs to read the file only.
    taken.fd_ = OpenPlainFile(directory + "/" + kLockFileName, O_RDONLY);
    if (taken.fd_ < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
      return taken.Failure(errno);  // which passes: then somebody else could delete what is being read
    }
    if (taken.fd_ < 0) {
      return Error();  // on a disk that is dying, say, reading goes on
    }
  }
  switch (taken.Take(backup_id, false)) {
    case Outcome::kFailed:
      return taken.Failure(errno);
    case Outcome::kHeldByOther:
      return Error("BACKUP_IN_USE", "backup " + std::to_string(backup_id) + " in " + directory +
                                        " is being deleted by " + ReadHolder(taken.fd_) + ".");
    case Outcome::kTaken:
      break;
  }
  *lock = std::move(taken);
  return Error();
}

Error DirectoryLock::AcquireState(const std::string& directory, DirectoryLock* lock) {
  DirectoryLock taken;
  if (Error error = Open(directory, true, &taken); !error.ok()) {
    return error;
  }
  switch (taken.Take(kStateByte, true)) {
    case Outcome::kFailed:
      return taken.Failure(errno);
    case Outcome::kHeldByOther:
      return Error("STATE_LOCKED", "what is remembered about the backups in " + directory + " is being changed.");
    case Outcome::kTaken:
      break;
  }
  *lock = std::move(taken);
  return Error();
}

Error DirectoryLock::ExcludeReaders(uint32_t backup_id) {
  switch (Take(backup_id, true)) {
    case Outcome::kFailed:
      return Failure(errno);
    case Outcome::kHeldByOther:
      return Error("BACKUP_IN_USE", "backup " + std::to_string(backup_id) + " in " + directory_ +
                                        " is being read: it is restored, verified or open. Nothing was deleted; try "
                                        "again when that is done.");
    case Outcome::kTaken:
      break;
  }
  return Error();
}

}  // namespace rocksdb_backup
