#include "core/backup/backup_create.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "backup_fixture.h"
#include "fault_fs.h"
#include "rocksdb/utilities/backup_engine.h"

namespace rocksdb_backup::test {
namespace {

using rocksdb::BackupEngineOptions;
using rocksdb::WriteOptions;

class BackupCreateTest : public BackupTest {};

// ---- The contents of a backup

TEST_F(BackupCreateTest, EachBackupHoldsWhatTheDatabaseHeldThenAlsoAfterReopeningIt) {
  auto repository = OpenRepository();
  std::vector<std::map<std::string, std::string>> contents;
  for (uint32_t i = 1; i <= 4; ++i) {
    Fill(20, 500, std::to_string(i) + "-");
    Put(5, 100, "unflushed" + std::to_string(i));
    ASSERT_TRUE(db_->Delete(WriteOptions(), "unflushed10").ok());
    contents.push_back(ContentsOf(db_.get()));
    BackupDescription created;
    ASSERT_GOOD(Create(*repository, &created));
    EXPECT_EQ(created.id, i);
    CloseDatabase();
    OpenDatabase();
  }
  for (uint32_t i = 1; i <= 4; ++i) {
    EXPECT_GOOD(Verify(*repository, i));
    EXPECT_EQ(Restored(*repository, i), contents[i - 1]) << i;
  }
}

TEST_F(BackupCreateTest, ABackupBesideAWriterHoldsAPrefixOfItsWrites) {
  auto repository = OpenRepository();
  std::atomic<bool> done{false};
  std::atomic<int> written{0};
  std::atomic<int> allowed{0};  // writes allowed until now: a fast writer must not fill the disk
  std::thread writer([&] {
    for (int i = 0; !done; ++i) {
      while (i >= allowed && !done) {
        std::this_thread::yield();
      }
      EXPECT_TRUE(db_->Put(WriteOptions(), std::to_string(i), std::string(200, 'v')).ok());
      if (i % 500 == 499) {
        EXPECT_TRUE(db_->Flush(rocksdb::FlushOptions()).ok());
      }
      ++written;
    }
  });
  for (uint32_t i = 1; i <= 5; ++i) {
    allowed += 5000;
    const int before = written;
    while (written < before + 100) {
      std::this_thread::yield();
    }
    const int at_least = written;
    BackupDescription created;
    EXPECT_GOOD(Create(*repository, &created));
    const auto contents = Restored(*repository, created.id);
    EXPECT_GE(static_cast<int>(contents.size()), at_least);
    for (int key = 0; key < static_cast<int>(contents.size()); ++key) {
      ASSERT_TRUE(contents.contains(std::to_string(key))) << key << " of " << contents.size() << " is missing";
    }
    EXPECT_GOOD(Verify(*repository, created.id));
  }
  done = true;
  writer.join();
}

TEST_F(BackupCreateTest, ManyColumnFamiliesAndBlobFilesComeBack) {
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::ColumnFamilyOptions blobs(options_);
  blobs.enable_blob_files = true;
  blobs.min_blob_size = 100;
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 20; ++i) {
    rocksdb::ColumnFamilyHandle* family = nullptr;
    const std::string name = "family" + std::to_string(i);
    ASSERT_TRUE(db_->CreateColumnFamily(blobs, name, &family).ok());
    families.push_back(family);
    for (int n = 0; n < 3; ++n) {
      const std::string value = RandomValue(n == 0 ? 10 : 2000);
      ASSERT_TRUE(db_->Put(WriteOptions(), family, std::to_string(n), value).ok());
      expected[name + ":" + std::to_string(n)] = value;
    }
  }
  auto repository = OpenRepository();
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(db_->Flush(rocksdb::FlushOptions(), families).ok());
    ASSERT_GOOD(Create(*repository));
  }
  for (auto* family : families) {
    ASSERT_TRUE(db_->DestroyColumnFamilyHandle(family).ok());
  }
  EXPECT_NE(FileOf(*repository, 1, ".blob"), "");
  BackupDescription second;
  ASSERT_GOOD(repository->Describe(2, true, &second));
  for (const auto& file : second.files) {
    EXPECT_EQ(file.shared, file.name.ends_with(".sst") || file.name.ends_with(".blob")) << file.name;
  }
  for (const uint32_t id : {1U, 2U}) {
    EXPECT_GOOD(Verify(*repository, id));
    EXPECT_EQ(Restored(*repository, id), expected);
  }
}

TEST_F(BackupCreateTest, DataWrittenWithoutALogIsFlushedFirst) {
  WriteOptions without_log;
  without_log.disableWAL = true;
  ASSERT_TRUE(db_->Put(without_log, "key", "value").ok());
  auto repository = OpenRepository();
  auto request = Request();
  request.source.needs_flush = true;
  std::vector<Phase> phases;
  BackupDescription created;
  ASSERT_GOOD(repository->Create(request, NewOperation([&](const Progress& event) { phases.push_back(event.phase); }),
                                 &created));
  EXPECT_EQ(phases.front(), Phase::kFlush);
  EXPECT_EQ(Restored(*repository, 1).at("key"), "value");
}

