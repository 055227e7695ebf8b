// Backups in an object store that are opened in place, and what they cost.

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backup_fixture.h"
#include "core/database/database.h"
#include "core/stores/object_random_file.h"
#include "memory_object_store.h"

namespace rocksdb_backup::test {
namespace {

using Kind = StoreRequest::Kind;
constexpr uint64_t kBlockBytes = ObjectBlocks::kBlockBytes;

class OpenInPlace : public BackupTest {
 protected:
  std::shared_ptr<BackupRepository> OpenStore() {
    BackupRepository::Options options;
    options.settings.storage = std::make_shared<ObjectStorage>(store_);
    return OpenRepository(std::move(options));
  }

  std::optional<DiskCache::Options> OnDisk() const { return DiskCache::Options{path("cache"), uint64_t{64} << 20}; }

  std::shared_ptr<Database> Open(BackupRepository& repository, uint32_t id,
                                 const std::optional<DiskCache::Options>& cache = std::nullopt) {
    OpenedBackup opened;
    std::shared_ptr<Database> database;
    EXPECT_GOOD(repository.OpenBackup(id, &opened, cache));
    EXPECT_GOOD(Database::OpenThrough(opened.env->GetFileSystem(), opened.keep_alive, opened.path,
                                      Database::ToReadBackup(opened.open_tables), &database));
    if (database != nullptr) {
      database->SetDiskCache(opened.disk_cache);
      EXPECT_TRUE(database->AddHandle());
    }
    return database;
  }
  static void Close(std::shared_ptr<Database> database) {
    database->RemoveHandle({});
    database->WaitIfClosing();
  }

  static std::string Get(Database& database, const std::string& key) {
    std::string value;
    const rocksdb::Status status = database.db()->Get(rocksdb::ReadOptions(), key, &value);
    return status.ok() ? value : status.ToString();
  }
  // Everything that is in it.
  static std::map<std::string, std::string> Scan(Database& database) {
    std::map<std::string, std::string> all;
    const std::unique_ptr<rocksdb::Iterator> entry(database.db()->NewIterator(rocksdb::ReadOptions()));
    for (entry->SeekToFirst(); entry->Valid(); entry->Next()) {
      all[entry->key().ToString()] = entry->value().ToString();
    }
    EXPECT_TRUE(entry->status().ok()) << entry->status().ToString();
    return all;
  }
  std::map<std::string, std::string> ScanSource() {
    std::map<std::string, std::string> all;
    const std::unique_ptr<rocksdb::Iterator> entry(db_->NewIterator(rocksdb::ReadOptions()));
    for (entry->SeekToFirst(); entry->Valid(); entry->Next()) {
      all[entry->key().ToString()] = entry->value().ToString();
    }
    return all;
  }

  // Tables that do not overlap, and a log.
  void FillTables(int tables) {
    for (int i = 0; i < tables; ++i) {
      Fill(20, 1000, "table" + std::to_string(100 + i) + "-");
    }
    Put(5, 100, "logged");
  }

  const std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>();
};

// The keys that are read, in order.
class ReadKeys {
 public:
  explicit ReadKeys(MemoryObjectStore& store) : store_(store) {
    store_.SetHook([this](const StoreRequest& request) -> MemoryObjectStore::Verdict {
      if (request.kind == Kind::kGet) {
        const std::lock_guard lock(mutex_);
        keys_.push_back(request.key);
      }
      return {};
    });
  }
  ~ReadKeys() { store_.SetHook(nullptr); }
  ReadKeys(const ReadKeys&) = delete;
  ReadKeys& operator=(const ReadKeys&) = delete;

  std::vector<std::string> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(keys_, {});
  }
  std::vector<std::string> TakeTables() {
    std::vector<std::string> tables = Take();
    std::erase_if(tables, [](const std::string& key) { return !key.ends_with(".sst"); });
    return tables;
  }

