#include "system_calls.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include "core/base/paths.h"

namespace rocksdb_backup::test {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)

bool CanWatchCalls() { return false; }
void WatchCalls(const std::string&, CallWatcher*) {}

#else

namespace {

struct Watch {
  std::string below;
  CallWatcher* watcher;
};

std::atomic<const Watch*> current{nullptr};
std::atomic<int> users{0};
thread_local bool busy = false;  // this thread runs the watcher, whose own calls are not watched

bool IsWatched(const Watch& watch, const std::string& path) {
  return path == watch.below || IsInside(path, watch.below);
}

std::string PathOf(int fd) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  char path[4096];
  const ssize_t size = readlink(link, path, sizeof(path));
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : "";
}

std::string PathAt(int directory, const char* path) {
  if (path == nullptr) {
    return "";
  }
  if (path[0] == '/') {
    return CleanPath(path);
  }
  return directory == AT_FDCWD ? "" : CleanPath(PathOf(directory) + "/" + path);
}

// One system call: asks the watcher before the call, and reports success to it.
class Passage {
 public:
  template <class MakeCall>
  explicit Passage(MakeCall make) {
    if (busy || current.load(std::memory_order_acquire) == nullptr) {
      return;
    }
    ++users;
    watch_ = current.load();
    if (watch_ == nullptr) {
      --users;
      return;
    }
    busy = true;
    const int error = errno;
    call_ = make();
    if (IsWatched(*watch_, call_.path) || IsWatched(*watch_, call_.other)) {
      verdict_ = watch_->watcher->Before(call_);
    } else {
      Leave();
    }
    busy = false;
    errno = error;
  }
  ~Passage() {
    if (watch_ != nullptr) {
      Leave();
    }
  }
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

  bool Fails() const {
    if (verdict_.error != 0) {
      errno = verdict_.error;
    }
    return verdict_.error != 0;
  }
  const Verdict& verdict() const { return verdict_; }

  template <class Result>
  Result Done(Result result, bool success, int fd = -1) {
    if (watch_ != nullptr && success) {
      const int error = errno;
      busy = true;
      if (fd >= 0) {
        call_.fd = fd;
      }
      watch_->watcher->After(call_);
      busy = false;
      errno = error;
    }
    return result;
  }

 private:
  void Leave() {
    watch_ = nullptr;
    --users;
  }

  const Watch* watch_ = nullptr;
  Call call_{};
  Verdict verdict_;
};

}  // namespace

void WatchCalls(const std::string& below, CallWatcher* watcher) {
  static std::unique_ptr<const Watch> kept;
  current = nullptr;
  while (users > 0) {
    std::this_thread::yield();
  }
  kept = watcher != nullptr ? std::make_unique<const Watch>(Watch{below, watcher}) : nullptr;
  current = kept.get();
}

bool CanWatchCalls() { return true; }