TEST_F(BackupCreateTest, WithoutLogFilesDataIsFlushedFirstAndNoLogIsCopied) {
  Put(3, 10, "k");
  auto options = OptionsFor("backups");
  options.settings.engine.backup_log_files = false;
  auto repository = OpenRepository(std::move(options));
  ASSERT_GOOD(Create(*repository));
  for (const auto& name : BackupFiles("private/1")) {
    EXPECT_FALSE(IsWalFileName(name)) << name;
  }
  EXPECT_EQ(Restored(*repository, 1), ContentsOf(db_.get()));
}

TEST_F(BackupCreateTest, WithoutAFlushNothingIsFlushedUnlessDataWouldBeMissing) {
  Put(3, 10, "k");
  auto repository = OpenRepository();
  auto request = Request();
  request.flush_before_backup = false;
  BackupDescription created;
  ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
  EXPECT_FALSE(files::exists(path("backups/shared_checksum")) && !BackupFiles("shared_checksum").empty());
  EXPECT_EQ(Restored(*repository, 1).size(), 3U) << "the log has it";
  WriteOptions unlogged;
  unlogged.disableWAL = true;
  ASSERT_TRUE(db_->Put(unlogged, "unlogged", "value").ok());
  request.source.needs_flush = true;
  ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
  EXPECT_EQ(Restored(*repository, 2).size(), 4U);
}

TEST_F(BackupCreateTest, ADirectoryOfItsOwnForLogsIsBackedUp) {
  CloseDatabase();
  options_.wal_dir = path("logs");
  OpenDatabase("db-with-logs");
  Put(5, 100, "k");
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  EXPECT_EQ(Restored(*repository, 1), ContentsOf(db_.get()));
}

TEST_F(BackupCreateTest, MetadataOfAnyBytesUpToOneMebibyteComesBack) {
  auto repository = OpenRepository();
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) {
    all_bytes += static_cast<char>(i);
  }
  for (const std::string& metadata : {std::string("text"), std::string(), all_bytes, RandomValue(kMaxAppMetadata)}) {
    auto request = Request();
    request.app_metadata = metadata;
    BackupDescription created;
    ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
    EXPECT_TRUE(created.app_metadata == metadata);
    BackupDescription read;
    ASSERT_GOOD(repository->Describe(created.id, false, &read));
    EXPECT_TRUE(read.app_metadata == metadata);
  }
  auto request = Request();
  request.app_metadata = std::string(kMaxAppMetadata + 1, 'x');
  BackupDescription created;
  EXPECT_CODE(repository->Create(request, NewOperation(), &created), "INVALID_OPTION");
  EXPECT_EQ(Ids(*repository).size(), 4U);
}

// ---- Sharing files

TEST_F(BackupCreateTest, AFileThatABackupHasAlreadyIsNotCopiedAgain) {
  Fill(10, 10000, "a");
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  const auto tables = BackupFiles("shared_checksum");
  EXPECT_EQ(tables.size(), 1U);
  const auto operation = NewOperation();
  BackupDescription created;
  ASSERT_GOOD(repository->Create(Request(), operation, &created));
  EXPECT_EQ(BackupFiles("shared_checksum"), tables);
  EXPECT_LT(operation->bytes_done(), 10000U);
}

TEST_F(BackupCreateTest, WithoutSharingEachBackupHasEveryFile) {
  Fill(10, 10000, "a");
  auto options = OptionsFor("backups");
  options.settings.engine.share_table_files = false;
  auto repository = OpenRepository(std::move(options));
  ASSERT_GOOD(Create(*repository));
  ASSERT_GOOD(Create(*repository));
  EXPECT_FALSE(files::exists(path("backups/shared_checksum")));
  EXPECT_FALSE(files::exists(path("backups/shared")));
  ASSERT_GOOD(repository->Delete(1, false));
  EXPECT_EQ(Restored(*repository, 2), ContentsOf(db_.get()));
}

TEST_F(BackupCreateTest, SharedWithoutChecksumsFilesKeepTheirNames) {
  Fill(10, 10000, "a");
  auto options = OptionsFor("backups");
  options.settings.engine.share_files_with_checksum = false;
  auto repository = OpenRepository(std::move(options));
  std::vector<Progress> events;
  BackupDescription created;
  for (int i = 0; i < 2; ++i) {
    events.clear();
    ASSERT_GOOD(
        repository->Create(Request(), NewOperation([&](const Progress& event) { events.push_back(event); }), &created));
    EXPECT_EQ(events.front().bytes_total, events.back().bytes_done) << "the plan knows which are there";
  }
  for (const auto& name : BackupFiles("shared")) {
    EXPECT_TRUE(IsDatabaseFileName(name)) << name;
  }
  EXPECT_GT(created.size, created.unique_size);
  EXPECT_EQ(Restored(*repository, 2), ContentsOf(db_.get()));
}

