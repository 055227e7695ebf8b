#include "core/repository/backup_repository.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "backup_fixture.h"
#include "child_process.h"
#include "fault_fs.h"

namespace rocksdb_backup::test {
namespace {

class BackupRepositoryTest : public BackupTest {
 protected:
  // A running create, at 1000 bytes a second, until it is stopped or its limit is raised.
  struct Running {
    std::shared_ptr<Operation> operation;
    std::unique_ptr<BackupRepository::Tracked> tracked;
    std::promise<void> done;
    std::atomic<bool> begun{false};
    std::atomic<bool> ended{false};
    Error error;
    BackupDescription created;

    void WaitUntilBegun() const {
      while (!begun) {
        std::this_thread::yield();
      }
    }
    void Join() {
      done.get_future().wait();
      tracked.reset();
    }
  };

  std::unique_ptr<Running> StartCreate(const std::shared_ptr<BackupRepository>& repository) {
    return StartCreate(repository, Request());
  }
  std::unique_ptr<Running> StartCreate(const std::shared_ptr<BackupRepository>& repository, CreateRequest request) {
    auto running = std::make_unique<Running>();
    running->operation = NewOperation([flag = &running->begun](const Progress&) { *flag = true; });
    running->tracked =
        std::make_unique<BackupRepository::Tracked>(repository, BackupRepository::Kind::kCreate, running->operation);
    repository->writes().Run(
        [request = std::move(request), repository, self = running.get()] {
          self->error = repository->Create(request, self->operation, &self->created);
          self->ended = true;
          self->done.set_value();
        },
        *running->operation);
    return running;
  }
};

TEST_F(BackupRepositoryTest, ARestoreReturnsWhatWasBackedUp) {
  Fill(100, 1000, "a");
  auto repository = OpenRepository();
  BackupDescription first;
  ASSERT_GOOD(Create(*repository, &first));
  EXPECT_EQ(first.id, 1U);
  const auto before = ContentsOf(db_.get());
  Fill(100, 1000, "b");
  BackupDescription second;
  ASSERT_GOOD(Create(*repository, &second));
  EXPECT_EQ(second.id, 2U);
  EXPECT_LT(second.unique_size, second.size) << "the first table file is shared";

  RestoreResult restored;
  ASSERT_GOOD(repository->Restore(RestoreTo(1, path("first")), NewOperation(), &restored));
  EXPECT_EQ(ContentsOf(path("first")), before);
  ASSERT_GOOD(repository->Restore(RestoreTo(0, path("latest")), NewOperation(), &restored));
  EXPECT_EQ(restored.backup.id, 2U);
  EXPECT_EQ(ContentsOf(path("latest")), ContentsOf(db_.get()));
  ASSERT_GOOD(repository->Verify(1, true, NewOperation()));
  ASSERT_GOOD(repository->Verify(2, false, NewOperation()));
}

TEST_F(BackupRepositoryTest, TheSecondWriterIsRefusedWhileTheFirstWrites) {
  Fill(100, 1000, "a");
  BackupRepository::Options options;
  options.settings.backup_limiter.reset(rocksdb::NewGenericRateLimiter(2000));
  auto first = OpenRepository(std::move(options));
  auto second = OpenRepository();
  std::atomic<bool> begun{false};
  auto operation = std::make_shared<Operation>([&](const Progress&) { begun = true; });
  std::thread backup([&] {
    BackupDescription created;
    (void)first->Create(Request(), operation, &created);
  });
  while (!begun) {
    std::this_thread::yield();
  }
  BackupDescription created;
  EXPECT_EQ(Create(*second, &created).code(), "BACKUP_LOCKED");
  EXPECT_EQ(second->Delete(1, true).code(), "BACKUP_LOCKED");
  std::vector<BackupDescription> list;
  ASSERT_GOOD(second->List(false, &list));
  EXPECT_TRUE(list.empty());
  operation->RequestStop();
  backup.join();
  ASSERT_GOOD(Create(*second, &created));
}

TEST_F(BackupRepositoryTest, ARestoreRefusesAForeignDirectoryAndKeepsForeignFiles) {
  Fill(10, 1000, "a");
  auto repository = OpenRepository();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  const auto contents = ContentsOf(db_.get());
  db_.reset();
  WriteFile(path("db/notes.txt"), "mine");
  files::create_directory(path("db/folder"));
  WriteFile(path("db/folder/000009.log"), "mine too");
  RestoreResult restored;
  EXPECT_EQ(repository->Restore(RestoreTo(1, path("db")), NewOperation(), &restored).code(), "TARGET_EXISTS");
  auto request = RestoreTo(1, path("db"));
  request.overwrite = true;
  ASSERT_GOOD(repository->Restore(request, NewOperation(), &restored));
  EXPECT_EQ(ContentsOf(path("db")), contents);
  EXPECT_TRUE(files::exists(path("db/notes.txt")));
  EXPECT_TRUE(files::exists(path("db/folder/000009.log")));
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
  OpenDatabase();
  EXPECT_EQ(repository->Restore(request, NewOperation(), &restored).code(), "DATABASE_IN_USE");
}

// ---- Opening

TEST_F(BackupRepositoryTest, WhatCannotBeOpenedIsRefusedBeforeAnythingIsMade) {
  NEEDS_A_DISK();
  std::shared_ptr<BackupRepository> none;
  for (const int threads : {0, -1}) {
    auto options = OptionsFor("backups");
    options.settings.engine.max_background_operations = threads;
    EXPECT_CODE(BackupRepository::Open(std::move(options), &none), "INVALID_OPTION");
  }
  WriteFile(path("file"), "mine");
  const Error error = BackupRepository::Open(OptionsFor("file/backups"), &none);
  EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR");
  EXPECT_NE(error.message().find(path("file/backups")), std::string::npos) << error.message();
  auto options = OptionsFor("missing");
  options.read_only = true;
  EXPECT_CODE(BackupRepository::Open(options, &none), "DIRECTORY_NOT_FOUND");
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "file"}));
}