 private:
  MemoryObjectStore& store_;
  std::mutex mutex_;
  std::vector<std::string> keys_;
};

TEST_F(OpenInPlace, OpensFewTablesAndReadsEachSmallFileOnce) {
  FillTables(60);
  auto repository = OpenStore();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  ReadKeys reads(*store_);
  auto database = Open(*repository, 1);
  std::vector<std::string> keys = reads.Take();
  const auto tables = std::count_if(keys.begin(), keys.end(), [](const auto& key) { return key.ends_with(".sst"); });
  EXPECT_LE(tables, 2) << testing::PrintToString(keys);
  const std::set<std::string> different(keys.begin(), keys.end());
  for (const std::string& key : different) {
    // The operation that looks for the backup reads its meta file and its record, and so does the one that opens it.
    const bool of_the_look =
        key.starts_with("meta/") || key.ends_with(".files") || key.find("leases") != std::string::npos;
    EXPECT_TRUE(of_the_look || std::count(keys.begin(), keys.end(), key) == 1) << testing::PrintToString(keys);
  }
  EXPECT_NE(Get(*database, "table130-7").size(), 0U);
  EXPECT_LE(reads.TakeTables().size(), 1U);
  // More tables than were kept open while the database was opened: each is opened once.
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 60; ++i) {
      EXPECT_EQ(Get(*database, "table" + std::to_string(100 + i) + "-0").size(), 1000U);
    }
    EXPECT_LE(reads.TakeTables().size(), round == 0 ? 59U : 0U);
  }
  EXPECT_EQ(Scan(*database), ScanSource());
  Close(std::move(database));
}

TEST_F(OpenInPlace, ASecondProcessReadsFromTheDiskWhatTheFirstHasRead) {
  FillTables(20);
  auto repository = OpenStore();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  ReadKeys reads(*store_);
  const std::map<std::string, std::string> all = ScanSource();
  auto first = Open(*repository, 1, OnDisk());
  EXPECT_EQ(Scan(*first), all);
  EXPECT_EQ(reads.TakeTables().size(), 20U);
  Close(std::move(first));
  auto second = Open(*repository, 1, OnDisk());
  EXPECT_EQ(Scan(*second), all);
  for (const std::string& key : reads.Take()) {
    EXPECT_TRUE(key.starts_with("meta/") || key.ends_with("rocksdb-backup.files") || key.starts_with(kLeases)) << key;
  }
  EXPECT_GT(second->disk_cache()->statistics().hits, 20U);
  Close(std::move(second));
}

TEST_F(OpenInPlace, AnObjectThatWasReplacedIsNotReadFromTheDisk) {
  Fill(10, 1000, "one");
  auto repository = OpenStore();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  auto first = Open(*repository, 1, OnDisk());
  const auto old = Scan(*first);
  Close(std::move(first));
  CloseRepositories();
  // The same keys with other objects: another backup 1.
  const auto before = store_->Contents();
  store_->SetContents({});
  Fill(10, 1000, "two");
  repository = OpenStore();
  ASSERT_GOOD(Create(*repository, &created));
  auto second = Open(*repository, created.id, OnDisk());
  EXPECT_EQ(Scan(*second), ScanSource());
  EXPECT_NE(Scan(*second), old);
  Close(std::move(second));
}

TEST_F(OpenInPlace, DamageOnTheDiskIsReadAnewFromTheStore) {
  FillTables(5);
  auto repository = OpenStore();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  auto first = Open(*repository, 1, OnDisk());
  const auto all = Scan(*first);
  Close(std::move(first));
  const std::set<std::string> names = NamesIn(path("cache"));
  ASSERT_GT(names.size(), 5U);
  for (const std::string& name : names) {
    std::string text = ReadFile(path("cache/" + name));
    text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 0x10);
    WriteFile(path("cache/" + name), text);
  }
  for (const size_t damaged : {names.size(), size_t{0}}) {
    auto again = Open(*repository, 1, OnDisk());
    EXPECT_EQ(Scan(*again), all);
    EXPECT_EQ(again->disk_cache()->statistics().damaged, damaged);
    Close(std::move(again));
  }
}

TEST_F(OpenInPlace, ACacheThatCannotBeUsedFailsNothing) {
  FillTables(5);
  auto repository = OpenStore();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  WriteFile(path("cache"), "a file");
  auto database = Open(*repository, 1, OnDisk());
  EXPECT_EQ(Scan(*database), ScanSource());
  EXPECT_NE(database->disk_cache()->statistics().problem, "");
  Close(std::move(database));
}

TEST_F(OpenInPlace, AStoreThatHasNoLastingIdentityIsNotKeptOnADisk) {
  store_->lasting = "";
  Fill(10, 1000, "one");
  auto repository = OpenStore();
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  OpenedBackup opened;
  EXPECT_CODE(repository->OpenBackup(1, &opened, OnDisk()), "INVALID_OPTION");
  EXPECT_GOOD(repository->OpenBackup(1, &opened));
}