TEST_F(BackupCreateTest, EveryNamingSchemeIsRestorableAndMayFollowAnother) {
  using Naming = BackupEngineOptions::ShareFilesNaming;
  const Naming namings[] = {BackupEngineOptions::kLegacyCrc32cAndFileSize, BackupEngineOptions::kUseDbSessionId,
                            BackupEngineOptions::kUseDbSessionId | BackupEngineOptions::kFlagIncludeFileSize,
                            BackupEngineOptions::kLegacyCrc32cAndFileSize};
  std::vector<std::map<std::string, std::string>> contents;
  for (const Naming naming : namings) {
    auto options = OptionsFor("backups");
    options.settings.engine.share_files_with_checksum_naming = naming;
    auto repository = OpenRepository(std::move(options));
    Fill(5, 1000, "n" + std::to_string(contents.size()));
    contents.push_back(ContentsOf(db_.get()));
    std::vector<Progress> events;
    BackupDescription created;
    ASSERT_GOOD(
        repository->Create(Request(), NewOperation([&](const Progress& event) { events.push_back(event); }), &created));
    EXPECT_EQ(events.back().bytes_done, events.back().bytes_total);
    EXPECT_EQ(events.back().bytes_done, created.unique_size - created.meta_size) << "what is copied is what is new";
  }
  auto repository = OpenRepository();
  for (uint32_t id = 1; id <= 4; ++id) {
    EXPECT_GOOD(Verify(*repository, id));
    EXPECT_GOOD(Verify(*repository, id, false));
    EXPECT_EQ(Restored(*repository, id), contents[id - 1]);
  }
}

TEST_F(BackupCreateTest, AFreshDatabaseMayFollowInAnOldDirectory) {
  auto repository = OpenRepository();
  std::vector<std::map<std::string, std::string>> contents;
  for (int round = 0; round < 3; ++round) {
    Fill(10, 1000, "round" + std::to_string(round));  // same file numbers and sizes, other contents
    contents.push_back(ContentsOf(db_.get()));
    if (round > 0) {
      EXPECT_CODE(Create(*repository), "DATABASE_DIFFERS");
    }
    auto request = Request();
    request.allow_other_database = true;
    BackupDescription created;
    ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
    EXPECT_TRUE(created.full);
    CloseDatabase();
    files::remove_all(path("db"));
    OpenDatabase();
  }
  for (uint32_t id = 1; id <= 3; ++id) {
    EXPECT_GOOD(Verify(*repository, id));
    EXPECT_EQ(Restored(*repository, id), contents[id - 1]);
  }
}

TEST_F(BackupCreateTest, TwoDatabasesMayAlternateInOneDirectoryWithExactProgress) {
  const auto first = std::move(db_);
  OpenDatabase("other");
  auto repository = OpenRepository();
  std::vector<std::map<std::string, std::string>> contents;
  for (int round = 0; round < 4; ++round) {
    // The files of both databases have the same numbers and sizes. The plan counts them as shared; the engine compares
    // checksums and copies them.
    Fill(10, 1000, "k");
    contents.push_back(ContentsOf(db_.get()));
    std::vector<Progress> events;
    BackupDescription created;
    auto request = Request();
    request.source.path = path(round % 2 == 0 ? "other" : "db");
    request.allow_other_database = round == 1;  // the first backup of the second database; later ones are allowed
    ASSERT_GOOD(
        repository->Create(request, NewOperation([&](const Progress& event) { events.push_back(event); }), &created));
    EXPECT_EQ(events.front().bytes_done, 0U);
    EXPECT_EQ(events.back().bytes_done, events.back().bytes_total);
    EXPECT_EQ(events.back().bytes_done, created.unique_size - created.meta_size);
    EXPECT_EQ(events.back().files_done, events.back().files_total);
    for (size_t i = 1; i < events.size(); ++i) {
      EXPECT_GE(events[i].bytes_done, events[i - 1].bytes_done);
      EXPECT_LE(events[i].bytes_done, events[i].bytes_total);
    }
    db_.swap(const_cast<std::unique_ptr<rocksdb::DB>&>(first));
  }
  for (uint32_t id = 1; id <= 4; ++id) {
    EXPECT_GOOD(Verify(*repository, id));
    EXPECT_EQ(Restored(*repository, id), contents[id - 1]);
  }
}

// ---- Excluded files

class ExcludeTest : public BackupCreateTest {
 protected:
  std::shared_ptr<BackupRepository> OpenExcluding(const std::string& directory,
                                                  std::shared_ptr<rocksdb::FileSystem> storage = nullptr) {
    auto options = OptionsFor(directory);
    options.settings.engine.schema_version = 2;
    if (storage != nullptr) {
      options.settings.storage = Through(path(directory), std::move(storage));
    }
    return OpenRepository(std::move(options));
  }

  CreateRequest ExcludeAll() {
    auto request = Request();
    request.exclude_files = [this](Operation&, const std::vector<std::string>& files, std::vector<bool>* excluded) {
      asked_ = files;
      excluded->assign(files.size(), true);
      return Error();
    };
    return request;
  }

  std::vector<std::string> asked_;
};

