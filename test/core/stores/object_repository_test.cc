// Repositories in an object store, through the whole engine.

#include "backup_fixture.h"
#include "core/base/named_root.h"
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
  std::mutex parts_mutex_;
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

// Some stores want all parts of an object but the last to have one size (Cloudflare R2).
TEST_F(ObjectRepository, AllPartsOfAFileHaveOneSizeAlsoIfItIsTooLargeForTheUsualOne) {
  store_->max_parts = 3;
  std::map<std::string, std::vector<size_t>> parts;
  store_->SetHook([&](const StoreRequest& request) {
    if (request.kind == StoreRequest::Kind::kPart) {
      const std::lock_guard lock(parts_mutex_);
      parts[request.key].push_back(request.data().size());
    }
    return MemoryObjectStore::Verdict();
  });
  const auto repository = OpenRepository(OnStore());
  Fill(40, 1 << 20, "large");
  auto request = Request();
  for (const bool full : {false, true}) {
    request.full = full;
    BackupDescription created;
    ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
  }
  const auto copies = std::make_shared<MemoryObjectStore>("memory://copies");
  copies->max_parts = 4;
  BackupRepository::Options options;
  options.settings.storage = std::make_shared<ObjectStorage>(copies, times_);
  std::vector<CopiedBackup> copied;
  ASSERT_GOOD(OpenRepository(std::move(options))->CopyFrom(*repository, {}, NewOperation(), &copied));
  ASSERT_EQ(copied.size(), 2U);
  EXPECT_TRUE(copied[0].error.ok() && copied[1].error.ok());
  int tables = 0;
  for (const auto& [key, sizes] : parts) {
    tables += key.ends_with(".sst") ? 1 : 0;
    ASSERT_LE(sizes.size(), 3U) << key;
    for (size_t i = 0; i + 1 < sizes.size(); ++i) {
      EXPECT_EQ(sizes[i], sizes[0]) << key;
    }
    EXPECT_LE(sizes.back(), sizes[0]) << key;
    EXPECT_EQ(sizes[0], 14U << 20) << key;
  }
  EXPECT_EQ(tables, 2);
  EXPECT_GOOD(repository->Verify(1, true, NewOperation()));
}

