#include "core/storage/disk_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/checksum.h"
#include "core/base/descriptor.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

// The head of a file. The id and the block follow.
struct BlockHead {
  std::array<char, 8> kind;
  uint32_t checksum;  // of everything that follows
  uint32_t id_bytes;
  uint64_t block_bytes;
};
constexpr std::array<char, 8> kBlockKind = {'R', 'D', 'B', 'B', 'L', 'K', '0', '1'};
constexpr size_t kChecked = offsetof(BlockHead, id_bytes);

constexpr uint64_t kDiskPage = 4096;
constexpr time_t kAbandonedAfterSeconds = 3600;

uint64_t OnDisk(uint64_t size) { return (size + kDiskPage - 1) / kDiskPage * kDiskPage; }

std::string SixteenDigits(uint64_t number) {
  std::array<char, 17> text{};
  snprintf(text.data(), text.size(), "%016" PRIx64, number);
  return text.data();
}

// Whether a name is sixteen hexadecimal digits with this end: what somebody else put into the directory stays there.
bool IsOurName(std::string_view name, std::string_view end) {
  constexpr size_t kDigits = 16;
  return name.size() == kDigits + end.size() && name.ends_with(end) &&
         name.find_first_not_of("0123456789abcdef") == kDigits;
}

std::string Encode(const std::string& id, std::string_view bytes) {
  const BlockHead head{kBlockKind, 0, static_cast<uint32_t>(id.size()), bytes.size()};
  std::string file(reinterpret_cast<const char*>(&head), sizeof(head));
  file.append(id).append(bytes);
  const uint32_t checksum = ChecksumOf(std::string_view(file).substr(kChecked));
  memcpy(file.data() + offsetof(BlockHead, checksum), &checksum, sizeof(checksum));
  return file;
}

// What a file of the cache has in it.
enum class Found { kBlock, kOtherBlock, kDamage };
Found Decode(const std::string& id, std::string* file) {
  BlockHead head;
  if (file->size() < sizeof(head)) {
    return Found::kDamage;
  }
  memcpy(&head, file->data(), sizeof(head));
  const std::string_view all = *file;
  if (head.kind != kBlockKind || sizeof(head) + head.id_bytes + head.block_bytes != all.size() ||
      ChecksumOf(all.substr(kChecked)) != head.checksum) {
    return Found::kDamage;
  }
  if (all.substr(sizeof(head), head.id_bytes) != id) {
    return Found::kOtherBlock;
  }
  file->erase(0, sizeof(head) + head.id_bytes);
  return Found::kBlock;
}

int MakePrivateDirectories(const std::string& path) {
  if (mkdir(path.c_str(), S_IRWXU) == 0 || errno == EEXIST) {
    return 0;
  }
  const std::string parent = ParentOf(path);
  if (errno != ENOENT || parent == path) {
    return errno;
  }
  const int number = MakePrivateDirectories(parent);
  return number != 0 || mkdir(path.c_str(), S_IRWXU) == 0 || errno == EEXIST ? number : errno;
}

uint64_t RandomNumber() {
  thread_local std::mt19937_64 numbers{std::random_device{}()};
  return numbers();
}

}  // namespace

// What all caches of a process share that are in one directory.
class DiskCache::Directory {
 public:
  static std::shared_ptr<Directory> Open(const Options& options);
  explicit Directory(Options options) : options_(std::move(options)), step_(options_.max_bytes / 16) {
    const std::lock_guard lock(mutex_);
    Prepare();
  }

  bool usable() const { return usable_; }
  // Somebody opens a cache here: what was wrong with the directory may be another thing by now.
  void LookAgain() {
    const std::lock_guard lock(mutex_);
    if (!usable_) {
      problem_.clear();
      Prepare();
    }
  }
  std::string PathOf(const std::string& id) const;
  // False if nothing can be written now.
  bool MakeRoom(uint64_t bytes);
  // Writes a file of the cache. False if that fails.
  bool Write(const std::string& path, const std::string& file);
  std::string problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Prepare();
  bool RemoveOldest();
  void Fail(const std::string& what, int number);

  const Options options_;
  const uint64_t step_;  // a sixteenth of the bound
  std::atomic<bool> usable_{false};
  mutable std::mutex mutex_;  // guards all members below
  uint64_t room_ = 0;         // may be written before it is looked again how much is there
  std::optional<Clock::time_point> paused_until_;
  std::string problem_;
};

std::shared_ptr<DiskCache::Directory> DiskCache::Directory::Open(const Options& options) {
  struct Opened {
    std::mutex mutex;
    std::map<std::pair<std::string, uint64_t>, std::weak_ptr<Directory>> directories;
  };
  static auto* const opened = new Opened;  // never destroyed, because threads may outlive main()
  const std::string path = RealPath(options.directory);
  const std::lock_guard lock(opened->mutex);
  std::erase_if(opened->directories, [](const auto& known) { return known.second.expired(); });
  std::weak_ptr<Directory>& known = opened->directories[{path, options.max_bytes}];
  auto directory = known.lock();
  if (directory == nullptr) {
    directory = std::make_shared<Directory>(Options{path, options.max_bytes});
    known = directory;
  } else {
    directory->LookAgain();
  }
  return directory;
}