TEST_F(ExcludeTest, AnExcludedFileIsFoundInAnotherDirectoryWhenRestoring) {
  Fill(10, 1000, "a");
  auto full = OpenExcluding("full");
  auto partial = OpenExcluding("partial");
  ASSERT_GOOD(Create(*full));
  std::vector<Progress> events;
  BackupDescription created;
  ASSERT_GOOD(
      partial->Create(ExcludeAll(), NewOperation([&](const Progress& event) { events.push_back(event); }), &created));
  ASSERT_EQ(asked_.size(), 1U);
  EXPECT_EQ(events.back().bytes_done, events.back().bytes_total);
  BackupDescription described;
  ASSERT_GOOD(partial->Describe(1, true, &described));
  EXPECT_EQ(described.excluded, asked_);
  EXPECT_GOOD(Verify(*partial, 1));
  EXPECT_TRUE(BackupFiles("shared_checksum", "partial").empty());

  auto request = RestoreTo(1, path("restored"));
  EXPECT_CODE(Restore(*partial, request), "ROCKSDB_INVALID_ARGUMENT");
  EXPECT_FALSE(files::exists(path("restored")));
  request.alternates = {OpenRepository(OptionsFor("empty"))->settings(), full->settings()};
  events.clear();
  RestoreResult restored;
  ASSERT_GOOD(
      partial->Restore(request, NewOperation([&](const Progress& event) { events.push_back(event); }), &restored));
  EXPECT_EQ(ContentsOf(path("restored")), ContentsOf(db_.get()));
  EXPECT_EQ(events.front().bytes_total, events.back().bytes_done) << "what comes from elsewhere was announced, too";
}

TEST_F(ExcludeTest, ProgressGoesTowardsWhatIsNotExcluded) {
  Fill(10, 100000, "a");
  auto repository = OpenExcluding("backups");
  std::vector<Progress> events;
  BackupDescription created;
  ASSERT_GOOD(repository->Create(ExcludeAll(), NewOperation([&](const Progress& event) { events.push_back(event); }),
                                 &created));
  const auto commit =
      std::find_if(events.begin(), events.end(), [](const Progress& event) { return event.phase == Phase::kCommit; });
  ASSERT_NE(commit, events.end());
  EXPECT_EQ(commit->bytes_done, commit->bytes_total);
}

TEST_F(ExcludeTest, WhatIsExcludedNeedsNoSpace) {
  Fill(10, 100000, "a");
  const auto storage = std::make_shared<FaultFileSystem>();
  storage->free_space = 500000;
  auto repository = OpenExcluding("backups", storage);
  EXPECT_CODE(Create(*repository), "NO_SPACE");
  BackupDescription created;
  EXPECT_GOOD(repository->Create(ExcludeAll(), NewOperation(), &created));
  storage->free_space = 10;
  Fill(10, 100000, "b");
  EXPECT_CODE(repository->Create(ExcludeAll(), NewOperation(), &created), "NO_SPACE");
  EXPECT_EQ(BackupFiles("private"), std::set<std::string>{"1"});
}

TEST_F(ExcludeTest, AnErrorOfTheCallbackIsTheBackupsErrorAndLeavesNothing) {
  Fill(10, 1000, "a");
  auto repository = OpenExcluding("backups");
  auto request = Request();
  request.exclude_files = [](Operation&, const std::vector<std::string>&, std::vector<bool>*) {
    return Error("CALLBACK", "thrown by the caller");
  };
  BackupDescription created;
  EXPECT_CODE(repository->Create(request, NewOperation(), &created), "CALLBACK");
  EXPECT_TRUE(BackupFiles("private").empty());
  EXPECT_TRUE(BackupFiles("meta").empty());
  request.exclude_files = [](Operation&, const std::vector<std::string>&, std::vector<bool>* excluded) {
    excluded->clear();  // too short an answer excludes no file
    return Error();
  };
  ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
  EXPECT_EQ(Restored(*repository, 1), ContentsOf(db_.get()));
}

TEST_F(ExcludeTest, SchemaOneHasNoExcludedFiles) {
  Fill(10, 1000, "a");
  auto repository = OpenRepository();
  BackupDescription created;
  EXPECT_CODE(repository->Create(ExcludeAll(), NewOperation(), &created), "ROCKSDB_INVALID_ARGUMENT");
}

// ---- Where a repository may lie

TEST_F(BackupCreateTest, ABackupDirectoryIsNotTheDatabasesOwnNorOneOfItsParts) {
  NEEDS_A_DISK();
  Fill(1, 10, "a");
  std::shared_ptr<BackupRepository> none;
  const auto before = FilesBelow(path("db"));
  EXPECT_CODE(BackupRepository::Open(OptionsFor("db"), &none), "INVALID_OPTION");
  EXPECT_EQ(FilesBelow(path("db")), before) << "nothing was made there";
  for (const char* name : {"db/archive", "db/archive/x", "db/lost", "db/000001.log"}) {
    auto repository = OpenRepository(OptionsFor(name));
    EXPECT_CODE(Create(*repository), "INVALID_OPTION") << name;
    CloseRepositories();
    files::remove_all(path(name));
  }
  auto below = OpenRepository(OptionsFor("db/backups"));
  EXPECT_GOOD(Create(*below));
  EXPECT_EQ(Restored(*below, 1), ContentsOf(db_.get()));
}

TEST_F(BackupCreateTest, ALinkToTheDatabasesDirectoryIsSeenThrough) {
  NEEDS_A_DISK();
  std::filesystem::create_directory_symlink(path("db"), path("link"));
  std::shared_ptr<BackupRepository> none;
  EXPECT_CODE(BackupRepository::Open(OptionsFor("link"), &none), "INVALID_OPTION");
}

