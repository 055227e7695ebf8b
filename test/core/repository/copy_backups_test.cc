#include "core/repository/copy_backups.h"

#include "backup_fixture.h"
#include "core/repository/backup_repository.h"
#include "core/stores/object_storage.h"
#include "memory_object_store.h"

namespace rocksdb_backup::test {
namespace {

using State = CopiedBackup::State;

class CopyBackupsTest : public BackupTest {
 protected:
  // Three backups, of which each has one table more.
  std::shared_ptr<BackupRepository> MakeBackups() {
    auto repository = OpenRepository();
    for (const char* prefix : {"a", "b", "c"}) {
      Fill(50, 1000, prefix);
      Put(1, 20, "logged");
      EXPECT_GOOD(Create(*repository));
      contents_.push_back(ContentsOf(db_.get()));
    }
    return repository;
  }

  static Error Copy(BackupRepository& from, BackupRepository& to, std::vector<CopiedBackup>* backups = nullptr,
                    CopyRequest request = {}) {
    std::vector<CopiedBackup> ignored;
    return to.CopyFrom(from, request, NewOperation(), backups != nullptr ? backups : &ignored);
  }

  static std::vector<State> StatesOf(const std::vector<CopiedBackup>& backups) {
    std::vector<State> states;
    for (const auto& backup : backups) {
      states.push_back(backup.state);
    }
    return states;
  }

  void ExpectWhole(BackupRepository& repository) {
    ASSERT_EQ(Ids(repository), (std::vector<uint32_t>{1, 2, 3}));
    for (uint32_t id = 1; id <= 3; ++id) {
      EXPECT_GOOD(Verify(repository, id));
      EXPECT_EQ(Restored(repository, id), contents_[id - 1]);
    }
  }

