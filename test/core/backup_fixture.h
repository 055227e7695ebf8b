#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/paths.h"
#include "core/database/open_rocksdb.h"
#include "core/repository/backup_repository.h"
#include "core/storage/directory_lock.h"
#include "core/storage/local_storage.h"
#include "core/stores/object_storage.h"
#include "memory_object_store.h"
#include "memory_storage.h"
#include "rocksdb/db.h"
#include "rocksdb/rate_limiter.h"
#include "test_files.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROCKSDB_BACKUP_SANITIZED 1
#else
#define ROCKSDB_BACKUP_SANITIZED 0
#endif

namespace rocksdb_backup::test {

inline ::testing::AssertionResult IsGood(const Error& error) {
  return error.ok() ? ::testing::AssertionSuccess()
                    : ::testing::AssertionFailure() << error.code() << ": " << error.message();
}

inline ::testing::AssertionResult HasCode(const Error& error, const std::string& code) {
  return (error.code() == code ? ::testing::AssertionSuccess() : ::testing::AssertionFailure())
         << "expected " << code << ", got " << error.code() << ": " << error.message();
}

#define ASSERT_GOOD(expression) ASSERT_TRUE(::rocksdb_backup::test::IsGood(expression))
#define EXPECT_GOOD(expression) EXPECT_TRUE(::rocksdb_backup::test::IsGood(expression))
#define ASSERT_CODE(expression, code) ASSERT_TRUE(::rocksdb_backup::test::HasCode(expression, code))
#define EXPECT_CODE(expression, code) EXPECT_TRUE(::rocksdb_backup::test::HasCode(expression, code))

inline std::shared_ptr<Operation> NewOperation(Operation::Sink sink = {}) {
  return std::make_shared<Operation>(std::move(sink));
}

// Runs `write` when its turn comes in the queue of writes, and waits for it.
inline Error InTurn(BackupRepository& repository, Operation& operation, const std::function<Error()>& write) {
  std::promise<Error> written;
  repository.writes().Run([&] { written.set_value(write()); }, operation);
  return written.get_future().get();
}

inline Error InTurn(BackupRepository& repository, const std::function<Error()>& write) {
  Operation operation;
  return InTurn(repository, operation, write);
}

// What keeps the repositories of the tests: "disk", "memory", or "store": an object store in memory.
inline std::string TestStorage() {
  const char* const storage = getenv("TEST_STORAGE");
  return storage == nullptr ? "disk" : storage;
}
inline bool OnMemory() { return TestStorage() != "disk"; }

// For a test of what only a disk has: permissions, links, other processes and programs.
#define NEEDS_A_DISK()                                \
  if (OnMemory()) {                                   \
    GTEST_SKIP() << "about a repository on the disk"; \
  }

// For a test that gets between the BackupEngine and the files. An object store has no files that several views share;
// for it, test/core/stores/store_faults_test.cc gets between the store and its requests.
#define NEEDS_FILES()                              \
  if (TestStorage() == "store") {                  \
    GTEST_SKIP() << "about a repository of files"; \
  }

// A local storage whose files are visible only through a file system of the test.
class StorageThrough : public LocalStorage {
 public:
  using LocalStorage::LocalStorage;
  const std::string& local_directory() const override { return nowhere_; }

 private:
  const std::string nowhere_;
};

// A temporary directory, in /dev/shm if possible: no test here needs a disk, and syncs of a disk are slow.
class ScratchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const bool in_memory = getenv("TMPDIR") == nullptr && access("/dev/shm", W_OK) == 0;
    std::string pattern =
        (in_memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) + "/rocksdb-backup-core-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = RealPath(pattern);
  }

  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string path(const std::string& name) const { return root_ + "/" + name; }

  // Every file and directory below a directory, by relative path.
  static std::set<std::string> FilesBelow(const std::string& directory) {
    std::set<std::string> found;
    files::AddBelow(directory, "", &found);
    return found;
  }
  static std::set<std::string> NamesIn(const std::string& directory) { return files::NamesIn(directory); }
  static void WriteFile(const std::string& path, const std::string& contents) { files::Write(path, contents); }
  static std::string ReadFile(const std::string& path) { return files::Read(path); }

  std::string root_;
};