TEST_F(BackupCreateTest, ADatabaseInsideABackupIsNotBackedUpThere) {
  NEEDS_A_DISK();
  auto repository = OpenRepository();
  CloseDatabase();
  files::create_directories(path("backups/private"));
  OpenDatabase("backups/private/7");
  EXPECT_CODE(Create(*repository), "INVALID_OPTION");
}

// ---- Space

TEST_F(BackupCreateTest, ABackupThatDoesNotFitIsRefusedBeforeAnythingIsCopied) {
  NEEDS_FILES();
  Fill(10, 10000, "a");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  storage->free_space = 50000;
  BackupDescription created;
  const auto operation = NewOperation();
  const Error error = repository->Create(Request(), operation, &created);
  EXPECT_EQ(error.code(), "NO_SPACE") << error.message();
  EXPECT_NE(error.message().find(path("backups")), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("50 kB"), std::string::npos) << error.message();
  EXPECT_EQ(operation->bytes_done(), 0U);
  EXPECT_TRUE(BackupFiles("private").empty());

  auto request = Request();
  request.check_disk_space = false;
  ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
  storage->knows_free_space = false;
  ASSERT_GOOD(Create(*repository)) << "what cannot be told never stands in the way";
  storage->knows_free_space = true;
  EXPECT_GOOD(Create(*repository)) << "only what is new needs space";
}

// ---- Speed

TEST_F(BackupCreateTest, ARateLimitHoldsAndMayBeSharedAndChangedWhileItRuns) {
  Fill(10, 40000, "a");
  const auto limiter = std::shared_ptr<rocksdb::RateLimiter>(rocksdb::NewGenericRateLimiter(1 << 20));
  const auto open = [&](const std::string& name) {
    auto options = OptionsFor(name);
    options.settings.backup_limiter = limiter;
    return OpenRepository(std::move(options));
  };
  auto first = open("one");
  auto second = open("two");
  const auto start = std::chrono::steady_clock::now();
  std::thread other([&] { EXPECT_GOOD(Create(*second)); });
  EXPECT_GOOD(Create(*first));
  other.join();
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto through = static_cast<double>(limiter->GetTotalBytesThrough(rocksdb::Env::IO_TOTAL));
  EXPECT_GE(through, 800000) << "both";
  EXPECT_GE(elapsed, 0.8 * (through / (1 << 20) - 0.1)) << "the first tenth of a second's bytes are free";

  limiter->SetBytesPerSecond(1000);
  auto third = open("three");
  std::atomic<bool> begun{false};
  std::thread slow([&] {
    BackupDescription created;
    EXPECT_GOOD(third->Create(Request(), NewOperation([&](const Progress&) { begun = true; }), &created));
  });
  while (!begun) {
    std::this_thread::yield();
  }
  limiter->SetBytesPerSecond(1 << 30);  // otherwise the backup takes minutes
  slow.join();
}

// ---- Files of an interrupted create

TEST_F(BackupCreateTest, WhatAnInterruptedCreateLeftIsRemovedByTheNext) {
  Fill(10, 1000, "a");
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  files::create_directory(path("backups/private/2"));
  WriteFile(path("backups/private/2/CURRENT"), "half");
  WriteFile(path("backups/shared_checksum/.000099_s_1.sst.tmp"), "half");
  WriteFile(path("backups/shared_checksum/000098_sX_4.sst"), "half");
  WriteFile(path("backups/meta/.2.tmp"), "half");
  WriteFile(path("backups/meta/.notes.tmp"), "somebody's own");
  EXPECT_EQ(Ids(*repository), std::vector<uint32_t>{1});
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(created.id, 2U);
  EXPECT_EQ(BackupFiles("shared_checksum").size(), 1U);
  EXPECT_EQ(BackupFiles("meta"), (std::set<std::string>{"1", "2", ".notes.tmp"}));
  for (const uint32_t id : {1U, 2U}) {
    EXPECT_GOOD(Verify(*repository, id));
  }
}

// ---- Beside an unreadable backup

class UnreadableTest : public BackupCreateTest {
 protected:
  // Makes two backups. Then the latest, which alone has table b, becomes unreadable.
  void SetUp() override {
    BackupCreateTest::SetUp();
    Fill(10, 1000, "a");
    repository_ = OpenRepository();
    ASSERT_GOOD(Create(*repository_));
    Fill(10, 1000, "b");
    ASSERT_GOOD(Create(*repository_));
    files::rename(path("backups/meta/2"), path("meta-2"));
    WriteFile(path("backups/meta/2"), "garbage\n");
    before_ = Snapshot();
  }

  std::map<std::string, std::string> Snapshot() const {
    std::map<std::string, std::string> contents;
    for (const auto& name : FilesBelow(path("backups"))) {
      if (name != kLockFileName && name != kOtherLockFileName && files::is_regular_file(path("backups/" + name))) {
        contents[name] = ReadFile(path("backups/" + name));
      }
    }
    return contents;
  }

  void ExpectNothingIsLost() {
    const auto now = Snapshot();
    for (const auto& [name, contents] : before_) {
      const auto found = now.find(name);
      ASSERT_NE(found, now.end()) << name;
      EXPECT_TRUE(found->second == contents) << name;
    }
  }

