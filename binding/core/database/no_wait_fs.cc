#include "core/database/no_wait_fs.h"

#include <fcntl.h>
#include <sys/types.h>

#include <cerrno>
#include <string>
#include <utility>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>
#endif

namespace rocksdb_backup {
namespace {

thread_local bool no_wait = false;
thread_local bool no_wait_missed = false;

}  // namespace

NoWait::NoWait() {
  no_wait = true;
  no_wait_missed = false;
}

NoWait::~NoWait() { no_wait = false; }

bool NoWait::missed() const { return no_wait_missed; }

#if defined(__linux__) && defined(RWF_NOWAIT)

namespace {

using rocksdb::FileOptions;
using rocksdb::FileSystem;
using rocksdb::FSRandomAccessFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// RocksDB itself returns Incomplete for a block that is not in its cache if it must not read from the disk. Its
// iterators read such a block again when they come to it again. Any other error stays with the iterator.
IOStatus Missed() {
  no_wait_missed = true;
  IOStatus missed;
  static_cast<rocksdb::Status&>(missed) = rocksdb::Status::Incomplete("not in memory");
  return missed;
}

IOStatus Failed(const std::string& what, const std::string& path, int code) {
  const std::string context = "While " + what + ": " + path;
  const std::string reason = std::generic_category().message(code);
  return code == ENOENT ? IOStatus::PathNotFound(context, reason) : IOStatus::IOError(context, reason);
}

// RocksDB's own class for this kind of file does not give its file descriptor, and a second descriptor for each file
// would be too many. So this class does what that one does.
class NoWaitFile final : public FSRandomAccessFile {
 public:
  NoWaitFile(std::string path, int fd, uint64_t size, bool in_memory)
      : path_(std::move(path)), fd_(fd), size_(size), in_memory_(in_memory) {}
  ~NoWaitFile() override { close(fd_); }

  IOStatus Read(uint64_t offset, size_t size, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    const bool now = no_wait && !in_memory_;
    size_t done = 0;
    while (done < size) {
      iovec part{scratch + done, size - done};
      const auto at = static_cast<off_t>(offset + done);
      const ssize_t got = now ? preadv2(fd_, &part, 1, at, RWF_NOWAIT) : pread(fd_, part.iov_base, part.iov_len, at);
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        const int code = errno;
        *result = Slice(scratch, 0);
        return now && (code == EAGAIN || code == EOPNOTSUPP || code == ENOSYS || code == EPERM)
                   ? Missed()
                   : Failed("reading " + std::to_string(size) + " bytes at " + std::to_string(offset), path_, code);
      }
      if (got == 0) {
        if (now && offset + done < size_) {  // Linux 5.9 and 5.10 return 0 for data that is not in memory
          *result = Slice(scratch, 0);
          return Missed();
        }
        break;
      }
      done += static_cast<size_t>(got);
    }
    *result = Slice(scratch, done);
    return IOStatus::OK();
  }

  IOStatus Prefetch(uint64_t offset, size_t size, const IOOptions&, IODebugContext*) override {
    if (no_wait || readahead(fd_, static_cast<off64_t>(offset), size) == 0) {
      return IOStatus::OK();
    }
    return Failed("reading ahead", path_, errno);
  }

  void Hint(AccessPattern pattern) override {
    switch (pattern) {
      case kNormal:
        return Advise(0, 0, POSIX_FADV_NORMAL);
      case kRandom:
        return Advise(0, 0, POSIX_FADV_RANDOM);
      case kSequential:
        return Advise(0, 0, POSIX_FADV_SEQUENTIAL);
      case kWillNeed:
        return Advise(0, 0, POSIX_FADV_WILLNEED);
      case kWontNeed:
        return Advise(0, 0, POSIX_FADV_DONTNEED);
    }
  }

  IOStatus InvalidateCache(size_t offset, size_t length) override {
    Advise(offset, length, POSIX_FADV_DONTNEED);
    return IOStatus::OK();
  }

 private:
  // Errors are ignored: advice that is not taken does no harm.
  void Advise(size_t offset, size_t length, int advice) const {
    posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(length), advice);
  }

  const std::string path_;
  const int fd_;
  const uint64_t size_;
  const bool in_memory_;
};

class FileSystemWithNoWait final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "NoWaitFileSystem"; }

  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<FSRandomAccessFile>* file, IODebugContext* context) override {
    if (options.use_direct_reads || options.use_mmap_reads) {
      return target()->NewRandomAccessFile(path, options, file, context);
    }
    if (no_wait) {
      return Missed();
    }
    int fd = -1;
    do {
      fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
      return Failed("opening a file for reading", path, errno);
    }
    struct statfs info = {};
    const bool in_memory = fstatfs(fd, &info) == 0 && (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC);
    struct stat status = {};
    if (fstat(fd, &status) != 0) {
      const int code = errno;
      close(fd);
      return Failed("opening a file for reading", path, code);
    }
    *file = std::make_unique<NoWaitFile>(path, fd, static_cast<uint64_t>(status.st_size), in_memory);
    return IOStatus::OK();
  }
};

}  // namespace

const std::shared_ptr<FileSystem>& NoWaitFileSystem() {
  static const auto* const storage =
      new std::shared_ptr<FileSystem>(std::make_shared<FileSystemWithNoWait>(FileSystem::Default()));
  return *storage;
}

#else

const std::shared_ptr<rocksdb::FileSystem>& NoWaitFileSystem() {
  static const auto* const none = new std::shared_ptr<rocksdb::FileSystem>();
  return *none;
}

#endif

}  // namespace rocksdb_backup
