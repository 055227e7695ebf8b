#include "core/storage/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace rocksdb_backup {
namespace {

#ifdef F_OFD_SETLK
constexpr int kSetLock = F_OFD_SETLK;
constexpr int kGetLock = F_OFD_GETLK;
#else
// These locks belong to the process. Inside the process, only the table of DirectoryLock keeps engines apart.
constexpr int kSetLock = F_SETLK;
constexpr int kGetLock = F_GETLK;
#endif

FileIdentity IdentityOf(const struct stat& file) {
  return {static_cast<uint64_t>(file.st_dev), static_cast<uint64_t>(file.st_ino)};
}

// `length` 0 means up to the end of the file, however long it becomes.
struct flock RangeOf(int type, off_t byte, off_t length) {
  struct flock range = {};
  range.l_type = static_cast<decltype(range.l_type)>(type);
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = length;
  return range;
}

bool SetLock(int fd, struct flock range) {
  int result;
  do {
    result = fcntl(fd, kSetLock, &range);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

}  // namespace

bool LocksAreUnsupported(int error) {
  return error == ENOLCK || error == ENOTSUP || error == EOPNOTSUPP || error == EINVAL || error == ENOSYS;
}

bool IdentityAt(const std::string& path, bool follow, FileIdentity* identity) {
  struct stat file = {};
  if ((follow ? stat(path.c_str(), &file) : lstat(path.c_str(), &file)) != 0) {
    return false;
  }
  *identity = IdentityOf(file);
  return true;
}

Presence IsAt(const std::string& path, bool follow, const FileIdentity& known) {
  FileIdentity there;
  if (IdentityAt(path, follow, &there)) {
    return there == known ? Presence::kThere : Presence::kGone;
  }
  return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? Presence::kGone : Presence::kUnknown;
}

LockFile::LockFile(LockFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), identity_(other.identity_) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
    identity_ = other.identity_;
  }
  return *this;
}

LockFile LockFile::Open(std::string path, int flags) {
  LockFile opened;
  opened.path_ = std::move(path);
  const int fd = open(opened.path_.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (fd < 0) {
    return opened;
  }
  struct stat file = {};
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
    close(fd);
    errno = EINVAL;
    return opened;
  }
  opened.fd_ = fd;
  opened.identity_ = IdentityOf(file);
  return opened;
}

Error LockFile::Failure(const std::string& path, int number) {
  const std::string doing = "writing to a repository needs to lock " + path;
  struct stat found = {};
  if (lstat(path.c_str(), &found) != 0 || S_ISREG(found.st_mode)) {
    return Error::System(doing, number).With("path", path);
  }
  const char* const what = S_ISLNK(found.st_mode) ? "a link" : S_ISDIR(found.st_mode) ? "a directory" : "no plain file";
  return Error("ROCKSDB_IO_ERROR", doing + ", which is " + what + ".").With("path", path).Advise("moveAwayNoLock");
}

LockFile::Outcome LockFile::LockByte(off_t byte, bool exclusive) {
  if (SetLock(fd_, RangeOf(exclusive ? F_WRLCK : F_RDLCK, byte, 1))) {
    return Outcome::kTaken;
  }
  return errno == EAGAIN || errno == EACCES ? Outcome::kHeldByOther : Outcome::kFailed;
}

bool LockFile::IsByteHeld(off_t byte, bool exclusive) const {
  struct flock range = RangeOf(exclusive ? F_WRLCK : F_RDLCK, byte, 1);
  return fcntl(fd_, kGetLock, &range) == 0 && range.l_type != F_UNLCK;
}

LockFile::Outcome LockFile::LockAll(bool exclusive) {
  int result;
  do {
    result = flock(fd_, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) {
    return Outcome::kTaken;
  }
  if (errno == EBADF) {
    errno = ENOTSUP;  // NFS has no exclusive lock on a file that may only be read
  }
  return errno == EWOULDBLOCK ? Outcome::kHeldByOther : Outcome::kFailed;
}

void LockFile::Close() {
  if (fd_ < 0) {
    return;
  }
  // The locks are given up explicitly, not by close() alone: a process that was forked a moment ago and has not yet
  // started its program still has the file open.
  SetLock(fd_, RangeOf(F_UNLCK, 0, 0));
  flock(fd_, LOCK_UN);
  close(std::exchange(fd_, -1));
}

}  // namespace rocksdb_backup