  void ExpectItComesBack() {
    files::rename(path("meta-2"), path("backups/meta/2"));
    for (const uint32_t id : Ids(*repository_)) {
      EXPECT_GOOD(Verify(*repository_, id));
    }
    EXPECT_TRUE(CorruptIds(*repository_).empty());
  }

  std::shared_ptr<BackupRepository> repository_;
  std::map<std::string, std::string> before_;
};

TEST_F(UnreadableTest, ACreateGoesOnAndSharesWhatTheUnreadableBackupHas) {
  Fill(10, 1000, "c");
  BackupDescription created;
  ASSERT_GOOD(Create(*repository_, &created));
  EXPECT_EQ(created.id, 3U);
  ExpectNothingIsLost();
  EXPECT_EQ(Restored(*repository_, 3), ContentsOf(db_.get()));
  ExpectItComesBack();
}

TEST_F(UnreadableTest, ACreateThatFindsAnotherFileInItsPlaceFailsAndSaysWhatToDo) {
  const auto tables = BackupFiles("shared_checksum");
  const std::string table = path("backups/shared_checksum/") + *tables.rbegin();
  files::resize_file(table, 10);
  before_ = Snapshot();
  BackupDescription created;
  const Error error = Create(*repository_, &created);
  EXPECT_EQ(error.code(), "BACKUP_CORRUPT") << error.message();
  EXPECT_NE(error.message().find(table), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("backup 2"), std::string::npos) << error.message();
  ExpectNothingIsLost();
  ASSERT_GOOD(repository_->Delete(2, true));
  ASSERT_GOOD(Create(*repository_, &created));
  EXPECT_GOOD(Verify(*repository_, created.id));
}

TEST_F(UnreadableTest, AStoppedOrFailedCreateRemovesOnlyWhatItMade) {
  NEEDS_FILES();
  Fill(10, 1000, "c");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  storage->Count();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  const int operations = storage->total();
  storage->Heal();
  ASSERT_GOOD(repository->Delete(3, true)) << "forced: it takes what only the unreadable one has";
  files::rename(path("meta-2"), path("backups/meta/2"));
  ASSERT_GOOD(repository->Delete(2, true));
  ASSERT_GOOD(Create(*repository, &created));
  ASSERT_EQ(created.id, 2U);
  Fill(10, 1000, "d");
  files::rename(path("backups/meta/2"), path("meta-2"));
  WriteFile(path("backups/meta/2"), "garbage\n");
  before_ = Snapshot();
  for (int nth = 1; nth <= operations; nth += 3) {
    const auto operation = NewOperation();
    std::atomic<int> left{nth};
    storage->SetHook([&](FaultFileSystem::Kind, const std::string&) {
      if (--left == 0) {
        operation->RequestStop();
      }
      return rocksdb::IOStatus::OK();
    });
    const Error error = repository->Create(Request(), operation, &created);
    EXPECT_EQ(error.code(), operation->stopped() ? "BACKUP_STOPPED" : "") << error.message();
    ExpectNothingIsLost();
    if (error.ok()) {
      files::remove(path("backups/meta/" + std::to_string(created.id)));
      files::remove_all(path("backups/private/" + std::to_string(created.id)));
    }
  }
  storage->Heal();
  ExpectItComesBack();
}

// ---- Stops

TEST_F(BackupCreateTest, AStopAtAnyOperationOnTheStorageLeavesNothingAndTellsTheTruth) {
  NEEDS_FILES();
  Fill(10, 1000, "a");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  ASSERT_GOOD(Create(*repository));
  Fill(10, 1000, "b");
  const auto before = FilesBelow(path("backups"));
  storage->Count();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  const int operations = storage->total();
  storage->Heal();
  ASSERT_GOOD(repository->Delete(created.id, false));
  ASSERT_EQ(FilesBelow(path("backups")), before);
  int stops = 0;
  for (int nth = 1; nth <= operations; ++nth) {
    const auto operation = NewOperation();
    std::atomic<int> left{nth};
    std::atomic<bool> promised{false};
    storage->SetHook([&](FaultFileSystem::Kind, const std::string&) {
      if (--left == 0) {
        promised = operation->RequestStop();
      }
      return rocksdb::IOStatus::OK();
    });
    const Error error = repository->Create(Request(), operation, &created);
    storage->Heal();
    EXPECT_EQ(error.code(), promised ? "BACKUP_STOPPED" : "") << nth << ": " << error.message();
    if (error.ok()) {
      EXPECT_GOOD(Verify(*repository, created.id));
      ASSERT_GOOD(repository->Delete(created.id, false));
    } else {
      ++stops;
    }
    ASSERT_EQ(FilesBelow(path("backups")), before) << nth;
  }
  EXPECT_GT(stops, 10);
  EXPECT_LT(stops, operations) << "after the point of no return it is refused";
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(created.id, 2U);
}