  std::vector<std::map<std::string, std::string>> contents_;
};

TEST_F(CopyBackupsTest, ACopyIsTheSameRepository) {
  const auto from = MakeBackups();
  const auto to = OpenRepository(OptionsFor("copy"));
  std::vector<CopiedBackup> backups;
  ASSERT_GOOD(Copy(*from, *to, &backups));
  EXPECT_EQ(StatesOf(backups), std::vector<State>(3, State::kCopied));
  ExpectWhole(*to);
  for (const char* part : {"meta", "private/1", "private/2", "private/3", "shared_checksum"}) {
    EXPECT_EQ(BackupFiles(part, "copy"), BackupFiles(part)) << part;
  }
  BackupDescription created;
  ASSERT_GOOD(Create(*to, &created));
  EXPECT_EQ(created.id, 4U);
  EXPECT_FALSE(created.full);
  ASSERT_GOOD(Copy(*from, *to, &backups));
  EXPECT_EQ(StatesOf(backups), std::vector<State>(3, State::kPresent));
}

TEST_F(CopyBackupsTest, ThroughAStoreForRocksDbsOwnBackupEngine) {
  NEEDS_A_DISK();
  const auto from = MakeBackups();
  BackupRepository::Options options;
  options.settings.storage = std::make_shared<ObjectStorage>(std::make_shared<MemoryObjectStore>());
  const auto store = OpenRepository(std::move(options));
  ASSERT_GOOD(Copy(*from, *store));
  ExpectWhole(*store);
  const auto to = OpenRepository(OptionsFor("copy"));
  ASSERT_GOOD(Copy(*store, *to));
  CloseRepositories();

  rocksdb::BackupEngine* opened = nullptr;
  const auto status =
      rocksdb::BackupEngine::Open(rocksdb::Env::Default(), rocksdb::BackupEngineOptions(path("copy")), &opened);
  ASSERT_TRUE(status.ok()) << status.ToString();
  const std::unique_ptr<rocksdb::BackupEngine> engine(opened);
  std::vector<rocksdb::BackupInfo> infos;
  engine->GetBackupInfo(&infos);
  ASSERT_EQ(infos.size(), 3U);
  for (uint32_t id = 1; id <= 3; ++id) {
    EXPECT_TRUE(engine->VerifyBackup(id, true).ok());
    const std::string target = path("plain-" + std::to_string(id));
    ASSERT_TRUE(engine->RestoreDBFromBackup(rocksdb::RestoreOptions(), id, target, target).ok());
    EXPECT_EQ(ContentsOf(target), contents_[id - 1]);
  }
  ASSERT_TRUE(engine->CreateNewBackup(db_.get()).ok());
  ASSERT_TRUE(engine->DeleteBackup(1).ok());
  EXPECT_TRUE(engine->VerifyBackup(3, true).ok());
}

TEST_F(CopyBackupsTest, BackupsOfOtherEnginesWithoutARecord) {
  const auto from = MakeBackups();
  for (int id = 1; id <= 3; ++id) {
    files::remove(path("backups/private/" + std::to_string(id) + "/rocksdb-backup.files"));
  }
  const auto to = OpenRepository(OptionsFor("copy"));
  ASSERT_GOOD(Copy(*from, *to));
  ExpectWhole(*to);
  std::vector<CopiedBackup> backups;
  ASSERT_GOOD(Copy(*from, *to, &backups));
  EXPECT_EQ(StatesOf(backups), std::vector<State>(3, State::kPresent));
}

// With shareFilesWithChecksum off, files are shared under their names in the database, which another database has, too.
TEST_F(CopyBackupsTest, FilesOfTheSameNameThatDiffer) {
  auto shared = [this](const char* directory) {
    BackupRepository::Options options = OptionsFor(directory);
    options.settings.engine.share_files_with_checksum = false;
    return OpenRepository(std::move(options));
  };
  const auto from = shared("backups");
  Fill(50, 1000, "a");
  ASSERT_GOOD(Create(*from));
  const auto to = shared("copy");
  ASSERT_GOOD(Copy(*from, *to));
  const auto other = shared("other");
  CloseDatabase();
  OpenDatabase("other-db");
  Fill(50, 1000, "z");
  ASSERT_GOOD(Create(*other));
  ASSERT_GOOD(Create(*other));
  std::vector<CopiedBackup> backups;
  ASSERT_GOOD(Copy(*other, *to, &backups, {.backup_ids = {2}, .allow_other_database = true}));
  ASSERT_EQ(StatesOf(backups), std::vector<State>{State::kFailed});
  EXPECT_EQ(backups[0].error.code(), "BACKUP_EXISTS");
  EXPECT_EQ(Ids(*to), std::vector<uint32_t>{1});
  EXPECT_GOOD(Verify(*to, 1));
}

TEST_F(CopyBackupsTest, AStopLeavesOnlyWholeBackups) {
  const auto from = MakeBackups();
  const auto to = OpenRepository(OptionsFor("copy"));
  for (uint64_t at : {1, 60'000, 120'000}) {
    std::shared_ptr<Operation> operation;
    operation = NewOperation([&operation, at](const Progress& progress) {
      if (progress.bytes_done >= at) {
        operation->RequestStop();
      }
    });
    std::vector<CopiedBackup> backups;
    const Error error = to->CopyFrom(*from, {}, operation, &backups);
    EXPECT_TRUE(error.ok() || error.code() == "BACKUP_STOPPED") << error.message();
    for (const uint32_t id : Ids(*to)) {
      EXPECT_GOOD(Verify(*to, id));
    }
  }
  ASSERT_GOOD(Copy(*from, *to));
  ExpectWhole(*to);
  for (const char* part : {"meta", "private/1", "shared_checksum"}) {
    EXPECT_EQ(BackupFiles(part, "copy"), BackupFiles(part)) << part;
  }
}

TEST_F(CopyBackupsTest, APlanChangesNothing) {
  const auto from = MakeBackups();
  std::vector<CopiedBackup> planned;
  ASSERT_GOOD(from->PlanCopyTo(nullptr, {}, NewOperation(), &planned));
  EXPECT_EQ(StatesOf(planned), std::vector<State>(3, State::kCopied));
  const auto to = OpenRepository(OptionsFor("copy"));
  ASSERT_GOOD(from->PlanCopyTo(to.get(), {}, NewOperation(), &planned));
  EXPECT_EQ(Ids(*to), std::vector<uint32_t>{});
  std::vector<CopiedBackup> backups;
  ASSERT_GOOD(Copy(*from, *to, &backups));
  for (size_t i = 0; i < backups.size(); ++i) {
    EXPECT_EQ(backups[i].bytes, planned[i].bytes);
    EXPECT_EQ(backups[i].files, planned[i].files);
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
