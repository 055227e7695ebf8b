// Stores that do not delete an object before a date, with and without telling it before.

#include <chrono>

#include "backup_fixture.h"
#include "core/stores/object_storage.h"
#include "core/stores/store_layout.h"
#include "memory_object_store.h"

namespace rocksdb_backup::test {
namespace {

constexpr int64_t kDay = int64_t{24} * 60 * 60 * 1000;

int64_t NowInMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class ObjectLock : public BackupTest {
 protected:
  std::shared_ptr<BackupRepository> Open() {
    BackupRepository::Options options;
    options.settings.storage = std::make_shared<ObjectStorage>(store_, times_);
    return OpenRepository(std::move(options));
  }

  // Backups that were written so many days ago.
  void MakeBackups(BackupRepository& repository, const std::vector<int>& days) {
    for (const int ago : days) {
      Fill(20, 1000, std::to_string(ago));
      store_->clock = NowInMilliseconds() - ago * kDay;
      ASSERT_GOOD(Create(repository));
    }
  }

  std::set<uint32_t> Ids(BackupRepository& repository) {
    std::vector<BackupDescription> backups;
    EXPECT_GOOD(repository.List(false, &backups));
    std::set<uint32_t> ids;
    for (const auto& backup : backups) {
      EXPECT_GOOD(repository.Verify(backup.id, true, NewOperation()));
      ids.insert(backup.id);
    }
    return ids;
  }

  const std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>();
  const LeaseTimes times_{.lifetime = std::chrono::milliseconds(3000), .renewal = std::chrono::milliseconds(1000)};
};

TEST_F(ObjectLock, ABackupUnderALockThatIsKnownIsNotDeleted) {
  store_->locked_for = 10 * kDay;
  const auto repository = Open();
  MakeBackups(*repository, {30, 12, 9, 1});
  std::vector<BackupDescription> backups;
  ASSERT_GOOD(repository->List(false, &backups));
  ASSERT_EQ(backups.size(), 4U);
  EXPECT_NEAR(static_cast<double>(backups[2].locked_until), static_cast<double>(NowInMilliseconds() + kDay), 60'000);
  const Error error = repository->Delete({2, 3}, false);
  EXPECT_CODE(error, "STORE_REFUSED");
  EXPECT_NE(error.message().find("backup 3"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("has locked it until 20"), std::string::npos) << error.message();
  EXPECT_EQ(Ids(*repository), (std::set<uint32_t>{1, 2, 3, 4})) << "all of them or none";
  ASSERT_GOOD(repository->Delete(2, false));
  // A purge takes what it may, and the next one the others.
  ASSERT_GOOD(repository->PurgeOld(1, false));
  EXPECT_EQ(Ids(*repository), (std::set<uint32_t>{3, 4}));
  store_->locked_for = 8 * kDay;
  ASSERT_GOOD(repository->PurgeOld(1, false));
  EXPECT_EQ(Ids(*repository), std::set<uint32_t>{4});
}

TEST_F(ObjectLock, ABackupWhoseDeletionIsRefusedStaysWholeAndTheOthersGo) {
  const auto repository = Open();
  MakeBackups(*repository, {4, 3, 2, 1});
  store_->locks = [](const std::string& key) { return key == "meta/2"; };
  EXPECT_CODE(repository->Delete({1, 2}, false), "STORE_REFUSED");
  EXPECT_EQ(Ids(*repository), (std::set<uint32_t>{2, 3, 4}));
  EXPECT_CODE(repository->PurgeOld(1, false), "STORE_REFUSED");
  EXPECT_EQ(Ids(*repository), (std::set<uint32_t>{2, 4}));
  std::vector<GarbageFile> garbage;
  ASSERT_GOOD(repository->ListGarbage(&garbage));
  EXPECT_TRUE(garbage.empty());
  store_->locks = nullptr;
  EXPECT_GOOD(repository->PurgeOld(1, false));
  EXPECT_EQ(Ids(*repository), std::set<uint32_t>{4});
}

TEST_F(ObjectLock, LockedFilesWithoutABackupAreToldAndAreNoFailure) {
  for (const bool names_refused : {true, false}) {
    store_->SetContents({});
    store_->names_refused = names_refused;
    store_->locks = nullptr;
    const auto repository = Open();
    MakeBackups(*repository, {2, 1});
    std::set<std::string> locked;
    for (const char* const name : {"000101", "000103", "000105"}) {
      for (const char* const end : {"_s1AB_3.sst", "_s1AB_2.sst"}) {  // one of two is locked
        store_->PutDirectly(std::string("shared_checksum/") + name + end, end[6] == '3' ? "abc" : "ab");
      }
      locked.insert(std::string("shared_checksum/") + name + "_s1AB_3.sst");
    }
    store_->locks = [](const std::string& key) { return key.ends_with("_3.sst"); };
    for (int round = 0; round < 2; ++round) {
      std::vector<std::string> refused;
      ASSERT_GOOD(repository->CollectGarbage(false, &refused));
      EXPECT_EQ(std::set<std::string>(refused.begin(), refused.end()), locked);
      std::vector<GarbageFile> garbage;
      ASSERT_GOOD(repository->ListGarbage(&garbage));
      EXPECT_EQ(garbage.size(), locked.size()) << "the others are gone";
    }
    EXPECT_GOOD(repository->Delete(1, false));
    EXPECT_EQ(Ids(*repository), std::set<uint32_t>{2});
    store_->locks = nullptr;
    std::vector<std::string> refused;
    EXPECT_GOOD(repository->CollectGarbage(false, &refused));
    EXPECT_TRUE(refused.empty());
    CloseRepositories();
  }
}

// A create that was killed has left locked files. The next one writes them again.
TEST_F(ObjectLock, WhatAKilledCreateLeftDoesNotHinderTheNext) {
  const auto repository = Open();
  MakeBackups(*repository, {2});
  Fill(20, 1000, "new");
  const auto before = store_->Contents();
  ASSERT_GOOD(Create(*repository));
  store_->DeleteDirectly("meta/2");
  store_->DeleteDirectly("private/2/rocksdb-backup.files");
  ASSERT_GT(store_->Contents().size(), before.size());
  store_->locks = [](const std::string& key) { return IsFileOfBackup(key); };
  const auto other = Open();
  BackupDescription created;
  ASSERT_GOOD(Create(*other, &created));
  EXPECT_EQ(created.id, 2U);
  EXPECT_EQ(Ids(*other), (std::set<uint32_t>{1, 2}));
}

}  // namespace
}  // namespace rocksdb_backup::test