TEST_F(BackupCreateTest, AStopInEachPhaseIsAStop) {
  Fill(10, 1000, "a");
  auto repository = OpenRepository();
  for (const Phase phase : {Phase::kFlush, Phase::kCopy, Phase::kCommit}) {
    std::shared_ptr<Operation> operation;
    operation = NewOperation([&](const Progress& event) {
      if (event.phase == phase) {
        EXPECT_TRUE(operation->RequestStop());
      }
    });
    auto request = Request();
    request.flush_before_backup = true;
    BackupDescription created;
    EXPECT_CODE(repository->Create(request, operation, &created), "BACKUP_STOPPED");
    EXPECT_TRUE(BackupFiles("private").empty());
    EXPECT_TRUE(BackupFiles("meta").empty());
    EXPECT_TRUE(BackupFiles("shared_checksum").empty());
  }
}

TEST_F(BackupCreateTest, AStopBeforeTheBeginningFlushesNothing) {
  Put(1, 10, "k");
  auto repository = OpenRepository();
  const auto operation = NewOperation();
  operation->RequestStop();
  auto request = Request();
  request.flush_before_backup = true;
  BackupDescription created;
  EXPECT_CODE(repository->Create(request, operation, &created), "BACKUP_STOPPED");
  std::string tables;
  ASSERT_TRUE(db_->GetProperty("rocksdb.num-files-at-level0", &tables));
  EXPECT_EQ(tables, "0");
}

TEST_F(BackupCreateTest, AStopAtAKilobyteASecondTakesLessThanASecond) {
  Fill(100, 10000, "a");
  auto repository = OpenSlowRepository(1000);
  const auto limiter = repository->settings().backup_limiter;
  const auto operation = NewOperation();
  Error error;
  std::thread backup([&] {
    BackupDescription created;
    error = repository->Create(Request(), operation, &created);
  });
  while (limiter->GetTotalRequests(rocksdb::Env::IO_TOTAL) < 3) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(operation->RequestStop());
  const int64_t before = limiter->GetTotalBytesThrough(rocksdb::Env::IO_TOTAL);
  backup.join();
  EXPECT_EQ(error.code(), "BACKUP_STOPPED");
  // The limiter is the clock since the stop: at 1000 bytes a second, one byte is one millisecond.
  EXPECT_LT(limiter->GetTotalBytesThrough(rocksdb::Env::IO_TOTAL) - before, 500);
}

TEST_F(BackupCreateTest, AStopAtAnyMomentLeavesAWholeBackupOrNothing) {
  NEEDS_FILES();
  Fill(10, 1000, "a");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  ASSERT_GOOD(Create(*repository));
  Fill(20, 5000, "b");
  const auto before = FilesBelow(path("backups"));
  const auto contents = ContentsOf(db_.get());
  storage->Count();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  const int operations = storage->total();
  ASSERT_GOOD(repository->Delete(2, false));
  int stops = 0;
  for (const int moment : MomentsToStop(200, operations, 7)) {
    const auto operation = NewOperation();
    Error error;
    const bool promised = StopMeanwhile(*storage, *operation, moment,
                                        [&] { error = repository->Create(Request(), operation, &created); });
    EXPECT_EQ(error.code(), promised ? "BACKUP_STOPPED" : "") << error.message();
    if (error.ok()) {
      EXPECT_GOOD(Verify(*repository, created.id));
      ASSERT_GOOD(repository->Delete(created.id, false));
    } else {
      ++stops;
    }
    ASSERT_EQ(FilesBelow(path("backups")), before) << moment;
  }
  EXPECT_GT(stops, 0);
  EXPECT_LT(stops, 200);
  ASSERT_GOOD(Create(*repository));
  EXPECT_EQ(Restored(*repository, 2), contents);
}

// ---- Storage that fails

class FailingCreateTest : public BackupCreateTest, public ::testing::WithParamInterface<FaultFileSystem::Kind> {};

TEST_P(FailingCreateTest, AFailureIsATypedErrorThatHarmsNoOlderBackupAndNotTheNext) {
  const FaultFileSystem::Kind kind = GetParam();
  Fill(10, 1000, "a");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  ASSERT_GOOD(Create(*repository));
  Fill(10, 1000, "b");
  storage->Count();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  const int times = storage->count(kind);
  storage->Heal();
  ASSERT_GOOD(repository->Delete(created.id, false));
  int failures = 0;
  for (int nth = 1; nth <= times; ++nth) {
    SCOPED_TRACE(std::to_string(nth) + " of " + std::to_string(times));
    storage->FailNth(kind, nth);
    const Error error = Create(*repository, &created);
    EXPECT_TRUE(storage->failed());
    storage->Heal();
    if (error.ok()) {  // the failed operation was not essential
      EXPECT_GOOD(Verify(*repository, created.id));
      ASSERT_GOOD(repository->Delete(created.id, false));
    } else {
      ++failures;
      EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR") << error.message();
      EXPECT_NE(error.message().find(path("backups")), std::string::npos) << error.message();
    }
    EXPECT_EQ(Ids(*repository), std::vector<uint32_t>{1});
    EXPECT_TRUE(CorruptIds(*repository).empty());
    ASSERT_GOOD(Verify(*repository, 1));
  }
  if (kind != FaultFileSystem::kDelete) {
    EXPECT_GT(times, 0);
    // A create reads only files that belong to one backup. A failed read affects only that backup.
    EXPECT_EQ(failures > 0, kind != FaultFileSystem::kRead) << failures;
  }
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(created.id, 2U);
  EXPECT_EQ(Restored(*repository, 2), ContentsOf(db_.get()));
}