// A directory of its own for each test, a database in it, and repositories beside it.
class BackupTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    if (OnMemory()) {
      BaseOfFaults() = std::make_shared<files::Routes>();
    }
    options_.create_if_missing = true;
    options_.compression = rocksdb::kNoCompression;
    options_.disable_auto_compactions = true;
    OpenDatabase();
  }

  void TearDown() override {
    CloseRepositories();
    CloseDatabase();
    files::InMemory().clear();
    ScratchTest::TearDown();
  }

  void CloseRepositories() {
    for (const auto& repository : repositories_) {
      repository->RemoveHandle({});
      repository->WaitIfClosing();
    }
    repositories_.clear();
  }

  void OpenDatabase(const std::string& name = "db") {
    db_path_ = path(name);
    const rocksdb::Status status =
        OpenInto(&db_, [&](auto* out) -> decltype(rocksdb::DB::Open(options_, db_path_, out)) {
          return rocksdb::DB::Open(options_, db_path_, out);
        });
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  void CloseDatabase() { db_.reset(); }

  std::string RandomValue(size_t size) {
    std::string value(size + sizeof(seed_), '\0');
    for (size_t i = 0; i < size; i += sizeof(seed_)) {
      seed_ = seed_ * 6364136223846793005ULL + 1442695040888963407ULL;
      const uint64_t mixed = seed_ ^ (seed_ >> 29);
      memcpy(value.data() + i, &mixed, sizeof(mixed));
    }
    value.resize(size);
    return value;
  }

  // Adds `count` values of `size` incompressible bytes.
  void Put(int count, size_t size, const std::string& prefix) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(db_->Put(rocksdb::WriteOptions(), prefix + std::to_string(i), RandomValue(size)).ok());
    }
  }

  // The same, and makes them a table file.
  void Fill(int count, size_t size, const std::string& prefix) {
    Put(count, size, prefix);
    ASSERT_TRUE(db_->Flush(rocksdb::FlushOptions()).ok());
  }

  BackupRepository::Options OptionsFor(const std::string& directory) const {
    BackupRepository::Options options;
    options.settings.storage = StorageAt(RealPath(path(directory)));
    return options;
  }

  // On the disk, or in memory with TEST_STORAGE. In memory, a path keeps the same storage for the whole test.
  std::shared_ptr<Storage> StorageAt(const std::string& directory) const {
    if (!OnMemory()) {
      return std::make_shared<LocalStorage>(directory);
    }
    std::shared_ptr<Storage>& storage = files::InMemory()[directory];
    if (storage == nullptr && TestStorage() == "store") {
      storage =
          std::make_shared<ObjectStorage>(std::make_shared<MemoryObjectStore>(directory), LeaseTimes(), directory);
    } else if (storage == nullptr) {
      storage = std::make_shared<MemoryStorage>(directory, directory);
    }
    return storage;
  }

  // The storage at a path, with all access to files through this file system.
  std::shared_ptr<Storage> Through(const std::string& directory, std::shared_ptr<rocksdb::FileSystem> files) const {
    if (OnMemory()) {
      class Seen : public LayeredStorage {
       public:
        using LayeredStorage::LayeredStorage;
        std::optional<uint64_t> FreeSpace() const override {
          uint64_t free = 0;
          return files()->GetFreeSpace(root(), {}, &free, nullptr).ok() ? std::optional(free) : std::nullopt;
        }
        std::shared_ptr<TaggedFiles> tagged_files() const override { return nullptr; }
      };
      return std::make_shared<Seen>(StorageAt(directory), std::move(files));
    }
    return std::make_shared<StorageThrough>(directory, std::move(files));
  }

  std::shared_ptr<BackupRepository> OpenRepository(BackupRepository::Options options = {}) {
    if (options.settings.storage == nullptr) {
      options.settings.storage = OptionsFor("backups").settings.storage;
    }
    std::shared_ptr<BackupRepository> repository;
    const Error error = BackupRepository::Open(std::move(options), &repository);
    EXPECT_TRUE(error.ok()) << error.code() << ": " << error.message();
    if (repository != nullptr) {
      repository->AddHandle();
      repositories_.push_back(repository);
    }
    return repository;
  }

  // A repository with all access to files through this file system.
  std::shared_ptr<BackupRepository> OpenRepositoryOn(std::shared_ptr<rocksdb::FileSystem> files) {
    BackupRepository::Options options;
    options.settings.storage = Through(RealPath(path("backups")), std::move(files));
    return OpenRepository(std::move(options));
  }

  // A repository that copies at this rate.
  std::shared_ptr<BackupRepository> OpenSlowRepository(int64_t bytes_per_second = 1000) {
    BackupRepository::Options options;
    options.settings.backup_limiter.reset(rocksdb::NewGenericRateLimiter(bytes_per_second));
    options.settings.restore_limiter.reset(rocksdb::NewGenericRateLimiter(bytes_per_second));
    return OpenRepository(std::move(options));
  }

  CreateRequest Request() const {
    CreateRequest request;
    request.source.db = db_.get();
    request.source.path = db_path_;
    request.source.wal_dir = options_.wal_dir.empty() ? db_path_ : RealPath(options_.wal_dir);
    return request;
  }

  Error Create(BackupRepository& repository, BackupDescription* created = nullptr) {
    BackupDescription ignored;
    return repository.Create(Request(), NewOperation(), created != nullptr ? created : &ignored);
  }

  RestoreRequest RestoreTo(uint32_t id, const std::string& target, bool overwrite = false) const {
    RestoreRequest request;
    request.backup_id = id;
    request.database_dir = target;
    request.overwrite = overwrite;
    request.allow_other_database = overwrite;
    return request;
  }

  static Error Restore(BackupRepository& repository, const RestoreRequest& request,
                       BackupDescription* restored = nullptr) {
    RestoreResult result;
    Error error = repository.Restore(request, NewOperation(), &result);
    if (restored != nullptr) {
      *restored = std::move(result.backup);
    }
    return error;
  }

  static Error Verify(BackupRepository& repository, uint32_t id, bool checksum = true) {
    return repository.Verify(id, checksum, NewOperation());
  }

  static std::vector<uint32_t> Ids(BackupRepository& repository) {
    std::vector<BackupDescription> list;
    EXPECT_GOOD(repository.List(false, &list));
    std::vector<uint32_t> ids;
    for (const auto& backup : list) {
      ids.push_back(backup.id);
    }
    return ids;
  }

  static std::vector<uint32_t> CorruptIds(BackupRepository& repository) {
    std::vector<uint32_t> ids;
    EXPECT_GOOD(repository.CorruptIds(&ids));
    return ids;
  }

  // All keys and values of a closed database. Keys outside the default column family are "family:key".
  static std::map<std::string, std::string> ContentsOf(const std::string& directory, const std::string& wal_dir = "",
                                                       rocksdb::Env* env = rocksdb::Env::Default()) {
    rocksdb::DBOptions options;
    options.env = env;
    options.wal_dir = wal_dir;
    std::vector<std::string> names;
    rocksdb::Status status = rocksdb::DB::ListColumnFamilies(options, directory, &names);
    EXPECT_TRUE(status.ok()) << status.ToString();
    std::map<std::string, std::string> contents;
    if (!status.ok()) {
      return contents;
    }
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& name : names) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    std::unique_ptr<rocksdb::DB> db;
    status = OpenInto(
        &db, [&](auto* out) -> decltype(rocksdb::DB::OpenForReadOnly(options, directory, families, &handles, out)) {
          return rocksdb::DB::OpenForReadOnly(options, directory, families, &handles, out);
        });
    EXPECT_TRUE(status.ok()) << status.ToString();
    for (auto* handle : handles) {
      const std::string prefix = handle->GetName() == "default" ? "" : handle->GetName() + ":";
      for (auto& [key, value] : ContentsOf(db.get(), handle)) {
        contents[prefix + key] = value;
      }
      db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
    return contents;
  }

  static std::map<std::string, std::string> ContentsOf(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family = nullptr) {
    std::map<std::string, std::string> contents;
    const std::unique_ptr<rocksdb::Iterator> iterator(
        db->NewIterator(rocksdb::ReadOptions(), family != nullptr ? family : db->DefaultColumnFamily()));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      contents[iterator->key().ToString()] = iterator->value().ToString();
    }
    EXPECT_TRUE(iterator->status().ok()) << iterator->status().ToString();
    return contents;
  }

  // Restores the backup and returns its keys and values.
  std::map<std::string, std::string> Restored(BackupRepository& repository, uint32_t id) {
    const std::string target = path("restored-" + std::to_string(++restores_));
    EXPECT_GOOD(Restore(repository, RestoreTo(id, target)));
    return ContentsOf(target);
  }

  // The names of the files in one part of a repository, for example "meta".
  std::set<std::string> BackupFiles(const std::string& part, const std::string& directory = "backups") const {
    return NamesIn(path(directory) + "/" + part);
  }

  // The path of a backup's first file whose name ends like this.
  std::string FileOf(BackupRepository& repository, uint32_t id, const std::string& ending) {
    BackupDescription backup;
    EXPECT_GOOD(repository.Describe(id, true, &backup));
    for (const auto& file : backup.files) {
      if (file.name.size() >= ending.size() && file.name.ends_with(ending)) {
        return repository.directory() + "/" + file.name;
      }
    }
    ADD_FAILURE() << "backup " << id << " has no " << ending;
    return "";
  }

  rocksdb::Options options_;
  std::string db_path_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<std::shared_ptr<BackupRepository>> repositories_;
  uint64_t seed_ = 42;
  int restores_ = 0;
};

// Starts with one backup of some data, which is in a table file and in the log.
class MadeBackupTest : public BackupTest {
 protected:
  void SetUp() override {
    BackupTest::SetUp();
    Fill(20, 1000, "a");
    Put(5, 100, "in-the-log");
    repository_ = OpenRepository();
    ASSERT_GOOD(Create(*repository_));
    contents_ = ContentsOf(db_.get());
  }

  std::shared_ptr<BackupRepository> repository_;
  std::map<std::string, std::string> contents_;
};

}  // namespace rocksdb_backup::test