namespace {

template <class Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

CallKind OpenKind(int flags) {
  return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0 ? CallKind::kOpenWrite : CallKind::kOpenRead;
}

template <class Real>
int DoOpen(int directory, const char* path, int flags, Real real) {
  Passage passage([&] {
    Call call{OpenKind(flags), PathAt(directory, path), "", -1, false, false};
    struct stat there = {};
    call.creates = (flags & O_CREAT) != 0 && stat(call.path.c_str(), &there) != 0;
    return call;
  });
  if (passage.Fails()) {
    return -1;
  }
  const int fd = real();
  return passage.Done(fd, fd >= 0, fd);
}

template <class Real>
auto DoOnFile(CallKind kind, int fd, Real real) -> decltype(real()) {
  Passage passage([&] { return Call{kind, PathOf(fd), "", fd, false, false}; });
  if (passage.Fails()) {
    return -1;
  }
  const auto result = real();
  return passage.Done(result, result >= 0);
}

// `real` gets the number of bytes to transfer.
template <class Real>
ssize_t DoTransfer(CallKind kind, int fd, size_t size, Real real) {
  Passage passage([&] { return Call{kind, PathOf(fd), "", fd, false, false}; });
  if (passage.Fails()) {
    return -1;
  }
  if (passage.verdict().end) {
    return 0;
  }
  const ssize_t result = real(passage.verdict().half && size > 1 ? size / 2 : size);
  return passage.Done(result, result >= 0);
}

template <class Real>
int DoOnPath(CallKind kind, int directory, const char* path, Real real) {
  Passage passage([&] { return Call{kind, PathAt(directory, path), "", -1, false, false}; });
  if (passage.Fails()) {
    return -1;
  }
  const int result = real();
  return passage.Done(result, result == 0);
}

template <class Real>
int DoOnTwo(CallKind kind, int directory, const char* from, int other, const char* to, bool exchange, Real real) {
  Passage passage([&] { return Call{kind, PathAt(directory, from), PathAt(other, to), -1, false, exchange}; });
  if (passage.Fails()) {
    return -1;
  }
  const int result = real();
  return passage.Done(result, result == 0);
}

template <class Real>
DIR* DoOpenDirectory(const std::string& path, Real real) {
  Passage passage([&] { return Call{CallKind::kList, path, "", -1, false, false}; });
  if (passage.Fails()) {
    return nullptr;
  }
  DIR* const directory = real();
  return passage.Done(directory, directory != nullptr);
}

mode_t ModeOf(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

// The C library's own names are given by __asm__: its headers declare them with attributes that a definition would have
// to repeat. Those for large files are the same functions.
#pragma GCC visibility push(default)
extern "C" {

int WatchedOpen(const char* path, int flags, ...) __asm__("open");
int WatchedOpen64(const char* path, int flags, ...) __asm__("open64") __attribute__((alias("open")));
int WatchedOpen(const char* path, int flags, ...) {
  static auto* const next = Next<int(const char*, int, ...)>("open");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return DoOpen(AT_FDCWD, path, flags, [&] { return next(path, flags, mode); });
}

int WatchedOpenAt(int directory, const char* path, int flags, ...) __asm__("openat");
int WatchedOpenAt64(int directory, const char* path, int flags, ...) __asm__("openat64")
    __attribute__((alias("openat")));
int WatchedOpenAt(int directory, const char* path, int flags, ...) {
  static auto* const next = Next<int(int, const char*, int, ...)>("openat");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return DoOpen(directory, path, flags, [&] { return next(directory, path, flags, mode); });
}

int WatchedClose(int fd) __asm__("close");
int WatchedClose(int fd) {
  static auto* const next = Next<int(int)>("close");
  Passage passage([&] { return Call{CallKind::kClose, PathOf(fd), "", fd, false, false}; });
  const int result = next(fd);  // the file is closed even if this call must fail
  return passage.Fails() ? -1 : passage.Done(result, result == 0);
}

ssize_t WatchedRead(int fd, void* to, size_t size) __asm__("read");
ssize_t WatchedRead(int fd, void* to, size_t size) {
  static auto* const next = Next<ssize_t(int, void*, size_t)>("read");
  return DoTransfer(CallKind::kRead, fd, size, [&](size_t most) { return next(fd, to, most); });
}

ssize_t WatchedPread(int fd, void* to, size_t size, off_t at) __asm__("pread");
ssize_t WatchedPread64(int fd, void* to, size_t size, off_t at) __asm__("pread64") __attribute__((alias("pread")));
ssize_t WatchedPread(int fd, void* to, size_t size, off_t at) {
  static auto* const next = Next<ssize_t(int, void*, size_t, off_t)>("pread");
  return DoTransfer(CallKind::kRead, fd, size, [&](size_t most) { return next(fd, to, most, at); });
}

// RocksDB reads files from their beginning with fread. The C library's buffer calls no read() that can be watched, and
// repeats short reads itself.
size_t WatchedFread(void* to, size_t size, size_t count, FILE* file) __asm__("fread_unlocked");
size_t WatchedFread(void* to, size_t size, size_t count, FILE* file) {
  static auto* const next = Next<size_t(void*, size_t, size_t, FILE*)>("fread_unlocked");
  Passage passage([&] { return Call{CallKind::kRead, PathOf(fileno(file)), "", fileno(file), false, false}; });
  if (passage.Fails()) {
    return 0;
  }
  if (passage.verdict().end) {
    fseek(file, 0, SEEK_END);
  }
  return next(to, size, count, file);
}

ssize_t WatchedWrite(int fd, const void* from, size_t size) __asm__("write");
ssize_t WatchedWrite(int fd, const void* from, size_t size) {
  static auto* const next = Next<ssize_t(int, const void*, size_t)>("write");
  return DoTransfer(CallKind::kWrite, fd, size, [&](size_t most) { return next(fd, from, most); });
}

ssize_t WatchedPwrite(int fd, const void* from, size_t size, off_t at) __asm__("pwrite");
ssize_t WatchedPwrite64(int fd, const void* from, size_t size, off_t at) __asm__("pwrite64")
    __attribute__((alias("pwrite")));
ssize_t WatchedPwrite(int fd, const void* from, size_t size, off_t at) {
  static auto* const next = Next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return DoTransfer(CallKind::kWrite, fd, size, [&](size_t most) { return next(fd, from, most, at); });
}

int WatchedTruncate(int fd, off_t size) __asm__("ftruncate");
int WatchedTruncate64(int fd, off_t size) __asm__("ftruncate64") __attribute__((alias("ftruncate")));
int WatchedTruncate(int fd, off_t size) {
  static auto* const next = Next<int(int, off_t)>("ftruncate");
  return DoOnFile(CallKind::kWrite, fd, [&] { return next(fd, size); });
}

int WatchedSync(int fd) __asm__("fsync");
int WatchedSync(int fd) {
  static auto* const next = Next<int(int)>("fsync");
  return DoOnFile(CallKind::kSync, fd, [&] { return next(fd); });
}

int WatchedDataSync(int fd) __asm__("fdatasync");
int WatchedDataSync(int fd) {
  static auto* const next = Next<int(int)>("fdatasync");
  return DoOnFile(CallKind::kSync, fd, [&] { return next(fd); });
}

int WatchedUnlink(const char* path) __asm__("unlink");
int WatchedUnlink(const char* path) {
  static auto* const next = Next<int(const char*)>("unlink");
  return DoOnPath(CallKind::kDelete, AT_FDCWD, path, [&] { return next(path); });
}

int WatchedRmdir(const char* path) __asm__("rmdir");
int WatchedRmdir(const char* path) {
  static auto* const next = Next<int(const char*)>("rmdir");
  return DoOnPath(CallKind::kDelete, AT_FDCWD, path, [&] { return next(path); });
}

int WatchedRemove(const char* path) __asm__("remove");
int WatchedRemove(const char* path) {
  static auto* const next = Next<int(const char*)>("remove");
  return DoOnPath(CallKind::kDelete, AT_FDCWD, path, [&] { return next(path); });
}

int WatchedUnlinkAt(int directory, const char* path, int flags) __asm__("unlinkat");
int WatchedUnlinkAt(int directory, const char* path, int flags) {
  static auto* const next = Next<int(int, const char*, int)>("unlinkat");
  return DoOnPath(CallKind::kDelete, directory, path, [&] { return next(directory, path, flags); });
}

int WatchedMkdir(const char* path, mode_t mode) __asm__("mkdir");
int WatchedMkdir(const char* path, mode_t mode) {
  static auto* const next = Next<int(const char*, mode_t)>("mkdir");
  return DoOnPath(CallKind::kMakeDir, AT_FDCWD, path, [&] { return next(path, mode); });
}

int WatchedAccess(const char* path, int mode) __asm__("access");
int WatchedAccess(const char* path, int mode) {
  static auto* const next = Next<int(const char*, int)>("access");
  return DoOnPath(CallKind::kStat, AT_FDCWD, path, [&] { return next(path, mode); });
}

int WatchedStat(const char* path, struct stat* to) __asm__("stat");
int WatchedStat64(const char* path, struct stat* to) __asm__("stat64") __attribute__((alias("stat")));
int WatchedStat(const char* path, struct stat* to) {
  static auto* const next = Next<int(const char*, struct stat*)>("stat");
  return DoOnPath(CallKind::kStat, AT_FDCWD, path, [&] { return next(path, to); });
}

int WatchedLstat(const char* path, struct stat* to) __asm__("lstat");
int WatchedLstat64(const char* path, struct stat* to) __asm__("lstat64") __attribute__((alias("lstat")));
int WatchedLstat(const char* path, struct stat* to) {
  static auto* const next = Next<int(const char*, struct stat*)>("lstat");
  return DoOnPath(CallKind::kStat, AT_FDCWD, path, [&] { return next(path, to); });
}

int WatchedFstatAt(int directory, const char* path, struct stat* to, int flags) __asm__("fstatat");
int WatchedFstatAt64(int directory, const char* path, struct stat* to, int flags) __asm__("fstatat64")
    __attribute__((alias("fstatat")));
int WatchedFstatAt(int directory, const char* path, struct stat* to, int flags) {
  static auto* const next = Next<int(int, const char*, struct stat*, int)>("fstatat");
  return DoOnPath(CallKind::kStat, directory, path, [&] { return next(directory, path, to, flags); });
}

int WatchedFstat(int fd, struct stat* to) __asm__("fstat");
int WatchedFstat64(int fd, struct stat* to) __asm__("fstat64") __attribute__((alias("fstat")));
int WatchedFstat(int fd, struct stat* to) {
  static auto* const next = Next<int(int, struct stat*)>("fstat");
  return DoOnFile(CallKind::kStat, fd, [&] { return next(fd, to); });
}

int WatchedRename(const char* from, const char* to) __asm__("rename");
int WatchedRename(const char* from, const char* to) {
  static auto* const next = Next<int(const char*, const char*)>("rename");
  return DoOnTwo(CallKind::kRename, AT_FDCWD, from, AT_FDCWD, to, false, [&] { return next(from, to); });
}

int WatchedRename2(int directory, const char* from, int other, const char* to, unsigned flags) __asm__("renameat2");
int WatchedRename2(int directory, const char* from, int other, const char* to, unsigned flags) {
  static auto* const next = Next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return DoOnTwo(CallKind::kRename, directory, from, other, to, (flags & RENAME_EXCHANGE) != 0,
                 [&] { return next(directory, from, other, to, flags); });
}

int WatchedLink(const char* from, const char* to) __asm__("link");
int WatchedLink(const char* from, const char* to) {
  static auto* const next = Next<int(const char*, const char*)>("link");
  return DoOnTwo(CallKind::kLink, AT_FDCWD, from, AT_FDCWD, to, false, [&] { return next(from, to); });
}

DIR* WatchedOpendir(const char* path) __asm__("opendir");
DIR* WatchedOpendir(const char* path) {
  static auto* const next = Next<DIR*(const char*)>("opendir");
  return DoOpenDirectory(PathAt(AT_FDCWD, path), [&] { return next(path); });
}

DIR* WatchedFdopendir(int fd) __asm__("fdopendir");
DIR* WatchedFdopendir(int fd) {
  static auto* const next = Next<DIR*(int)>("fdopendir");
  return DoOpenDirectory(PathOf(fd), [&] { return next(fd); });
}

struct dirent* WatchedReaddir(DIR* directory) __asm__("readdir");
struct dirent* WatchedReaddir64(DIR* directory) __asm__("readdir64") __attribute__((alias("readdir")));
struct dirent* WatchedReaddir(DIR* directory) {
  static auto* const next = Next<struct dirent*(DIR*)>("readdir");
  const int fd = dirfd(directory);
  Passage passage([&] { return Call{CallKind::kList, PathOf(fd), "", fd, false, false}; });
  return passage.Fails() ? nullptr : next(directory);
}

int WatchedFlock(int fd, int operation) __asm__("flock");
int WatchedFlock(int fd, int operation) {
  static auto* const next = Next<int(int, int)>("flock");
  return (operation & LOCK_UN) != 0 ? next(fd, operation)
                                    : DoOnFile(CallKind::kLock, fd, [&] { return next(fd, operation); });
}

int WatchedFcntl(int fd, int command, ...) __asm__("fcntl");
int WatchedFcntl64(int fd, int command, ...) __asm__("fcntl64") __attribute__((alias("fcntl")));
int WatchedFcntl(int fd, int command, ...) {
  static auto* const next = Next<int(int, int, ...)>("fcntl");
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  const bool locks = command == F_SETLK || command == F_OFD_SETLK;
  if (!locks || static_cast<const struct flock*>(argument)->l_type == F_UNLCK) {
    return next(fd, command, argument);
  }
  return DoOnFile(CallKind::kLock, fd, [&] { return next(fd, command, argument); });
}

}  // extern "C"
#pragma GCC visibility pop

#endif

}  // namespace rocksdb_backup::test
