#include "core/database/database.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <future>
#include <thread>

#include "core/database/iterator.h"
#include "core/database/snapshot.h"
#include "disk_fixture.h"
#include "rocksdb/convenience.h"
#include "rocksdb/file_system.h"
#include "rocksdb/merge_operator.h"
#include "rocksdb/utilities/options_util.h"
#include "system_calls.h"

namespace rocksdb_backup {
namespace {

class DatabaseTest : public test::DiskTest {
 protected:
  // Opens a database with one handle. Close removes the handle.
  std::shared_ptr<Database> Open(const std::string& name) {
    std::shared_ptr<Database> database;
    const Error error = Database::Open(Path(name), options_, &database);
    EXPECT_TRUE(error.ok()) << error.message();
    EXPECT_TRUE(database->AddHandle());
    return database;
  }

  static Error Close(const std::shared_ptr<Database>& database) {
    std::promise<Error> closed;
    database->RemoveHandle([&closed](const Error& error) { closed.set_value(error); });
    return closed.get_future().get();
  }

  static void Put(Database& database, const std::string& key, const std::string& value,
                  rocksdb::WriteOptions options = {}) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(batch.Put(database.FamilyById(0)->handle, key, value).ok());
    ASSERT_TRUE(database.Write(options, &batch).ok());
  }

  // Each open adds files, so a test opens a fresh copy each time.
  void CopyToTry() const {
    std::filesystem::remove_all(Path("tried"));
    std::filesystem::create_directories(Path("tried"));
    std::filesystem::copy(Path("db"), Path("tried/db"), std::filesystem::copy_options::recursive);
  }

  // Without compression: Snappy 1.1.7 loads words from any address, and UndefinedBehaviorSanitizer reports that.
  DatabaseOptions options_ = [] {
    DatabaseOptions options;
    options.family.family.compression = rocksdb::kNoCompression;
    return options;
  }();
};

TEST_F(DatabaseTest, WithUnreadableOptionsItDoesNotOpenWithoutItsMergeOperatorAndLosesNothing) {
  options_.db.create_if_missing = true;
  DatabaseOptions merging = options_;
  merging.family.has_merge_operator = true;
  ASSERT_TRUE(rocksdb::MergeOperator::CreateFromString(rocksdb::ConfigOptions(), "stringappend",
                                                       &merging.family.family.merge_operator)
                  .ok());
  std::shared_ptr<Database> database;
  ASSERT_TRUE(Database::Open(Path("db"), merging, &database).ok());
  ASSERT_TRUE(database->AddHandle());
  for (const char* part : {"a", "b"}) {
    ASSERT_TRUE(database->db()->Merge(rocksdb::WriteOptions(), "merged", part).ok());
  }
  ASSERT_TRUE(Close(database).ok());
  std::string options_file;
  ASSERT_TRUE(rocksdb::GetLatestOptionsFileName(Path("db"), rocksdb::Env::Default(), &options_file).ok());
  const std::string path = Path("db/") + options_file;
  std::filesystem::copy_file(path, Path("kept"));

  for (const bool is_directory : {false, true}) {
    std::filesystem::remove(path);
    if (is_directory) {
      std::filesystem::create_directory(path);
    } else {
      std::filesystem::copy_file(Path("kept"), path);
      std::filesystem::resize_file(path, 0);
    }
    const Error error = Database::Open(Path("db"), options_, &database);
    EXPECT_FALSE(error.ok());
    EXPECT_NE(error.message().find(path), std::string::npos) << error.message();
    EXPECT_EQ(error.advice().empty(), is_directory) << error.message();
    EXPECT_FALSE(Database::Repair(Path("db"), options_).ok());
  }
  std::filesystem::remove(path);
  std::filesystem::copy_file(Path("kept"), path);
  database = Open("db");
  std::string value;
  ASSERT_TRUE(database->db()->Get(rocksdb::ReadOptions(), "merged", &value).ok());
  EXPECT_EQ(value, "a,b");
  EXPECT_TRUE(Close(database).ok());
}

TEST_F(DatabaseTest, AfterAFirstOpenThatDiedWhileItWroteTheOptionsItOpens) {
  options_.db.create_if_missing = true;
  auto database = Open("db");
  Put(*database, "key", "value");
  ASSERT_TRUE(Close(database).ok());
  std::string options_file;
  ASSERT_TRUE(rocksdb::GetLatestOptionsFileName(Path("db"), rocksdb::Env::Default(), &options_file).ok());
  for (const auto& entry : std::filesystem::directory_iterator(Path("db"))) {
    if (const std::string name = entry.path().filename(); name.starts_with("OPTIONS-") && name != options_file) {
      std::filesystem::remove(entry.path());
    }
  }
  const std::string temporary = Path("db/") + options_file + ".dbtmp";
  std::filesystem::rename(Path("db/") + options_file, temporary);
  std::filesystem::resize_file(temporary, 40);
  const Error error = Database::Open(Path("db"), options_, &database);
  ASSERT_TRUE(error.ok()) << error.message();
  ASSERT_TRUE(database->AddHandle());
  std::string value;
  EXPECT_TRUE(database->db()->Get(rocksdb::ReadOptions(), "key", &value).ok());
  EXPECT_TRUE(Close(database).ok());
}

// Changes the result of the nth call of a kind to files with an ending, or of all calls from the nth on.
class Faulty : public test::CallWatcher {
 public:
  Faulty(test::CallKind kind, std::string ending, test::Verdict verdict, int nth, bool and_all_after = false)
      : kind_(kind), ending_(std::move(ending)), verdict_(verdict), left_(nth), and_all_after_(and_all_after) {}
  test::Verdict Before(const test::Call& call) override {
    if (call.kind != kind_ || !call.path.ends_with(ending_)) {
      return {};
    }
    const int left = --left_;
    return left == 0 || (left < 0 && and_all_after_) ? verdict_ : test::Verdict();
  }
  bool met() const { return left_ <= 0; }