TEST_F(BackupRepositoryTest, MissingParentsAreMadeAndTheDirectoryIsNamedByItsRealPath) {
  std::filesystem::create_directory_symlink(root_, path("link"));
  auto repository = OpenRepository(OptionsFor("link/a/b/../c/"));
  EXPECT_EQ(repository->directory(), path("a/c"));
  EXPECT_GOOD(Create(*repository));
  EXPECT_EQ(FindResource(repository->token()), repository);
}

TEST_F(BackupRepositoryTest, DestroyingOldDataTakesUnreadableBackupsToo) {
  Fill(5, 100, "a");
  auto repository = OpenRepository();
  for (int i = 0; i < 3; ++i) {
    ASSERT_GOOD(Create(*repository));
  }
  WriteFile(path("backups/meta/2"), "garbage");
  WriteFile(path("backups/notes.txt"), "mine");
  auto options = OptionsFor("backups");
  options.destroy_old_data = true;
  auto fresh = OpenRepository(std::move(options));
  EXPECT_TRUE(Ids(*fresh).empty());
  EXPECT_TRUE(CorruptIds(*fresh).empty());
  for (const char* part : {"meta", "private", "shared_checksum"}) {
    EXPECT_TRUE(BackupFiles(part).empty()) << part;
  }
  EXPECT_TRUE(files::exists(path("backups/notes.txt")));
}

TEST_F(BackupRepositoryTest, OldDataThatIsInUseIsNotDestroyed) {
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  OpenedBackup opened;
  ASSERT_GOOD(repository->OpenBackup(1, &opened));
  auto options = OptionsFor("backups");
  options.destroy_old_data = true;
  std::shared_ptr<BackupRepository> none;
  EXPECT_CODE(BackupRepository::Open(std::move(options), &none), "BACKUP_IN_USE");
  EXPECT_GOOD(Verify(*repository, 1));
}

// ---- Reading only

TEST_F(BackupRepositoryTest, AReadOnlyEngineWritesNothing) {
  Fill(5, 100, "a");
  {
    auto writer = OpenRepository();
    ASSERT_GOOD(Create(*writer));
    CloseRepositories();
  }
  for (const bool with_lock_file : {true, false}) {
    if (!with_lock_file) {
      files::remove(path("backups") + "/" + kLockFileName);  // as in the directories of other programs
    }
    const auto before = FilesBelow(path("backups"));
    auto options = OptionsFor("backups");
    options.read_only = true;
    auto repository = OpenRepository(std::move(options));
    EXPECT_EQ(Ids(*repository), std::vector<uint32_t>{1});
    EXPECT_GOOD(Verify(*repository, 1));
    EXPECT_EQ(Restored(*repository, 1), ContentsOf(db_.get()));
    OpenedBackup opened;
    EXPECT_GOOD(repository->OpenBackup(1, &opened));
    EXPECT_CODE(Create(*repository), "READ_ONLY");
    EXPECT_CODE(repository->Delete(1, true), "READ_ONLY");
    EXPECT_CODE(repository->PurgeOld(0, true), "READ_ONLY");
    EXPECT_CODE(repository->CollectGarbage(true), "READ_ONLY");
    opened = {};  // in a store, it holds a lease
    EXPECT_EQ(FilesBelow(path("backups")), before);
  }
}

