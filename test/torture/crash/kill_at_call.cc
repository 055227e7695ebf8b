// Loaded before libc into a process that is to die at a chosen system call:
// SIGKILL before or after the nth call that changes something below a
// directory, or in the middle of it where it writes. The file that
// TORTURE_KILL_CONTROL names is the order, mapped, so that the process itself
// can change it at any time and read how many calls were left.

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Control {
  std::atomic<int64_t> left;  // calls to come, the fatal one included; 0: nobody dies
  int32_t moment;             // 0 before the call, 1 after it, 2 in its middle
  int32_t prefix_size;
  char prefix[4096 - 16];
};

Control* control = nullptr;

__attribute__((constructor)) void ReadControl() {
  const char* path = getenv("TORTURE_KILL_CONTROL");
  const int fd = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
  if (fd >= 0) {
    void* mapped = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    control = mapped == MAP_FAILED ? nullptr : static_cast<Control*>(mapped);
    close(fd);
  }
}

void Die() {
  kill(getpid(), SIGKILL);
  for (;;) {
    pause();
  }
}

bool Armed() { return control != nullptr && control->left.load() > 0; }

bool Counts(const char* path) { return strncmp(path, control->prefix, static_cast<size_t>(control->prefix_size)) == 0; }

bool CountsPath(int directory, const char* path) {
  if (!Armed()) {
    return false;
  }
  if (path[0] == '/' || directory == AT_FDCWD) {
    return Counts(path);
  }
  char link[64];
  char name[4096];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
  const ssize_t size = readlink(link, name, sizeof(name) - 1);
  name[size > 0 ? size : 0] = 0;
  return Counts(name);
}

bool CountsFile(int fd) { return CountsPath(fd, ""); }

// Tells whether this is the call; dies at once where that is before it.
bool IsTheCall(bool counts) {
  if (!counts || control->left.fetch_sub(1) != 1) {
    return false;
  }
  if (control->moment == 0) {
    Die();
  }
  return true;
}

template <class Function, class... Args>
auto Call(const char* name, bool counts, Args... args) {
  static_assert(std::is_pointer_v<Function>);
  const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
  const bool fatal = IsTheCall(counts);
  const auto result = real(args...);
  if (fatal) {
    Die();
  }
  return result;
}

// Half of what was to be written, and then death.
size_t Torn(bool counts, size_t size) {
  return counts && control->left.load() == 1 && control->moment == 2 ? size / 2 : size;
}

using OpenFunction = int (*)(const char*, int, mode_t);
using OpenAtFunction = int (*)(int, const char*, int, mode_t);
using WriteFunction = ssize_t (*)(int, const void*, size_t);
using WriteAtFunction = ssize_t (*)(int, const void*, size_t, off_t);
using FdFunction = int (*)(int);
using PathFunction = int (*)(const char*);
using PathsFunction = int (*)(const char*, const char*);

mode_t ModeOf(int flags, va_list args) { return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0; }

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  const bool counts = CountsFile(fd);
  return Call<WriteFunction>("write", counts, fd, data, Torn(counts, size));
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  const bool counts = CountsFile(fd);
  return Call<WriteAtFunction>("pwrite", counts, fd, data, Torn(counts, size), at);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off_t at) {
  const bool counts = CountsFile(fd);
  return Call<WriteAtFunction>("pwrite64", counts, fd, data, Torn(counts, size), at);
}

int open(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = ModeOf(flags, args);
  va_end(args);
  return Call<OpenFunction>("open", (flags & O_CREAT) != 0 && CountsPath(AT_FDCWD, path), path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = ModeOf(flags, args);
  va_end(args);
  return Call<OpenFunction>("open64", (flags & O_CREAT) != 0 && CountsPath(AT_FDCWD, path), path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = ModeOf(flags, args);
  va_end(args);
  return Call<OpenAtFunction>("openat", (flags & O_CREAT) != 0 && CountsPath(directory, path), directory, path, flags,
                              mode);
}

int fsync(int fd) { return Call<FdFunction>("fsync", CountsFile(fd), fd); }
int fdatasync(int fd) { return Call<FdFunction>("fdatasync", CountsFile(fd), fd); }
int ftruncate(int fd, off_t size) { return Call<int (*)(int, off_t)>("ftruncate", CountsFile(fd), fd, size); }
int ftruncate64(int fd, off_t size) { return Call<int (*)(int, off_t)>("ftruncate64", CountsFile(fd), fd, size); }
int fallocate(int fd, int mode, off_t from, off_t size) {
  return Call<int (*)(int, int, off_t, off_t)>("fallocate", CountsFile(fd), fd, mode, from, size);
}
int fallocate64(int fd, int mode, off_t from, off_t size) {
  return Call<int (*)(int, int, off_t, off_t)>("fallocate64", CountsFile(fd), fd, mode, from, size);
}

int unlink(const char* path) noexcept { return Call<PathFunction>("unlink", CountsPath(AT_FDCWD, path), path); }
int rmdir(const char* path) noexcept { return Call<PathFunction>("rmdir", CountsPath(AT_FDCWD, path), path); }
int unlinkat(int directory, const char* path, int flags) noexcept {
  return Call<int (*)(int, const char*, int)>("unlinkat", CountsPath(directory, path), directory, path, flags);
}
int mkdir(const char* path, mode_t mode) noexcept {
  return Call<int (*)(const char*, mode_t)>("mkdir", CountsPath(AT_FDCWD, path), path, mode);
}
int link(const char* from, const char* to) noexcept {
  return Call<PathsFunction>("link", CountsPath(AT_FDCWD, to), from, to);
}
int rename(const char* from, const char* to) noexcept {
  return Call<PathsFunction>("rename", CountsPath(AT_FDCWD, to), from, to);
}
int renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) noexcept {
  return Call<int (*)(int, const char*, int, const char*, unsigned)>("renameat2", CountsPath(to_directory, to),
                                                                     from_directory, from, to_directory, to, flags);
}

}  // extern "C"