INSTANTIATE_TEST_SUITE_P(Of, FailingCreateTest,
                         ::testing::Values(FaultFileSystem::kOpenRead, FaultFileSystem::kRead,
                                           FaultFileSystem::kOpenWrite, FaultFileSystem::kAppend,
                                           FaultFileSystem::kSync, FaultFileSystem::kClose, FaultFileSystem::kRename,
                                           FaultFileSystem::kMakeDir, FaultFileSystem::kList, FaultFileSystem::kExists),
                         [](const auto& info) { return "Kind" + std::to_string(info.param); });

TEST_F(BackupCreateTest, AFileOfTheDatabaseThatEndsEarlyMakesNoBackup) {
  Fill(10, 1000, "a");
  CloseDatabase();
  const auto storage = std::make_shared<FaultFileSystem>();
  const auto env = rocksdb::NewCompositeEnv(storage);
  options_.env = env.get();
  OpenDatabase();
  auto repository = OpenRepository();
  BackupDescription created;
  for (const std::string ending : {"MANIFEST", "OPTIONS"}) {
    storage->SetHook([&](FaultFileSystem::Kind kind, const std::string& path) {
      return kind == FaultFileSystem::kRead && path.find(ending) != std::string::npos
                 ? FaultFileSystem::Fail(FaultFileSystem::Fault::kEarlyEnd, path)
                 : rocksdb::IOStatus::OK();
    });
    const Error error = Create(*repository, &created);
    storage->Heal();
    EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
    EXPECT_NE(error.message().find("ended after 0 of its"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find(ending), std::string::npos) << error.message();
    EXPECT_TRUE(Ids(*repository).empty());
  }
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(Restored(*repository, created.id), ContentsOf(db_.get()));
  CloseDatabase();
}

TEST_F(BackupCreateTest, FileNamesAreSyncedBeforeTheMetaIsRenamedAndTheDeletedMetaBeforeTheFiles) {
  NEEDS_FILES();
  Fill(10, 1000, "a");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  std::mutex mutex;  // the engine syncs files in several threads
  std::vector<std::string> done;
  const std::string directory = path("backups");
  storage->SetHook([&](FaultFileSystem::Kind kind, const std::string& path) {
    const std::string name = CleanPath(path).substr(directory.size());
    if (kind == FaultFileSystem::kSync || kind == FaultFileSystem::kRename || kind == FaultFileSystem::kDelete) {
      const std::lock_guard lock(mutex);
      done.push_back((kind == FaultFileSystem::kSync     ? "sync "
                      : kind == FaultFileSystem::kRename ? "rename to "
                                                         : "delete ") +
                     name);
    }
    return rocksdb::IOStatus::OK();
  });
  const auto position = [&](const std::string& what) { return std::find(done.begin(), done.end(), what); };
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  const auto exists = position("rename to /meta/1");
  ASSERT_NE(exists, done.end());
  for (const char* synced : {"sync /private/1", "sync /private", "sync /shared_checksum"}) {
    EXPECT_LT(position(synced), exists) << synced;
  }
  EXPECT_NE(std::find(exists, done.end(), "sync /meta"), done.end());

  done.clear();
  ASSERT_GOOD(repository->Delete(1, false));
  ASSERT_FALSE(done.empty());
  EXPECT_EQ(done[0], "delete /meta/1");
  EXPECT_EQ(done[1], "sync /meta");
  storage->Heal();
}

TEST_F(BackupCreateTest, ADirectoryThatCannotBeSyncedIsNamed) {
  NEEDS_FILES();
  Fill(10, 1000, "a");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  storage->SetHook([&](FaultFileSystem::Kind kind, const std::string& path) {
    return kind == FaultFileSystem::kSync && path.ends_with("/meta")
               ? rocksdb::IOStatus::NoSpace("While fsync", "a directory")
               : rocksdb::IOStatus::OK();
  });
  BackupDescription created;
  const Error error = Create(*repository, &created);
  storage->Heal();
  EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
  EXPECT_EQ(error.subcode(), "NO_SPACE");
  EXPECT_NE(error.message().find(path("backups/meta")), std::string::npos) << error.message();
  EXPECT_TRUE(Ids(*repository).empty());
}

TEST_F(BackupCreateTest, AFullDiskIsReportedAsNoSpaceAndCopiedFilesAreRemoved) {
  Fill(10, 1000, "a");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  storage->SetHook([](FaultFileSystem::Kind kind, const std::string& path) {
    return kind == FaultFileSystem::kAppend && path.ends_with(".tmp") ? rocksdb::IOStatus::NoSpace(path)
                                                                      : rocksdb::IOStatus::OK();
  });
  BackupDescription created;
  const Error error = Create(*repository, &created);
  EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR");
  EXPECT_EQ(error.subcode(), "NO_SPACE");
  storage->Heal();
  EXPECT_TRUE(BackupFiles("private").empty());
  EXPECT_TRUE(BackupFiles("shared_checksum").empty());
}

}  // namespace
}  // namespace rocksdb_backup::test