 private:
  const test::CallKind kind_;
  const std::string ending_;
  const test::Verdict verdict_;
  std::atomic<int> left_;
  const bool and_all_after_;
};

TEST_F(DatabaseTest, WithACurrentThatCannotBeReadForAMomentItIsNotCreatedAgain) {
  if (!test::CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  options_.db.create_if_missing = true;
  auto database = Open("db");
  Put(*database, "key", "value");
  ASSERT_TRUE(database->db()->Flush(rocksdb::FlushOptions()).ok());  // flushed, because even a new database reads logs
  ASSERT_TRUE(Close(database).ok());
  int nth = 1;
  for (bool denied = true; denied; ++nth) {
    Faulty look(test::CallKind::kStat, "/CURRENT", {.error = EACCES}, nth);
    test::WatchCalls(root_, &look);
    const Error error = Database::Open(Path("db"), options_, &database);
    test::WatchCalls("", nullptr);
    denied = look.met();
    if (error.ok()) {
      ASSERT_TRUE(database->AddHandle());
      ASSERT_TRUE(Close(database).ok());
    }
    database = Open("db");
    std::string value;
    EXPECT_TRUE(database->db()->Get(rocksdb::ReadOptions(), "key", &value).ok()) << "look " << nth << " was denied";
    ASSERT_TRUE(Close(database).ok());
  }
  EXPECT_GT(nth, 2) << "there was a look to deny";
}

// RocksDB itself reports "direct I/O is not supported" or "not found", and names no file.
TEST_F(DatabaseTest, AFileThatCannotBeReadWhileItOpensIsNamedWithTheErrorOfTheDisk) {
  if (!test::CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  options_.db.create_if_missing = true;
  auto database = Open("db");
  Put(*database, "key", "value");
  ASSERT_TRUE(Close(database).ok());
  struct Case {
    test::CallKind kind;
    std::string ending;
    int error;
    std::string words;
    bool and_all_after;
  };
  int failed = 0;
  for (const Case& one : {Case{test::CallKind::kOpenRead, "/CURRENT", EIO, "Input/output error", false},
                          Case{test::CallKind::kOpenRead, "/CURRENT", EACCES, "Permission denied", true},
                          Case{test::CallKind::kList, "/db", EACCES, "Permission denied", true},
                          Case{test::CallKind::kList, "/db", EIO, "Input/output error", true}}) {
    int nth = 1;
    for (bool met = true; met; ++nth) {
      CopyToTry();
      Faulty faulty(one.kind, one.ending, {.error = one.error}, nth, one.and_all_after);
      test::WatchCalls(root_, &faulty);
      const Error error = Database::Open(Path("tried/db"), options_, &database);
      test::WatchCalls("", nullptr);
      met = faulty.met();
      if (error.ok()) {
        ASSERT_TRUE(database->AddHandle());
        ASSERT_TRUE(Close(database).ok());
      } else {
        ++failed;
        EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR") << error.message();
        EXPECT_NE(error.message().find(Path("tried/db") + (one.ending == "/db" ? "" : one.ending)), std::string::npos)
            << error.message();
        EXPECT_NE(error.message().find(one.words), std::string::npos) << error.message();
      }
    }
    EXPECT_GT(nth, 2) << "there was one to fail";
  }
  EXPECT_GT(failed, 4);
}

// RocksDB takes an early end of a read for the end of the file. It would lose the rest of a log for good.
TEST_F(DatabaseTest, WithALogThatEndsEarlyWhileItOpensNothingIsLost) {
  if (!test::CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  options_.db.create_if_missing = true;
  options_.db.avoid_flush_during_recovery = true;
  auto database = Open("db");
  for (int i = 0; i < 300; ++i) {
    Put(*database, "key" + std::to_string(i), std::string(1000, 'x'));
  }
  ASSERT_TRUE(Close(database).ok());
  int nth = 1;
  for (bool met = true; met; ++nth) {
    CopyToTry();
    Faulty faulty(test::CallKind::kRead, ".log", {.end = true}, nth);
    test::WatchCalls(root_, &faulty);
    const Error error = Database::Open(Path("tried/db"), options_, &database);
    test::WatchCalls("", nullptr);
    met = faulty.met();
    if (!error.ok()) {
      EXPECT_NE(error.message().find(".log ended after"), std::string::npos) << error.message();
      database = Open("tried/db");
    } else {
      ASSERT_TRUE(database->AddHandle());
    }
    for (int i = 0; i < 300; ++i) {
      std::string value;
      ASSERT_TRUE(database->db()->Get(rocksdb::ReadOptions(), "key" + std::to_string(i), &value).ok())
          << "key " << i << " is there though read " << nth << " of the log ended early";
    }
    ASSERT_TRUE(Close(database).ok());
  }
  EXPECT_GT(nth, 5) << "there were reads that could end early";
}

TEST_F(DatabaseTest, OneDirectoryIsOpenToWriteOnceByAnyPath) {
  auto database = Open("a/db");
  std::filesystem::create_directory_symlink(Path("a"), Path("link"));
  std::shared_ptr<Database> second;
  EXPECT_EQ(Database::Open(Path("link/./db"), options_, &second).code(), "DATABASE_IN_USE");
  EXPECT_EQ(Database::Destroy(Path("link/db"), options_).code(), "DATABASE_IN_USE");
  EXPECT_TRUE(Close(database).ok());
  EXPECT_TRUE(Close(Open("link/db")).ok());
}

TEST_F(DatabaseTest, AnOpenedDatabaseWithoutAHandleClosesWhenItIsDropped) {
  std::shared_ptr<Database> database;
  ASSERT_TRUE(Database::Open(Path("db"), options_, &database).ok());
  database = nullptr;
  EXPECT_TRUE(Close(Open("db")).ok());
}

TEST_F(DatabaseTest, ABackupNeedsAFlushOnlyAfterWritesWithoutLog) {
  auto database = Open("db");
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  Put(*database, "logged", "1");
  EXPECT_FALSE(database->NeedsFlushBeforeBackup());
  Put(*database, "unlogged", "2", unlogged);
  EXPECT_TRUE(database->NeedsFlushBeforeBackup());
  EXPECT_TRUE(database->Flush(database->FamilyById(0)).ok());
  EXPECT_TRUE(database->NeedsFlushBeforeBackup()) << "other families may have more";
  EXPECT_TRUE(database->Flush(nullptr).ok());
  EXPECT_FALSE(database->NeedsFlushBeforeBackup());
  EXPECT_TRUE(Close(database).ok());
}

TEST_F(DatabaseTest, WritesWithoutLogDuringFlushesAreNeverForgotten) {
  auto database = Open("db");
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  std::atomic<bool> done = false;
  std::thread flusher([&] {
    while (!done) {
      EXPECT_TRUE(database->Flush(nullptr).ok());
    }
  });
  for (int i = 0; i < 200; ++i) {
    Put(*database, "key", std::to_string(i), unlogged);
  }
  done = true;
  flusher.join();
  EXPECT_TRUE(database->Flush(nullptr).ok());
  EXPECT_FALSE(database->NeedsFlushBeforeBackup());
  EXPECT_TRUE(Close(database).ok());
}

TEST_F(DatabaseTest, IteratorsAndSnapshotsEndWithTheDatabaseInAnyThread) {
  for (int round = 0; round < 20; ++round) {
    auto database = Open("db");
    for (int i = 0; i < 200; ++i) {
      Put(*database, "key " + std::to_string(i), std::string(1000, 'x'));
    }
    auto snapshot = Snapshot::New(database);
    auto iterator = Iterator::New(database, database->FamilyById(0), {}, nullptr, {});
    auto busy = Iterator::New(database, database->FamilyById(0), {}, nullptr, {});
    std::thread reader([lease = database->Acquire(), busy]() mutable {
      std::string block;
      while (busy->Next(3, 1000, {}, &block).ok()) {
        uint32_t head[2];
        memcpy(head, block.data(), sizeof(head));
        if (head[1] != 0) {
          break;
        }
      }
      lease.Release();
    });
    std::thread dropper([&snapshot, pin = snapshot->pin()]() mutable {
      snapshot->Close();
      pin = nullptr;
    });
    dropper.join();
    std::thread ender([busy] { busy->Close(); });
    EXPECT_TRUE(Close(database).ok());
    reader.join();
    ender.join();
    std::string block;
    EXPECT_EQ(iterator->Next(1, 1, {}, &block).code(), "DATABASE_CLOSED");
    EXPECT_EQ(snapshot->pin(), nullptr);
  }
}

TEST_F(DatabaseTest, DroppingAFamilyDisturbsNobodyWhoReadsIt) {
  auto database = Open("db");
  uint32_t id = 0;
  ASSERT_TRUE(database->CreateFamily("family", {}, &id).ok());
  Database::FamilyPtr family = database->FamilyById(id);
  ASSERT_TRUE(database->db()->Put({}, family->handle, "k", "v").ok());
  std::thread dropper([&] { EXPECT_TRUE(database->DropFamily("family").ok()); });
  std::string value;
  EXPECT_TRUE(database->db()->Get({}, family->handle, "k", &value).ok());
  dropper.join();
  EXPECT_TRUE(database->db()->Get({}, family->handle, "k", &value).ok());
  EXPECT_EQ(database->FamilyById(id), nullptr);
  EXPECT_EQ(database->DropFamily("family").code(), "COLUMN_FAMILY_NOT_FOUND");
  family = nullptr;
  EXPECT_TRUE(Close(database).ok());
}

TEST_F(DatabaseTest, ClosingEndsACompaction) {
  auto database = Open("db");
  for (int i = 0; i < 2000; ++i) {
    Put(*database, "key " + std::to_string(i), std::string(1000, 'x'));
  }
  std::thread compactor([lease = database->Acquire(), database]() mutable {
    Error error;
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    while (error.ok()) {
      error = database->CompactRange(database->FamilyById(0), nullptr, nullptr, options,
                                     std::make_shared<std::atomic<bool>>(false));
    }
    EXPECT_EQ(error.code(), "DATABASE_CLOSED");
    lease.Release();
  });
  EXPECT_TRUE(Close(database).ok());
  compactor.join();
}

class CountingFileSystem : public rocksdb::FileSystemWrapper {
 public:
  CountingFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "CountingFileSystem"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    ++opened;
    return FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  }
  std::atomic<int> opened{0};
};

TEST_F(DatabaseTest, ADatabaseInAnotherEnvIsOpenedToRead) {
  auto database = Open("db");
  Put(*database, "k", "v");
  EXPECT_TRUE(Close(database).ok());
  bool kept = true;
  std::shared_ptr<void> keep_alive(&kept, [](void* pointer) { *static_cast<bool*>(pointer) = false; });
  const auto storage = std::make_shared<CountingFileSystem>();
  std::shared_ptr<Database> backup;
  ASSERT_TRUE(
      Database::OpenThrough(storage, std::move(keep_alive), Path("db"), Database::ToReadBackup(), &backup).ok());
  ASSERT_TRUE(backup->AddHandle());
  EXPECT_GT(storage->opened, 0);
  std::string value;
  EXPECT_TRUE(backup->db()->Get({}, "k", &value).ok());
  DatabaseClaim claim;
  EXPECT_TRUE(DatabaseClaim::Take(Path("db"), DatabaseClaim::Kind::kAlone, &claim).ok())
      << "a backup is not a database's directory";
  EXPECT_TRUE(kept);
  EXPECT_TRUE(Close(backup).ok());
  EXPECT_FALSE(kept);
}

// With any options, nothing of the database is on the disk.
TEST_F(DatabaseTest, InAnotherFileSystemItIsWrittenAndReadThere) {
  const std::unique_ptr<rocksdb::Env> memory(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  const auto storage = memory->GetFileSystem();
  DatabaseOptions options;
  options.db.create_if_missing = true;
  for (const bool keeps_options : {false, true}) {
    options.keep_options_file = keeps_options;
    std::shared_ptr<Database> database;
    const Error error = Database::OpenThrough(storage, nullptr, "/nowhere/db", options, &database);
    ASSERT_TRUE(error.ok()) << error.message();
    ASSERT_TRUE(database->AddHandle());
    std::string value;
    EXPECT_EQ(database->db()->Get({}, "k", &value).ok(), keeps_options) << "it is there after the first time";
    EXPECT_TRUE(database->db()->Put({}, "k", "v").ok());
    EXPECT_TRUE(database->db()->Flush({}).ok());
    EXPECT_TRUE(Close(database).ok());
  }
  EXPECT_FALSE(std::filesystem::exists("/nowhere"));
}

// Limits the number of files that the process may open, while the object exists.
class OpenFilesLimit {
 public:
  explicit OpenFilesLimit(rlim_t files) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lower{files, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &lower);
  }
  ~OpenFilesLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  OpenFilesLimit(const OpenFilesLimit&) = delete;
  OpenFilesLimit& operator=(const OpenFilesLimit&) = delete;

 private:
  rlimit before_{};
};

TEST_F(DatabaseTest, WithMoreFilesThanTheProcessMayOpenOpensAndIsRead) {
  constexpr int kFiles = 300;
  options_.family.family.disable_auto_compactions = true;
  options_.family.family.level0_slowdown_writes_trigger = 10000;
  options_.family.family.level0_stop_writes_trigger = 10000;
  auto database = Open("db");
  EXPECT_EQ(database->db()->GetDBOptions().max_open_files, -1) << "all, where there is room";
  for (int i = 0; i < kFiles; ++i) {
    Put(*database, "key " + std::to_string(i), "value");
    ASSERT_TRUE(database->Flush(nullptr).ok());
  }
  ASSERT_TRUE(Close(database).ok());

  const OpenFilesLimit limit(kFiles);
  database = Open("db");
  ASSERT_NE(database, nullptr);
  EXPECT_EQ(database->db()->GetDBOptions().max_open_files, kFiles / 2);
  for (int i = 0; i < kFiles; ++i) {
    std::string value;
    ASSERT_TRUE(database->db()->Get({}, "key " + std::to_string(i), &value).ok()) << i;
  }
  EXPECT_TRUE(Close(database).ok());

  options_.db.max_open_files = -1;
  std::shared_ptr<Database> refused;
  const Error error = Database::Open(Path("db"), options_, &refused);
  EXPECT_NE(error.message().find("--max-open-files"), std::string::npos) << error.message();
}

TEST_F(DatabaseTest, AnArchivedLogFromTheFutureIsKept) {
  options_.family.raw["WAL_ttl_seconds"] = "3600";
  auto database = Open("db");
  Put(*database, "key", "value");
  ASSERT_TRUE(database->Flush(nullptr).ok());
  ASSERT_TRUE(Close(database).ok());
  database = Open("db");  // this open moves the log to the archive
  ASSERT_TRUE(Close(database).ok());
  const auto archived = [&] {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(Path("db/archive"))) {
      count += entry.path().extension() == ".log" ? 1 : 0;
    }
    return count;
  };
  ASSERT_GT(archived(), 0U);
  const size_t before = archived();
  const auto set_time = [&](std::chrono::hours from_now) {
    for (const auto& entry : std::filesystem::directory_iterator(Path("db/archive"))) {
      std::filesystem::last_write_time(entry.path(), std::filesystem::file_time_type::clock::now() + from_now);
    }
  };
  // As if the clock had been set back by a day.
  set_time(std::chrono::hours(24));
  database = Open("db");
  EXPECT_GE(archived(), before);
  ASSERT_TRUE(Close(database).ok());
  set_time(std::chrono::hours(-24));
  database = Open("db");
  EXPECT_LT(archived(), before) << "what is too old goes all the same";
  ASSERT_TRUE(Close(database).ok());
}

// While `full`, every write to a table file fails because the disk is full.
class FullDisk : public test::CallWatcher {
 public:
  test::Verdict Before(const test::Call& call) override {
    const bool fails = full && call.kind == test::CallKind::kWrite && call.path.ends_with(".sst");
    return {.error = fails ? ENOSPC : 0};
  }
  std::atomic<bool> full{true};
};

TEST_F(DatabaseTest, AFullDiskIsReportedAndWithSpaceAgainItIsResumed) {
  if (!test::CanWatchCalls()) {
    GTEST_SKIP() << "calls cannot be watched here";
  }
  auto database = Open("db");
  std::mutex mutex;
  std::vector<DatabaseEvent> events;
  const auto id = database->events()->Subscribe([&](const DatabaseEvent& event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
  });
  EXPECT_TRUE(database->Resume().ok()) << "nothing had failed";
  Put(*database, "before", "value");
  FullDisk disk;
  test::WatchCalls(root_, &disk);
  const Error error = database->Flush(nullptr);
  EXPECT_EQ(error.subcode(), "NO_SPACE") << error.message();
  rocksdb::WriteBatch batch;
  ASSERT_TRUE(batch.Put("refused", "value").ok());
  const Error refused = database->Write({}, &batch);
  EXPECT_EQ(refused.severity(), "hard");
  EXPECT_NE(refused.message().find("resume()"), std::string::npos) << refused.message();
  disk.full = false;
  const Error resumed = database->Resume();
  EXPECT_TRUE(resumed.ok()) << resumed.message();
  test::WatchCalls(root_, nullptr);
  Put(*database, "after", "value");
  for (const char* key : {"before", "after"}) {
    std::string value;
    EXPECT_TRUE(database->db()->Get({}, key, &value).ok()) << key;
  }
  const auto told = [&] {
    const std::lock_guard lock(mutex);
    return events.size();
  };
  // Newer versions of RocksDB report the recovery from another thread.
  for (int i = 0; told() < 2 && i < 10000; ++i) {
    usleep(1000);
  }
  database->events()->Unsubscribe(id);
  EXPECT_GE(events.size(), 2U);
  if (events.size() >= 2) {
    EXPECT_EQ(events.front().kind, DatabaseEvent::Kind::kError);
    EXPECT_EQ(events.front().during, "flush");
    EXPECT_EQ(events.front().error.subcode(), "NO_SPACE");
    EXPECT_EQ(events.back().kind, DatabaseEvent::Kind::kRecovered);
  }
  EXPECT_TRUE(Close(database).ok());
}

}  // namespace
}  // namespace rocksdb_backup