TEST_F(ObjectRepository, AFileThatIsLargerThanItWasSaidToBeIsAnError) {
  store_->max_parts = 3;
  const auto files = ObjectStorage(store_, times_).ForOperation(NewOperation())->files();
  std::unique_ptr<rocksdb::FSWritableFile> file;
  ASSERT_TRUE(files->NewWritableFile(std::string(kStoreRoot) + "/private/1/000004.sst", {}, &file, nullptr).ok());
  const std::string piece(kPartBytes, 'x');
  rocksdb::IOStatus status;
  for (int i = 0; i < 4 && status.ok(); ++i) {
    status = file->Append(piece, rocksdb::IOOptions(), nullptr);
  }
  EXPECT_FALSE((status.ok() ? file->Close(rocksdb::IOOptions(), nullptr) : status).ok());
  EXPECT_NE(file->Close(rocksdb::IOOptions(), nullptr).ToString().find("at most 3 parts"), std::string::npos);
  EXPECT_EQ(store_->uploads(), 0U);
  EXPECT_TRUE(store_->Contents().empty());
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

TEST_F(ObjectRepository, AStrangersObjectBelowAMetaFilesNameIsADirectoryAsOnADisk) {
  ASSERT_GOOD(Create(*OpenRepository(OnStore())));
  store_->PutDirectly("meta/7/x", "a stranger's");
  const auto repository = OpenRepository(OnStore());
  std::vector<BackupDescription> backups;
  ASSERT_GOOD(repository->List(true, &backups));
  EXPECT_EQ(backups.size(), 1U);
  EXPECT_GOOD(repository->Verify(1, true, NewOperation()));
  const Error damaged = repository->Verify(7, false, NewOperation());
  EXPECT_CODE(damaged, "BACKUP_CORRUPT");
  EXPECT_NE(ForUsers(damaged.message()).find(store_->name() + "/meta/7 is a directory"), std::string::npos)
      << damaged.message();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(created.id, 8U);
  EXPECT_CODE(repository->Delete(1, false), "BACKUP_CORRUPT");
  EXPECT_CODE(repository->Delete(7, true), "ROCKSDB_CORRUPTION");
  EXPECT_GOOD(repository->Delete(1, true));
  EXPECT_TRUE(store_->Contents().contains("meta/7/x"));
}

TEST_F(ObjectRepository, ARepositoryBelowAnotherOneIsNeitherReadNorDeletedByIt) {
  for (const char* const place : {"meta", "meta/1", "meta/5", "private", "private/1", "private/7", "shared",
                                  "shared_checksum", "shared_checksum/x", "elsewhere"}) {
    SCOPED_TRACE(place);
    store_->SetContents({});
    {
      const auto repository = OpenRepository(OnStore());
      for (int i = 0; i < 3; ++i) {
        Fill(10, 100, "key" + std::to_string(i));
        ASSERT_GOOD(Create(*repository));
      }
      CloseRepositories();
    }
    std::map<std::string, std::string> nested;
    for (const auto& [key, bytes] : store_->Contents()) {
      nested[std::string(place) + "/" + key] = bytes;
    }
    for (const char* const more : {"rocksdb-backup.state.json", "rocksdb-backup.leases/writer", "private/9/garbage",
                                   "wal/0000000000000001/id"}) {
      nested[std::string(place) + "/" + more] = "theirs";
    }
    for (const auto& [key, bytes] : nested) {
      store_->PutDirectly(key, bytes);
    }
    const auto repository = OpenRepository(OnStore());
    std::vector<BackupDescription> backups;
    ASSERT_GOOD(repository->List(true, &backups));
    EXPECT_EQ(backups.size(), 3U);
    for (uint32_t id = 1; id <= 3; ++id) {
      EXPECT_GOOD(repository->Verify(id, true, NewOperation()));
    }
    EXPECT_GOOD(repository->CollectGarbage(false));
    EXPECT_GOOD(repository->Delete(1, false));
    EXPECT_GOOD(repository->PurgeOld(1, false));
    ASSERT_GOOD(Create(*repository));
    EXPECT_GOOD(OpenRepository(OnStore())->Verify(4, true, NewOperation()));
    const auto left = store_->Contents();
    for (const auto& [key, bytes] : nested) {
      ASSERT_TRUE(left.contains(key)) << key;
      EXPECT_EQ(left.at(key), bytes) << key;
    }
    CloseRepositories();
  }
}

TEST_F(ObjectRepository, MessagesNameObjectsByTheUrlOfTheStore) {
  int named = 0;
  ASSERT_GOOD(Create(*OpenRepository(OnStore())));
  const auto whole = store_->Contents();
  for (const auto& [damaged, bytes] : whole) {
    if (damaged.starts_with("rocksdb-backup.") || bytes.empty()) {
      continue;
    }
    const std::string flipped = std::string(1, static_cast<char>(bytes[0] ^ 1)) + bytes.substr(1);
    for (const std::string& now : {std::string(), bytes + "x", flipped, std::string("missing")}) {
      SCOPED_TRACE(damaged + ": " + now.substr(0, 10));
      store_->SetContents(whole);
      store_->PutDirectly(damaged, now);
      if (now == "missing") {
        store_->DeleteDirectly(damaged);
      }
      const auto repository = OpenRepository(OnStore());
      RestoreResult restored;
      BackupDescription created;
      for (const Error& error :
           {repository->Verify(1, false, NewOperation()), repository->Verify(1, true, NewOperation()),
            repository->Restore(RestoreTo(1, path("restored"), true), NewOperation(), &restored),
            repository->Delete(1, false), Create(*repository, &created)}) {
        const std::string message = ForUsers(error.message());
        EXPECT_EQ(message.find(kStoreRoot), std::string::npos) << message;
        EXPECT_EQ(message.find("//bucket/backups//"), std::string::npos) << message;
        named += message.find(store_->name() + "/" + damaged) == std::string::npos ? 0 : 1;
        for (const auto& file : error.damaged_files()) {
          EXPECT_EQ(file.find(kStoreRoot), std::string::npos) << file;
        }
      }
      CloseRepositories();
    }
  }
  EXPECT_GT(named, 40);
}

}  // namespace
}  // namespace rocksdb_backup::test