TEST_F(BackupRepositoryTest, ADirectoryWithoutWritePermissionCanStillBeRead) {
  NEEDS_A_DISK();
  Fill(5, 100, "a");
  const mode_t mask = umask(022);  // if this is root, the child reads it as another user
  auto repository = OpenRepository();
  const Error created = Create(*repository);
  umask(mask);
  ASSERT_GOOD(created);
  ASSERT_EQ(chmod(root_.c_str(), 0755), 0);
  files::create_directory(path("restored"));
  ASSERT_EQ(chmod(path("restored").c_str(), 0777), 0);
  ASSERT_EQ(chmod(path("backups").c_str(), 0555), 0);
  ChildProcess child("BackupRepositoryTest.DISABLED_ChildThatMayNotWrite",
                     {{"BACKUPS", path("backups")}, {"TARGET", path("restored/db")}});
  const std::string line = child.WaitForLine();
  EXPECT_EQ(child.End(), 0);
  ASSERT_EQ(chmod(path("backups").c_str(), 0755), 0);  // otherwise only root could remove it
  if (line == "out of reach") {
    GTEST_SKIP() << root_ << " lies where others than its owner may not go";
  }
  EXPECT_EQ(line, "done");
  EXPECT_EQ(ContentsOf(path("restored/db")), ContentsOf(db_.get()));
}

TEST_F(BackupRepositoryTest, DISABLED_ChildThatMayNotWrite) {
  const bool is_root = geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(seteuid(65534), 0);
    if (faccessat(AT_FDCWD, getenv("BACKUPS"), R_OK | X_OK, AT_EACCESS) != 0) {
      ASSERT_EQ(seteuid(0), 0);
      ChildProcess::Say("out of reach");
      return;
    }
  }
  BackupRepository::Options options;
  options.settings.storage = std::make_shared<LocalStorage>(RealPath(getenv("BACKUPS")));
  options.read_only = true;
  auto repository = OpenRepository(options);
  ASSERT_NE(repository, nullptr);
  EXPECT_GOOD(Verify(*repository, 1));
  EXPECT_GOOD(Restore(*repository, RestoreTo(1, getenv("TARGET"))));
  EXPECT_CODE(Create(*repository), "READ_ONLY");
  if (is_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  ChildProcess::Say("done");
}

// ---- Deleting

TEST_F(BackupRepositoryTest, ADeleteRemovesUniqueFilesAndKeepsSharedFiles) {
  auto repository = OpenRepository();
  std::vector<std::map<std::string, std::string>> contents;
  std::vector<std::set<std::string>> tables;
  for (int i = 0; i < 4; ++i) {
    Fill(5, 1000, std::to_string(i) + "-");
    if (i == 2) {  // from here on there is one table instead of three
      rocksdb::CompactRangeOptions all;
      all.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
      ASSERT_TRUE(db_->CompactRange(all, nullptr, nullptr).ok());
    }
    contents.push_back(ContentsOf(db_.get()));
    ASSERT_GOOD(Create(*repository));
    tables.push_back(BackupFiles("shared_checksum"));
  }
  EXPECT_EQ(tables[3].size(), 4U);
  ASSERT_GOOD(repository->Delete(1, false));
  EXPECT_EQ(BackupFiles("shared_checksum").size(), 4U) << "backup 2 has the first table, too";
  EXPECT_EQ(BackupFiles("private"), (std::set<std::string>{"2", "3", "4"}));
  EXPECT_EQ(BackupFiles("meta"), (std::set<std::string>{"2", "3", "4"}));
  ASSERT_GOOD(repository->Delete(2, false));
  EXPECT_EQ(BackupFiles("shared_checksum").size(), 2U) << "those of before the compaction are nobody's";
  for (const uint32_t id : {3U, 4U}) {
    EXPECT_GOOD(Verify(*repository, id));
    EXPECT_EQ(Restored(*repository, id), contents[id - 1]);
  }
  ASSERT_GOOD(repository->PurgeOld(1, false));
  EXPECT_EQ(Ids(*repository), std::vector<uint32_t>{4});
  EXPECT_EQ(BackupFiles("shared_checksum").size(), 2U);
  ASSERT_GOOD(repository->PurgeOld(1, false)) << "nothing to do";
  ASSERT_GOOD(repository->PurgeOld(0, false));
  for (const char* part : {"meta", "private", "shared_checksum"}) {
    EXPECT_TRUE(BackupFiles(part).empty()) << part;
  }
}

TEST_F(BackupRepositoryTest, AMissingBackupIsNotDeleted) {
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  for (const uint32_t id : {0U, 2U, 4294967294U, 4294967295U}) {
    EXPECT_CODE(repository->Delete(id, true), "BACKUP_NOT_FOUND") << id;
  }
  EXPECT_EQ(Ids(*repository), std::vector<uint32_t>{1});
}

