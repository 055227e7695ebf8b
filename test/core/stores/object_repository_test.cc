// Repositories in an object store, through the whole engine.

#include "backup_fixture.h"
#include "core/stores/object_storage.h"
#include "core/stores/store_layout.h"
#include "memory_object_store.h"

namespace rocksdb_backup::test {
namespace {

class ObjectRepository : public BackupTest {
 protected:
  BackupRepository::Options OnStore() const {
    BackupRepository::Options options;
    options.settings.storage = std::make_shared<ObjectStorage>(store_, times_);
    return options;
  }

  const std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>();
  const LeaseTimes times_{.lifetime = std::chrono::milliseconds(3000), .renewal = std::chrono::milliseconds(1000)};
};

TEST_F(ObjectRepository, BackupsAreMadeListedVerifiedRestoredAndDeleted) {
  store_->page_size = 5;
  const auto repository = OpenRepository(OnStore());
  for (int i = 1; i <= 3; ++i) {
    Fill(100, 1000, "round" + std::to_string(i) + "-");
    Put(1, 20, "logged");
    BackupDescription created;
    ASSERT_GOOD(Create(*repository, &created));
    EXPECT_EQ(created.id, static_cast<uint32_t>(i));
  }
  const auto other = OpenRepository(OnStore());
  std::vector<BackupDescription> backups;
  ASSERT_GOOD(other->List(true, &backups));
  ASSERT_EQ(backups.size(), 3U);
  EXPECT_GT(backups[2].number_files, 3U);
  for (const bool checksum : {false, true}) {
    EXPECT_GOOD(other->Verify(2, checksum, NewOperation()));
  }
  RestoreResult restored;
  ASSERT_GOOD(other->Restore(RestoreTo(2, path("restored")), NewOperation(), &restored));
  EXPECT_GOOD(other->Delete(1, false));
  EXPECT_GOOD(other->Verify(2, true, NewOperation()));
  EXPECT_GOOD(other->Verify(3, true, NewOperation()));
  ASSERT_GOOD(other->PurgeOld(1, false));
  EXPECT_GOOD(other->Verify(3, true, NewOperation()));
  ASSERT_GOOD(repository->Delete(3, false));
  std::set<std::string> left;
  for (const auto& [key, bytes] : store_->Contents()) {
    left.insert(key);
  }
  EXPECT_EQ(left, std::set<std::string>{kRepositoryMark});
}

// Such as the same bucket name at two endpoints. Their etags may be the same, too: a store may number its objects.
TEST_F(ObjectRepository, TwoStoresWithOneNameAreNotTakenForOne) {
  for (const char* const metadata : {"first", "other"}) {
    const auto store = std::make_shared<MemoryObjectStore>("memory://same");
    store->counts_for_itself = true;
    BackupRepository::Options options;
    options.settings.storage = std::make_shared<ObjectStorage>(store, times_);
    const auto repository = OpenRepository(std::move(options));
    auto request = Request();
    request.app_metadata = metadata;
    BackupDescription created;
    ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
    BackupDescription described;
    ASSERT_GOOD(repository->Describe(1, false, &described));
    EXPECT_EQ(described.app_metadata, metadata);
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
