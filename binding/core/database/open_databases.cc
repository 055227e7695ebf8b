#include "core/database/open_databases.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

#ifdef _WIN32
#include "rocksdb/env.h"
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace rocksdb_backup {
namespace {

struct Entry {
  std::string path;
  DatabaseClaim::Kind kind;
};

// Never destroyed, because threads may outlive main().
struct Record {
  std::mutex mutex;
  std::map<int, Entry> entries;
  int last_id = 0;
};

Record& TheRecord() {
  static auto* record = new Record;
  return *record;
}

// Compares the text, for a directory that does not exist yet, and then asks the file system.
bool SameDirectory(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return a == b || std::filesystem::equivalent(a, b, ignored);
}

bool MayShare(DatabaseClaim::Kind a, DatabaseClaim::Kind b) {
  using Kind = DatabaseClaim::Kind;
  if (a == Kind::kAlone || b == Kind::kAlone) {
    return false;
  }
  return a == Kind::kShared || b == Kind::kShared;
}

}  // namespace

DatabaseClaim::DatabaseClaim(DatabaseClaim&& other) noexcept : id_(std::exchange(other.id_, 0)) {}

DatabaseClaim& DatabaseClaim::operator=(DatabaseClaim&& other) noexcept {
  if (this != &other) {
    Release();
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

DatabaseClaim::~DatabaseClaim() { Release(); }

void DatabaseClaim::Release() {
  if (id_ != 0) {
    const std::lock_guard lock(TheRecord().mutex);
    TheRecord().entries.erase(std::exchange(id_, 0));
  }
}

Error DatabaseClaim::Take(const std::string& path, Kind kind, DatabaseClaim* claim) {
  Record& record = TheRecord();
  const std::lock_guard lock(record.mutex);
  for (const auto& [id, entry] : record.entries) {
    if (!MayShare(kind, entry.kind) && SameDirectory(entry.path, path)) {
      return DatabaseInUseError(path, "this process");
    }
  }
  record.entries[++record.last_id] = {path, kind};
  *claim = DatabaseClaim(record.last_id);
  return Error();
}

Error CheckNotLockedElsewhere(const std::string& path) {
  const std::string lock_path = path + "/LOCK";
#ifdef _WIN32
  rocksdb::Env* env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  if (!env->FileExists(lock_path).ok()) {
    return Error();
  }
  if (!env->LockFile(lock_path, &lock).ok()) {
    return DatabaseInUseError(path, "another process");
  }
  return Error::From(env->UnlockFile(lock), lock_path).With("path", lock_path);
#else
  const int fd = open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return Error();  // there is no lock file, or we may not open it
  }
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool asked = fcntl(fd, F_GETLK, &lock) == 0;
  close(fd);
  if (!asked || lock.l_type == F_UNLCK) {
    return Error();
  }
  return DatabaseInUseError(path, "process " + std::to_string(lock.l_pid));
#endif
}

Error DatabaseInUseError(const std::string& path, const std::string& by_whom) {
  return Error("DATABASE_IN_USE", "the database " + path + " is open in " + by_whom)
      .With("path", path)
      .With("holder", by_whom)
      .Advise("closeThereOrReadOnly");
}

}  // namespace rocksdb_backup