TEST_F(BackupRepositoryTest, WhileABackupIsUnreadableNothingIsDeletedUnlessForced) {
  Fill(5, 100, "a");
  auto repository = OpenRepository();
  for (int i = 0; i < 3; ++i) {
    ASSERT_GOOD(Create(*repository));
  }
  for (const char* id : {"1", "3"}) {
    files::rename(path("backups/private/") + id, path("away-") + id);
  }
  const auto before = FilesBelow(path("backups"));
  for (const Error& error : {repository->Delete(2, false), repository->Delete(1, false), repository->PurgeOld(0, false),
                             repository->CollectGarbage(false)}) {
    EXPECT_EQ(error.code(), "BACKUP_CORRUPT") << error.message();
    EXPECT_NE(error.message().find("1 and 3"), std::string::npos) << error.message();
    EXPECT_EQ(error.advice(), "bringBackOrForce") << error.message();
  }
  EXPECT_EQ(FilesBelow(path("backups")), before);
  for (const char* id : {"1", "3"}) {
    files::rename(path("away-") + id, path("backups/private/") + id);
  }
  EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{1, 2, 3})) << "they were only away";
  files::remove_all(path("backups/private/1"));
  ASSERT_GOOD(repository->Delete(1, true));
  EXPECT_GOOD(repository->Delete(2, false)) << "nothing is unreadable any more";
  EXPECT_GOOD(Verify(*repository, 3));
}

TEST_F(BackupRepositoryTest, TheIdOfADeletedLatestBackupIsGivenAgain) {
  Fill(5, 100, "a");
  auto repository = OpenRepository();
  BackupDescription created;
  for (int i = 0; i < 2; ++i) {
    ASSERT_GOOD(Create(*repository, &created));
  }
  ASSERT_GOOD(repository->Delete(2, false));
  Fill(5, 100, "b");
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(created.id, 2U);
  EXPECT_EQ(Restored(*repository, 2), ContentsOf(db_.get()));
  ASSERT_GOOD(repository->Delete(1, false));
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(created.id, 3U) << "of others it is not";
}

TEST_F(BackupRepositoryTest, GarbageIsCollectedAndNothingElse) {
  Fill(5, 100, "a");
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  const auto before = FilesBelow(path("backups"));
  files::create_directories(path("backups/private/9"));
  WriteFile(path("backups/private/9/CURRENT"), "half");
  WriteFile(path("backups/shared_checksum/000099_s_4.sst"), "half");
  WriteFile(path("backups/notes.txt"), "mine");
  ASSERT_GOOD(repository->CollectGarbage(false));
  auto expected = before;
  expected.insert("notes.txt");
  EXPECT_EQ(FilesBelow(path("backups")), expected);
}

TEST_F(BackupRepositoryTest, AFailedDeleteIsATypedErrorAndMayBeRepeated) {
  NEEDS_FILES();
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  Fill(5, 100, "a");
  ASSERT_GOOD(Create(*repository));
  Fill(5, 100, "b");
  BackupDescription created;
  for (const auto kind : {FaultFileSystem::kDelete, FaultFileSystem::kList, FaultFileSystem::kExists,
                          FaultFileSystem::kOpenRead, FaultFileSystem::kRead, FaultFileSystem::kMakeDir}) {
    for (int nth = 1;; ++nth) {
      SCOPED_TRACE(std::string(FaultFileSystem::kNames[kind]) + " " + std::to_string(nth));
      ASSERT_GOOD(Create(*repository, &created));
      storage->FailNth(kind, nth);
      const Error error = repository->Delete(created.id, false);
      const bool failed = storage->failed();
      storage->Heal();
      if (!error.ok()) {
        EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR") << error.message();
        EXPECT_NE(error.message().find(path("backups")), std::string::npos) << error.message();
      }
      EXPECT_TRUE(CorruptIds(*repository).empty());
      EXPECT_GOOD(Verify(*repository, 1));
      if (Ids(*repository).size() == 2) {
        ASSERT_GOOD(repository->Delete(created.id, false));
      } else {
        ASSERT_GOOD(repository->CollectGarbage(false));
      }
      EXPECT_EQ(BackupFiles("private"), std::set<std::string>{"1"});
      EXPECT_EQ(BackupFiles("shared_checksum").size(), 1U);
      if (!failed) {
        break;
      }
    }
  }
}