// The same name, the same keys and the same etags.
TEST_F(OpenInPlace, StoresOfDifferentIdentityShareADirectoryAndNoBlock) {
  std::vector<std::shared_ptr<MemoryObjectStore>> stores;
  for (const char* const place : {"here", "there"}) {
    const auto store = std::make_shared<MemoryObjectStore>();
    store->lasting = place;
    store->counts_for_itself = true;
    store->PutDirectly("key", std::string(2 * kBlockBytes, place[0]));
    stores.push_back(store);
  }
  const auto cache = std::make_shared<DiskCache>(*OnDisk());
  for (const auto& store : stores) {
    ObjectBlocks blocks(store, cache);
    EXPECT_EQ(blocks.Find({"key", "\"1\"", 2 * kBlockBytes}, 0), nullptr);
    blocks.Keep({"key", "\"1\"", 2 * kBlockBytes}, 0, std::string(kBlockBytes, store->lasting[0]));
  }
  for (const auto& store : stores) {
    ObjectBlocks blocks(store, cache);
    const auto block = blocks.Find({"key", "\"1\"", 2 * kBlockBytes}, 0);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(*block, std::string(kBlockBytes, store->lasting[0]));
    EXPECT_EQ(blocks.Find({"key", "\"2\"", 2 * kBlockBytes}, 0), nullptr);
    EXPECT_EQ(blocks.Find({"key", "\"1\"", 2 * kBlockBytes - 1}, 0), nullptr);
    EXPECT_EQ(blocks.Find({"key", "\"1\"", 2 * kBlockBytes}, 1), nullptr);
    EXPECT_EQ(blocks.Find({"key", "", 2 * kBlockBytes}, 0), nullptr);
    blocks.Keep({"other", "", 2 * kBlockBytes}, 0, std::string(kBlockBytes, 'x'));
    EXPECT_EQ(ObjectBlocks(store, cache).Find({"other", "", 2 * kBlockBytes}, 0), nullptr);
  }
}

class ObjectRandomFile : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    for (size_t i = 0; text_.size() < kSize; ++i) {
      text_ += std::to_string(i * 7919) + " ";
    }
    text_.resize(kSize);
    store_->PutDirectly("key", text_);
    store_->SetHook([this](const StoreRequest& request) -> MemoryObjectStore::Verdict {
      if (request.kind == Kind::kGet) {
        const std::lock_guard lock(mutex_);
        asked_.emplace_back(request.offset, request.length);
      }
      return {};
    });
  }
  using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;
  Ranges Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(asked_, {});
  }
  std::unique_ptr<ObjectRandomAccessFile> NewFile(std::shared_ptr<DiskCache> disk = nullptr) {
    StoreClient client(store_, nullptr, nullptr);
    std::string etag;
    client.List(Kind::kList, "", [&](const StoredObject& object) {
      etag = object.etag;
      return true;
    });
    return std::make_unique<ObjectRandomAccessFile>(std::make_shared<StoreClient>(store_, nullptr, nullptr),
                                                    std::make_shared<ObjectBlocks>(store_, std::move(disk)),
                                                    ListedObject{"key", etag, kSize}, [this] { changed_ = true; });
  }
  std::string Read(rocksdb::FSRandomAccessFile& file, uint64_t offset, size_t length) {
    std::string scratch(length, '\0');
    rocksdb::Slice read;
    const rocksdb::IOStatus status = file.Read(offset, length, {}, &read, scratch.data(), nullptr);
    return status.ok() ? read.ToString() : status.ToString();
  }

  static constexpr uint64_t kSize = 20 * kBlockBytes + 1234;
  const std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>();
  std::string text_;
  std::atomic<bool> changed_{false};
  std::mutex mutex_;
  Ranges asked_;
};

TEST_F(ObjectRandomFile, ReadsWhateverIsAskedFor) {
  const auto file = NewFile();
  uint64_t seed = 7;
  for (int i = 0; i < 300; ++i) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    const uint64_t offset = (seed >> 33) % (kSize + 10);
    const size_t length = (seed >> 20) % (i % 3 == 0 ? 3 * kBlockBytes : 5000);
    ASSERT_EQ(Read(*file, offset, length), offset >= kSize ? "" : text_.substr(offset, length)) << offset;
  }
  EXPECT_EQ(Read(*file, 0, 2 * kSize), text_);
  EXPECT_LE(Take().size(), 21U) << "no block is asked for twice";
}