std::string DiskCache::Directory::PathOf(const std::string& id) const {
  return options_.directory + "/" + SixteenDigits(HashOf(id)) + ".block";
}

// Makes the directory, or finds out whether one that is there may be used.
void DiskCache::Directory::Prepare() {
  usable_ = false;
  struct stat found = {};
  if (const int number = MakePrivateDirectories(options_.directory); number != 0) {
    Fail("cannot be made", number);
  } else if (stat(options_.directory.c_str(), &found) != 0) {
    Fail("cannot be looked at", errno);
  } else if (!S_ISDIR(found.st_mode)) {
    Fail("cannot be used", ENOTDIR);
  } else if (found.st_uid != geteuid()) {
    Fail("is not used, because it belongs to another user", 0);
  } else if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    Fail("is not used, because other users may write there: its mode must be 0700", 0);
  } else {
    usable_ = true;
  }
}

bool DiskCache::Directory::MakeRoom(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > step_) {
    return false;
  }
  if (paused_until_) {
    if (Clock::now() < *paused_until_) {
      return false;
    }
    paused_until_.reset();
    Prepare();
    room_ = 0;
  }
  if (!usable_ || (bytes > room_ && !RemoveOldest())) {
    return false;
  }
  room_ -= bytes;
  return true;
}

// Leaves room for one step more. If something has to go, two steps go, so that this is not needed after each step.
bool DiskCache::Directory::RemoveOldest() {
  struct File {
    std::string name;
    uint64_t bytes;
    timespec used;
  };
  std::vector<File> files;
  uint64_t all = 0;
  DIR* const directory = opendir(options_.directory.c_str());
  if (directory == nullptr) {
    Fail("cannot be listed", errno);
    return false;
  }
  const int at = dirfd(directory);
  const time_t now = time(nullptr);
  while (const dirent* const entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    const bool temporary = IsOurName(name, ".tmp");
    struct stat found = {};
    if ((!temporary && !IsOurName(name, ".block")) || fstatat(at, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    // Of a process that was killed.
    if (temporary && found.st_mtime + kAbandonedAfterSeconds < now && unlinkat(at, entry->d_name, 0) == 0) {
      continue;
    }
    files.push_back({entry->d_name, OnDisk(static_cast<uint64_t>(found.st_size)), found.st_mtim});
    all += files.back().bytes;
  }
  const uint64_t most = options_.max_bytes - step_;
  int failure = 0;
  if (all > most) {
    std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
      return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
    });
    for (const File& file : files) {
      if (all <= most - step_) {
        break;
      }
      // What another process has removed is gone, too.
      if (unlinkat(at, file.name.c_str(), 0) == 0 || errno == ENOENT) {
        all -= file.bytes;
      } else {
        failure = errno;
      }
    }
  }
  closedir(directory);
  if (all > most) {
    Fail("has more than its bound, and files in it cannot be removed", failure);
    return false;
  }
  room_ = step_;
  return true;
}

void DiskCache::Directory::Fail(const std::string& what, int number) {
  problem_ = "the cache in " + options_.directory + " " + what +
             (number == 0 ? "" : ": " + std::generic_category().message(number));
  paused_until_ = Clock::now() + kPauseAfterFailure;
}

bool DiskCache::Directory::Write(const std::string& path, const std::string& file) {
  const std::string temporary = options_.directory + "/" + SixteenDigits(RandomNumber()) + ".tmp";
  Descriptor written(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (written.ok() && WriteFully(written, file) && written.Close() && rename(temporary.c_str(), path.c_str()) == 0) {
    return true;
  }
  const int number = errno;
  unlink(temporary.c_str());
  const std::lock_guard lock(mutex_);
  Fail("cannot be written", number);
  return false;
}

DiskCache::DiskCache(const Options& options) : directory_(Directory::Open(options)) {}

std::optional<std::string> DiskCache::Read(const std::string& id) {
  if (!directory_->usable()) {
    return std::nullopt;
  }
  const std::string path = directory_->PathOf(id);
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat found = {};
  if (!file.ok() || fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) {
    return std::nullopt;
  }
  std::string bytes(static_cast<size_t>(found.st_size), '\0');
  const bool whole = ReadFully(file, bytes.data(), bytes.size()) == found.st_size;
  const Found what = whole ? Decode(id, &bytes) : Found::kDamage;
  if (what == Found::kDamage) {
    unlink(path.c_str());
    ++damaged_;
  }
  if (what != Found::kBlock) {
    return std::nullopt;
  }
  if (found.st_mtime + kUseCountsAfter.count() < time(nullptr)) {
    (void)futimens(file.get(), nullptr);
  }
  ++hits_;
  bytes_read_ += bytes.size();
  return bytes;
}

bool DiskCache::Has(const std::string& id) const {
  return directory_->usable() && access(directory_->PathOf(id).c_str(), F_OK) == 0;
}

void DiskCache::Write(const std::string& id, std::string_view bytes) {
  ++misses_;
  const std::string file = Encode(id, bytes);
  if (directory_->MakeRoom(OnDisk(file.size())) && directory_->Write(directory_->PathOf(id), file)) {
    bytes_written_ += bytes.size();
  }
}

DiskCache::Statistics DiskCache::statistics() const {
  return {hits_, misses_, damaged_, bytes_read_, bytes_written_, directory_->problem()};
}

}  // namespace rocksdb_backup
