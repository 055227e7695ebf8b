#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <tuple>

namespace rocksdb_backup {

// A file or directory by what it is, and not by its name.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t file = 0;
  bool operator==(const FileIdentity& other) const { return device == other.device && file == other.file; }
  bool operator<(const FileIdentity& other) const {
    return std::tie(device, file) < std::tie(other.device, other.file);
  }
};

// Whether something that is known is at a path.
enum class Presence {
  kThere,
  kGone,    // nothing is there, or something else
  kUnknown  // it cannot be looked at: errno says why
};
Presence IsAt(const std::string& path, bool follow, const FileIdentity& known);

// What is at a path. `follow`: behind links, too. False where nothing is, or it cannot be looked at: errno says why.
bool IdentityAt(const std::string& path, bool follow, FileIdentity* identity);

// An open file that is locked, and the path where it was found. The kernel frees all locks with their holder, however
// it ends.
class LockFile {
 public:
  enum class Outcome {
    kTaken,
    kHeldByOther,
    kFailed  // errno says why
  };

  LockFile() = default;
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile() { Close(); }

  // A plain file only, and never by a link: a link would lead to a file that is not ours to write to, and opening a
  // FIFO may take for ever. When it fails is_open() is false, and errno says why.
  static LockFile Open(std::string path, int flags);
  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }

  // Whether who opens the path gets this very file. It may have been removed, or moved together with its directory;
  // then whoever comes locks another one, and the lock on this one keeps nobody out.
  Presence AtPath() const { return IsAt(path_, false, identity_); }

  // One byte of the file, for this open file: it keeps off others of this process, too, where the system can do that.
  Outcome LockByte(off_t byte, bool exclusive);
  // Whether somebody else holds the byte so that `exclusive` or shared locking it would fail. False where that cannot
  // be told.
  bool IsByteHeld(off_t byte, bool exclusive) const;
  // All of the file by flock(), which knows nothing of locks of bytes. It does not wait.
  Outcome LockAll(bool exclusive);

  // Gives up all locks, and closes the file.
  void Close();

 private:
  int fd_ = -1;
  std::string path_;
  FileIdentity identity_;
};

// Some network and user-space file systems have no locks: then this process is the only one that we can speak for.
bool LocksAreUnsupported(int error);

}  // namespace rocksdb_backup
