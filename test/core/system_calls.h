#pragma once

#include <string>

namespace rocksdb_backup::test {

// What a program asks of a file system, as the kernel sees it. The executable that links system_calls.cc has the C
// library's calls go through here: those of RocksDB, of binding/core and of the standard library alike. So what is
// tried is the product as it is, without a seam, and an error is the errno that a disk would give.
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
  std::string other;  // where a rename or a link leads to
  int fd = -1;
  bool creates = false;   // an open that makes the file where there is none
  bool exchange = false;  // a rename that exchanges
};

struct Verdict {
  int error = 0;      // not 0: the call is not made and fails so
  bool half = false;  // a read or write does half of what it was asked to, as it may
  bool end = false;   // a read tells the end of the file
};

class CallWatcher {
 public:
  virtual ~CallWatcher() = default;
  // Any thread. What is called in here is not watched.
  virtual Verdict Before(const Call& call) = 0;
  // It succeeded.
  virtual void After(const Call&) {}
};

// Whether calls can be watched: not under a sanitizer, which has the C library's calls for itself.
bool CanWatchCalls();
// From now on, all that is done below a directory (a clean, absolute path) and to it is told to the watcher. Null: no
// more; returns when nobody is in the watcher any longer.
void WatchCalls(const std::string& below, CallWatcher* watcher);

}  // namespace rocksdb_backup::test