TEST_F(ObjectRandomFile, AsksForWholeBlocksAndOnlyForWhatIsNotThere) {
  const auto file = NewFile();
  Read(*file, 5 * kBlockBytes + 100, 10);
  EXPECT_EQ(Take(), (Ranges{{5 * kBlockBytes, kBlockBytes}}));
  Read(*file, 3 * kBlockBytes + 100, 3 * kBlockBytes);
  EXPECT_EQ(Take(), (Ranges{{3 * kBlockBytes, 2 * kBlockBytes}, {6 * kBlockBytes, kBlockBytes}}));
  Read(*file, kSize - 48, 48);
  EXPECT_EQ(Take(), (Ranges{{20 * kBlockBytes, 1234}}));
}

TEST_F(ObjectRandomFile, WhatIsReadInOrderIsReadAhead) {
  const auto file = NewFile();
  for (uint64_t at = 0; at < kSize; at += 4096) {
    ASSERT_EQ(Read(*file, at, 4096), text_.substr(at, 4096));
  }
  EXPECT_EQ(Take(), (Ranges{{0, kBlockBytes},
                            {kBlockBytes, 2 * kBlockBytes},
                            {3 * kBlockBytes, 3 * kBlockBytes},
                            {6 * kBlockBytes, 5 * kBlockBytes},
                            {11 * kBlockBytes, 9 * kBlockBytes},
                            {20 * kBlockBytes, 1234}}));
}

TEST_F(ObjectRandomFile, ThreadsThatNeedOneBlockSendOneRequest) {
  for (int round = 0; round < 20; ++round) {
    const auto file = NewFile();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] { EXPECT_EQ(Read(*file, 1000U * i, 10), text_.substr(1000U * i, 10)); });
    }
    for (auto& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(Take().size(), 1U);
  }
}

TEST_F(ObjectRandomFile, MemoryHasABoundAndTheDiskHasTheRest) {
  const std::string text(ObjectBlocks::kMostInMemory + 10 * kBlockBytes, 'x');
  ObjectBlocks blocks(store_, std::make_shared<DiskCache>(DiskCache::Options{path("cache"), uint64_t{256} << 20}));
  ObjectBlocks without(store_, nullptr);
  const ListedObject object{"key", "etag", text.size()};
  const uint64_t number = text.size() / kBlockBytes;
  for (uint64_t i = 0; i < number; ++i) {
    blocks.Keep(object, i, text.substr(0, kBlockBytes));
    without.Keep(object, i, text.substr(0, kBlockBytes));
  }
  uint64_t there = 0;
  for (uint64_t i = 0; i < number; ++i) {
    there += without.Has(object, i) ? 1 : 0;
    EXPECT_NE(blocks.Find(object, i), nullptr);
  }
  EXPECT_EQ(there, ObjectBlocks::kMostInMemory / kBlockBytes);
}

TEST_F(ObjectRandomFile, AnObjectThatHasChangedIsAnError) {
  const auto file = NewFile();
  EXPECT_EQ(Read(*file, 0, 10), text_.substr(0, 10));
  store_->PutDirectly("key", std::string(kSize, 'y'));
  EXPECT_EQ(Read(*file, 20, 10), text_.substr(20, 10)) << "what was read is still that of the object as it was listed";
  EXPECT_FALSE(changed_);
  EXPECT_NE(Read(*file, kBlockBytes, 10), std::string(10, 'y'));
  EXPECT_TRUE(changed_);
}

TEST_F(ObjectRandomFile, AFailedRequestIsRepeatedByTheNextRead) {
  const auto file = NewFile();
  store_->SetHook(
      [](const StoreRequest&) -> MemoryObjectStore::Verdict { return {.fault = MemoryObjectStore::Fault::kFails}; });
  EXPECT_NE(Read(*file, 0, 10), text_.substr(0, 10));
  store_->SetHook(nullptr);
  EXPECT_EQ(Read(*file, 0, 10), text_.substr(0, 10));
}

TEST_F(ObjectRandomFile, IsReadInOrderThroughTheBlocks) {
  SequentialThroughBlocks file(NewFile(), kSize);
  std::string scratch(kSize, '\0');
  rocksdb::Slice read;
  std::string all;
  for (size_t length = 1;; length *= 3) {
    ASSERT_TRUE(file.Read(length, {}, &read, scratch.data(), nullptr).ok());
    all += read.ToString();
    if (read.size() < length) {
      break;
    }
    ASSERT_TRUE(file.Skip(length).ok());
    all += text_.substr(all.size(), length);
  }
  EXPECT_EQ(all, text_);
  EXPECT_EQ(Take().size(), 1U);
}

}  // namespace
}  // namespace rocksdb_backup::test