// The BackupEngine only logs that it cannot delete a file.
TEST_F(BackupRepositoryTest, FilesThatCannotBeDeletedAreNamed) {
  NEEDS_FILES();
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  Fill(5, 100, "a");
  ASSERT_GOOD(Create(*repository));
  Fill(5, 100, "b");
  ASSERT_GOOD(Create(*repository));
  files::create_directories(path("backups/private/9"));
  WriteFile(path("backups/private/9/CURRENT"), "half");
  WriteFile(path("backups/shared_checksum/000099_s_4.sst"), "half");
  WriteFile(path("backups/meta/.9.tmp"), "half");
  WriteFile(path("backups/private/1/.rocksdb-backup.files.tmp"), "half");
  const auto before = FilesBelow(path("backups"));
  const auto deny_all_but = [&](const std::string& allowed) {
    storage->SetHook([allowed](FaultFileSystem::Kind kind, const std::string& file) {
      return kind != FaultFileSystem::kDelete || (!allowed.empty() && file.find(allowed) != std::string::npos)
                 ? rocksdb::IOStatus::OK()
                 : rocksdb::IOStatus::IOError("cannot delete " + file, "Permission denied");
    });
  };
  using Left = std::vector<std::string>;
  const Left strays = {"meta/.9.tmp", "private/1/.rocksdb-backup.files.tmp", "private/9/CURRENT",
                       "shared_checksum/000099_s_4.sst"};
  deny_all_but("");
  const Error collected = repository->CollectGarbage(false);
  EXPECT_CODE(collected, "ROCKSDB_IO_ERROR");
  EXPECT_EQ(collected.left_files(), strays);
  EXPECT_NE(collected.message().find("private/9/CURRENT"), std::string::npos) << collected.message();
  EXPECT_NE(collected.message().find("Permission denied"), std::string::npos) << collected.message();
  EXPECT_EQ(FilesBelow(path("backups")), before);

  deny_all_but("/meta/");  // the backup goes, its files stay
  for (const bool purge : {false, true}) {
    const Error deleted = purge ? repository->PurgeOld(0, false) : repository->Delete(2, false);
    EXPECT_CODE(deleted, "ROCKSDB_IO_ERROR");
    EXPECT_EQ(Ids(*repository), purge ? std::vector<uint32_t>{} : std::vector<uint32_t>{1});
    EXPECT_EQ(std::count(deleted.left_files().begin(), deleted.left_files().end(), "private/2/CURRENT"), 1);
    EXPECT_EQ(std::count(deleted.left_files().begin(), deleted.left_files().end(), "private/1/CURRENT"), purge ? 1 : 0);
  }
  storage->Heal();
  EXPECT_GOOD(repository->CollectGarbage(false));
  EXPECT_TRUE(BackupFiles("private").empty());
  EXPECT_TRUE(BackupFiles("shared_checksum").empty());
}

// ---- Backups opened in place

TEST_F(BackupRepositoryTest, AnOpenedBackupIsReadInPlaceAndIsNotDeletedMeanwhile) {
  Fill(20, 1000, "a");
  Put(5, 100, "in-the-log");
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  const auto contents = ContentsOf(db_.get());
  Fill(20, 1000, "b");
  ASSERT_GOOD(Create(*repository));
  auto other = OpenRepository();
  {
    OpenedBackup opened;
    ASSERT_GOOD(repository->OpenBackup(1, &opened));
    const auto before = FilesBelow(path("backups"));
    EXPECT_EQ(ContentsOf(opened.path, "", opened.env.get()), contents);
    EXPECT_EQ(FilesBelow(path("backups")), before) << "reading it writes nothing";
    for (auto& engine : {repository, other}) {
      const Error error = engine->Delete(1, false);
      EXPECT_EQ(error.code(), "BACKUP_IN_USE");
      EXPECT_NE(error.message().find("backup 1 in " + path("backups")), std::string::npos) << error.message();
      EXPECT_CODE(engine->PurgeOld(1, false), "BACKUP_IN_USE");
    }
    EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{1, 2}));
    EXPECT_GOOD(repository->Delete(2, false)) << "the other is free";
    EXPECT_EQ(ContentsOf(opened.path, "", opened.env.get()), contents);
  }
  EXPECT_GOOD(repository->Delete(1, false));
}

TEST_F(BackupRepositoryTest, AnOpenedBackupOutlivesItsRepository) {
  Fill(20, 1000, "a");
  OpenedBackup opened;
  {
    auto repository = OpenRepository();
    ASSERT_GOOD(Create(*repository));
    ASSERT_GOOD(repository->OpenBackup(1, &opened));
    repository.reset();
    CloseRepositories();
  }
  EXPECT_EQ(ContentsOf(opened.path, "", opened.env.get()), ContentsOf(db_.get()));
}

