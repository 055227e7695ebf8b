#pragma once

#include <string>

namespace rocksdb_backup::test {

// The system calls of a process to a file system. In an executable that links system_calls.cc, the C library's calls go
// through here: those of RocksDB, of binding/core and of the standard library. So a test needs no other code than the
// product's own, and an injected error is the errno that a disk would give.
enum class CallKind {
  kOpenRead,
  kRead,
  kOpenWrite,
  kWrite,
  kSync,
  kClose,
  kRename,
  kDelete,
  kMakeDir,
  kLink,
  kList,
  kStat,
  kLock,
  kKinds
};
inline constexpr const char* kCallNames[] = {"open to read", "read",   "open to write", "write",          "sync",
                                             "close",        "rename", "delete",        "make directory", "link",
                                             "list",         "stat",   "lock"};

struct Call {
  CallKind kind;
  std::string path;   // clean and absolute
  std::string other;  // the new path of a rename or a link
  int fd = -1;
  bool creates = false;   // an open that makes a missing file
  bool exchange = false;  // a rename that exchanges two paths
};

struct Verdict {
  int error = 0;      // if not 0, the call is not made and fails with this errno
  bool half = false;  // a read or write transfers half of the bytes, which POSIX allows
  bool end = false;   // a read reports the end of the file
};

class CallWatcher {
 public:
  virtual ~CallWatcher() = default;
  // Called before a call, in any thread. Calls that it makes itself are not watched.
  virtual Verdict Before(const Call& call) = 0;
  // Called after a call that succeeded.
  virtual void After(const Call&) {}
};

// Whether calls can be watched. A sanitizer replaces the C library's calls itself.
bool CanWatchCalls();
// From now on, the watcher gets all calls to a directory (a clean, absolute path) and below it. Null ends the watching,
// and waits until no thread is in the watcher.
void WatchCalls(const std::string& below, CallWatcher* watcher);

}  // namespace rocksdb_backup::test
