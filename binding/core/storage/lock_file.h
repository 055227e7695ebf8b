#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <tuple>

#include "core/base/error.h"

namespace rocksdb_backup {

// Identifies a file or directory itself, independent of its name.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t file = 0;
  bool operator==(const FileIdentity& other) const { return device == other.device && file == other.file; }
  bool operator<(const FileIdentity& other) const {
    return std::tie(device, file) < std::tie(other.device, other.file);
  }
};

// Whether a known file or directory is at a path.
enum class Presence {
  kThere,
  kGone,    // nothing is at the path, or something else
  kUnknown  // the path cannot be looked at: errno says why
};
Presence IsAt(const std::string& path, bool follow, const FileIdentity& known);

// The identity of what is at a path. `follow`: follows links. False if nothing is there, or if it cannot be looked at:
// errno says why.
bool IdentityAt(const std::string& path, bool follow, FileIdentity* identity);

// An open file that can be locked, and the path where it was found. The kernel frees all its locks when the holder
// ends, however it ends.
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

  // Opens only a plain file, and never through a link. A link could lead to a file that we must not write to, and
  // opening a FIFO may block for ever. If it fails, is_open() is false and errno says why. Failure() words it.
  static LockFile Open(std::string path, int flags);
  // The error that a file cannot be locked, after an operation here failed with this number.
  static Error Failure(const std::string& path, int number);
  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }

  // Whether a process that opens the path now gets this very file. The file may have been removed, or moved together
  // with its directory. Then others lock another file, and the lock on this file keeps nobody out.
  Presence AtPath() const { return IsAt(path_, false, identity_); }

  // Locks one byte of the file for this open file. If the operating system supports it, the lock also works against
  // other open files of this process.
  Outcome LockByte(off_t byte, bool exclusive);
  // Whether another holder has the byte, so that locking it (exclusive or shared) would fail. False if that cannot be
  // found out.
  bool IsByteHeld(off_t byte, bool exclusive) const;
  // Locks the whole file with flock(), which is independent of locks of bytes. Does not wait.
  Outcome LockAll(bool exclusive);

  // Gives up all locks and closes the file.
  void Close();

 private:
  int fd_ = -1;
  std::string path_;
  FileIdentity identity_;
};

// Whether the error means that the file system has no locks. Some network and user-space file systems have none; then
// we can keep apart only what runs in this process.
bool LocksAreUnsupported(int error);

}  // namespace rocksdb_backup