TEST_F(BackupRepositoryTest, AMissingBackupIsNotOpened) {
  auto repository = OpenRepository();
  for (const uint32_t id : {0U, 1U, 4294967294U}) {
    OpenedBackup opened;
    EXPECT_CODE(repository->OpenBackup(id, &opened), "BACKUP_NOT_FOUND");
    EXPECT_EQ(opened.env, nullptr);
  }
}

TEST_F(BackupRepositoryTest, WhatIsRestoredOrVerifiedIsNotDeletedMeanwhile) {
  Fill(100, 1000, "a");
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  auto slow = OpenSlowRepository(1000);
  std::atomic<bool> begun{false};
  const auto operation = NewOperation([&](const Progress&) { begun = true; });
  Error error;
  std::thread restore([&] {
    RestoreResult restored;
    error = slow->Restore(RestoreTo(1, path("target")), operation, &restored);
  });
  while (!begun) {
    std::this_thread::yield();
  }
  EXPECT_CODE(repository->Delete(1, false), "BACKUP_IN_USE");
  EXPECT_GOOD(Create(*repository)) << "others may be made";
  EXPECT_GOOD(Verify(*repository, 1));
  operation->RequestStop();
  restore.join();
  EXPECT_EQ(error.code(), "RESTORE_STOPPED");
  EXPECT_GOOD(repository->Delete(1, false));
}

// ---- Several at once

TEST_F(BackupRepositoryTest, CreatesOfOneEngineQueueAndThoseOfAnotherAreRefused) {
  Fill(20, 1000, "a");
  auto repository = OpenSlowRepository();
  auto other = OpenRepository();
  auto first = StartCreate(repository);
  first->WaitUntilBegun();
  auto second = StartCreate(repository);
  EXPECT_CODE(Create(*other), "BACKUP_LOCKED");
  EXPECT_CODE(other->CollectGarbage(true), "BACKUP_LOCKED");
  repository->settings().backup_limiter->SetBytesPerSecond(1 << 30);
  first->Join();
  second->Join();
  EXPECT_GOOD(first->error);
  EXPECT_GOOD(second->error);
  EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{1, 2}));
  EXPECT_GOOD(Create(*other));
}

TEST_F(BackupRepositoryTest, StopBackupStopsRunningAndWaitingCreatesAndNothingElse) {
  Fill(100, 1000, "a");
  {
    auto fast = OpenRepository();
    ASSERT_GOOD(Create(*fast));
  }
  Fill(100, 1000, "b");
  auto repository = OpenSlowRepository();
  EXPECT_FALSE(repository->StopBackup()) << "there is nothing to stop";
  auto running = StartCreate(repository);
  running->WaitUntilBegun();
  auto waiting = StartCreate(repository);
  std::atomic<bool> restoring{false};
  const auto restore = NewOperation([&](const Progress&) { restoring = true; });
  const BackupRepository::Tracked tracked(repository, BackupRepository::Kind::kOther, restore);
  Error restore_error;
  std::thread restorer([&] {
    RestoreResult restored;
    restore_error = repository->Restore(RestoreTo(1, path("target")), restore, &restored);
  });
  while (!restoring) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(repository->StopBackup());
  running->Join();
  waiting->Join();
  EXPECT_CODE(running->error, "BACKUP_STOPPED");
  EXPECT_CODE(waiting->error, "BACKUP_STOPPED");
  EXPECT_FALSE(restore->stopped());
  EXPECT_FALSE(repository->StopBackup());
  repository->settings().restore_limiter->SetBytesPerSecond(1 << 30);
  restorer.join();
  EXPECT_GOOD(restore_error);
  EXPECT_EQ(BackupFiles("private"), std::set<std::string>{"1"});
  repository->settings().backup_limiter->SetBytesPerSecond(1 << 30);
  EXPECT_GOOD(Create(*repository)) << "the engine stays usable";
}

TEST_F(BackupRepositoryTest, AStopOfOneThatWaitsDoesNotWaitForTheOneThatRuns) {
  Fill(100, 1000, "a");
  auto repository = OpenSlowRepository();
  auto running = StartCreate(repository);
  running->WaitUntilBegun();
  auto waiting = StartCreate(repository);
  EXPECT_TRUE(waiting->operation->RequestStop());
  waiting->Join();
  EXPECT_CODE(waiting->error, "BACKUP_STOPPED");
  EXPECT_FALSE(running->ended);
  repository->settings().backup_limiter->SetBytesPerSecond(1 << 30);
  running->Join();
  EXPECT_GOOD(running->error);
}

