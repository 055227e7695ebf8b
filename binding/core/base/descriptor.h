#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string_view>
#include <utility>

namespace rocksdb_backup {

// An open file, which is closed when the object is destroyed.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  // False if the system reports an error, for instance of a write that it had put off.
  bool Close() {
    const int fd = Release();
    return fd < 0 || close(fd) == 0;
  }

 private:
  int fd_;
};

// Reads from the beginning of a file until `size` bytes are read or the file ends. Returns how many bytes were read, or
// -1: errno says why.
inline ssize_t ReadFully(const Descriptor& file, char* into, size_t size) {
  size_t at = 0;
  while (at < size) {
    const ssize_t got = pread(file.get(), into + at, size - at, static_cast<off_t>(at));
    if (got == 0) {
      break;
    }
    if (got > 0) {
      at += static_cast<size_t>(got);
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return static_cast<ssize_t>(at);
}

// Writes all bytes. False if that fails: errno says why.
inline bool WriteFully(const Descriptor& file, std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t wrote = write(file.get(), bytes.data() + at, bytes.size() - at);
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote <= 0) {
      errno = wrote == 0 ? EIO : errno;
      return false;
    }
    at += static_cast<size_t>(wrote);
  }
  return true;
}

}  // namespace rocksdb_backup