TEST_F(BackupRepositoryTest, ClosingStopsWhatRuns) {
  Fill(100, 1000, "a");
  auto repository = OpenSlowRepository();
  auto lease = repository->Acquire();
  auto running = StartCreate(repository);
  running->WaitUntilBegun();
  repositories_.clear();
  repository->RemoveHandle({});
  running->Join();
  EXPECT_CODE(running->error, "BACKUP_STOPPED");
  const auto late = NewOperation();
  const BackupRepository::Tracked tracked(repository, BackupRepository::Kind::kOther, late);
  EXPECT_TRUE(late->stopped()) << "what comes after is stopped at once";
  lease.Release();
  repository->WaitIfClosing();
}

TEST_F(BackupRepositoryTest, AListWorksWhileABackupRunsAndUsesNothingOfItsRate) {
  Fill(100, 1000, "a");
  {
    auto fast = OpenRepository();
    ASSERT_GOOD(Create(*fast));
  }
  auto options = OptionsFor("backups");
  const auto limiter = std::shared_ptr<rocksdb::RateLimiter>(
      rocksdb::NewGenericRateLimiter(1000, 100 * 1000, 10, rocksdb::RateLimiter::Mode::kAllIo));
  options.settings.backup_limiter = limiter;
  options.settings.restore_limiter = limiter;
  auto repository = OpenRepository(std::move(options));
  EXPECT_EQ(Ids(*repository), std::vector<uint32_t>{1});
  EXPECT_EQ(limiter->GetTotalRequests(rocksdb::Env::IO_TOTAL), 0);
  Fill(100, 1000, "b");
  auto running = StartCreate(repository);
  while (limiter->GetTotalRequests(rocksdb::Env::IO_TOTAL) == 0) {
    std::this_thread::yield();
  }
  EXPECT_EQ(Ids(*repository), std::vector<uint32_t>{1});
  EXPECT_TRUE(CorruptIds(*repository).empty()) << "the one that is made is no corrupt one";
  EXPECT_FALSE(running->ended);
  running->operation->RequestStop();
  running->Join();
  EXPECT_CODE(running->error, "BACKUP_STOPPED");
}

TEST_F(BackupRepositoryTest, ReadersAndTwoAppendersDoNotDisturbEachOther) {
  Fill(10, 1000, "a");
  auto repository = OpenRepository();
  auto other = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  const auto contents = ContentsOf(db_.get());
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&, i] {
      for (int n = 0; !done; ++n) {
        auto& engine = *(n % 2 == 0 ? repository : other);
        std::vector<BackupDescription> list;
        EXPECT_GOOD(engine.List(true, &list));
        EXPECT_GE(list.size(), 1U);
        std::vector<uint32_t> corrupt;
        EXPECT_GOOD(engine.CorruptIds(&corrupt));
        EXPECT_TRUE(corrupt.empty());
        EXPECT_GOOD(Verify(engine, 1, n % 3 == 0));
        if (n % 4 == 0) {
          const std::string target = path("reader-" + std::to_string(i) + "-" + std::to_string(n));
          EXPECT_GOOD(Restore(engine, RestoreTo(1, target)));
          EXPECT_EQ(ContentsOf(target), contents);
        }
      }
    });
  }
  std::atomic<int> created{0};
  std::vector<std::thread> appenders;
  for (int i = 0; i < 2; ++i) {
    appenders.emplace_back([&] {
      for (int n = 0; n < 8; ++n) {
        BackupDescription backup;
        EXPECT_GOOD(InTurn(*repository, [&] { return Create(*repository, &backup); }));
        ++created;
        if (n % 2 == 1) {
          EXPECT_GOOD(InTurn(*repository, [&] { return repository->Delete(backup.id, false); }));
        }
      }
    });
  }
  for (auto& thread : appenders) {
    thread.join();
  }
  done = true;
  for (auto& thread : readers) {
    thread.join();
  }
  EXPECT_EQ(created, 16);
  for (const uint32_t id : Ids(*repository)) {
    EXPECT_GOOD(Verify(*repository, id));
  }
}

// ---- Processes that die

TEST_F(BackupRepositoryTest, AProcessKilledInTheMiddleOfABackupLeavesADirectoryThatWorks) {
  NEEDS_A_DISK();
  Fill(10, 1000, "a");
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  const auto contents = ContentsOf(db_.get());
  for (int round = 0; round < 3; ++round) {
    ChildProcess child("BackupRepositoryTest.DISABLED_ChildThatBacksUpSlowly", {{"BACKUPS", path("backups")}});
    ASSERT_EQ(child.WaitForLine(), "copying");
    EXPECT_CODE(Create(*repository), "BACKUP_LOCKED");
    EXPECT_EQ(Ids(*repository), std::vector<uint32_t>{1});
    child.Kill();
    EXPECT_EQ(BackupFiles("private").size(), 2U) << "it left something";
    BackupDescription created;
    ASSERT_GOOD(Create(*repository, &created));
    EXPECT_EQ(created.id, 2U);
    for (const uint32_t id : {1U, 2U}) {
      EXPECT_GOOD(Verify(*repository, id));
      EXPECT_EQ(Restored(*repository, id), contents);
    }
    EXPECT_EQ(BackupFiles("shared_checksum").size(), 1U);
    ASSERT_GOOD(repository->Delete(2, false));
  }
}

TEST_F(BackupRepositoryTest, DISABLED_ChildThatBacksUpSlowly) {
  Fill(100, 1000, "other");
  BackupRepository::Options options;
  options.settings.storage = std::make_shared<LocalStorage>(RealPath(getenv("BACKUPS")));
  options.settings.backup_limiter.reset(rocksdb::NewGenericRateLimiter(1000));
  auto repository = OpenRepository(std::move(options));
  const auto limiter = repository->settings().backup_limiter;
  CreateRequest request = Request();
  request.allow_other_database = true;  // the directory has backups of the parent's database
  auto running = StartCreate(repository, std::move(request));
  while (limiter->GetTotalRequests(rocksdb::Env::IO_TOTAL) == 0) {
    ASSERT_FALSE(running->ended) << running->error.message();
    std::this_thread::yield();
  }
  ChildProcess::Say("copying");
  ChildProcess::WaitForEnd();
  running->operation->RequestStop();
  running->Join();
}

// ---- Restores of real databases

TEST_F(BackupRepositoryTest, ADatabaseIsRestoredOverItselfFromTheBackupsInIt) {
  auto repository = OpenRepository(OptionsFor("db/backups"));
  Fill(10, 1000, "a");
  ASSERT_GOOD(Create(*repository));
  const auto contents = ContentsOf(db_.get());
  Fill(10, 1000, "b");
  EXPECT_CODE(Restore(*repository, RestoreTo(1, path("db"), true)), "DATABASE_IN_USE");
  CloseDatabase();
  ASSERT_GOOD(Restore(*repository, RestoreTo(1, path("db"), true)));
  EXPECT_EQ(ContentsOf(path("db")), contents);
  OpenDatabase();
  Fill(10, 1000, "c");
  ASSERT_GOOD(Create(*repository));
  EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(Restored(*repository, 2), ContentsOf(db_.get()));
}

TEST_F(BackupRepositoryTest, KeptLogsBringTheDatabaseBeyondItsBackup) {
  CloseDatabase();
  options_.WAL_ttl_seconds = 3600;
  options_.WAL_size_limit_MB = 100;
  OpenDatabase("archiving");
  auto backup_options = OptionsFor("backups");
  backup_options.settings.engine.backup_log_files = false;
  auto repository = OpenRepository(std::move(backup_options));
  Fill(5, 100, "a");
  ASSERT_GOOD(Create(*repository));
  const auto at_backup = ContentsOf(db_.get());
  Fill(5, 100, "b");  // its log goes to the archive
  Put(5, 100, "c");   // its log is the current one
  const auto at_end = ContentsOf(db_.get());
  CloseDatabase();
  ASSERT_FALSE(std::filesystem::is_empty(path("archiving/archive")));
  ASSERT_GOOD(Restore(*repository, RestoreTo(1, path("plain"))));
  EXPECT_EQ(ContentsOf(path("plain")), at_backup);
  auto request = RestoreTo(1, path("archiving"), true);
  request.keep_log_files = true;
  ASSERT_GOOD(Restore(*repository, request));
  EXPECT_EQ(ContentsOf(path("archiving")), at_end);
}

TEST_F(BackupRepositoryTest, LogsAreRestoredToWalDirBesideOrInsideTheDatabase) {
  Fill(5, 100, "a");
  Put(5, 100, "in-the-log");
  auto repository = OpenRepository();
  ASSERT_GOOD(Create(*repository));
  const auto contents = ContentsOf(db_.get());
  for (const char* wal : {"logs", "target/logs"}) {
    for (int round = 0; round < 2; ++round) {
      auto request = RestoreTo(1, path("target"), round == 1);
      request.wal_dir = path(wal);
      ASSERT_GOOD(Restore(*repository, request));
      EXPECT_FALSE(NamesIn(path(wal)).empty());
      for (const auto& name : NamesIn(path("target"))) {
        EXPECT_FALSE(IsWalFileName(name)) << name;
      }
      EXPECT_EQ(ContentsOf(path("target"), path(wal)), contents);
    }
    files::remove_all(path("target"));
    files::remove_all(path("logs"));
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
