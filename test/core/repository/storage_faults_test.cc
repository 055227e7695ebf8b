// A storage with the faults of network storages: it fails, hangs, loses answers, lists files late and loses locks.

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backup_fixture.h"
#include "memory_storage.h"

namespace rocksdb_backup::test {
namespace {

using Kind = FaultFileSystem::Kind;

// One operation waits here until the test opens the gate.
class Gate {
 public:
  void Wait() {
    std::unique_lock lock(mutex_);
    waits_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void AwaitSomebody() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waits_; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool waits_ = false;
  bool open_ = false;
};

class StorageFaultsTest : public BackupTest {
 protected:
  void SetUp() override {
    BackupTest::SetUp();
    storage_ = std::make_shared<MemoryStorage>();
    repository_ = Open();
    Fill(5, 1000, "a");
    ASSERT_GOOD(Create(*repository_));
    contents_ = ContentsOf(db_.get());
    Fill(5, 1000, "b");
  }

  std::shared_ptr<BackupRepository> Open() {
    BackupRepository::Options options;
    options.settings.storage = storage_;
    return OpenRepository(std::move(options));
  }

  void ExpectWhole(const std::vector<uint32_t>& ids) {
    EXPECT_EQ(Ids(*repository_), ids);
    EXPECT_TRUE(CorruptIds(*repository_).empty());
    for (const uint32_t id : ids) {
      EXPECT_GOOD(Verify(*repository_, id));
    }
    EXPECT_EQ(Restored(*repository_, 1), contents_);
  }

  std::shared_ptr<MemoryStorage> storage_;
  std::shared_ptr<BackupRepository> repository_;
  std::map<std::string, std::string> contents_;
};

TEST_F(StorageFaultsTest, MessagesContainItsNameAndNotItsPath) {
  for (const Error& error : {Verify(*repository_, 7), repository_->Delete(7, false)}) {
    EXPECT_CODE(error, "BACKUP_NOT_FOUND");
    EXPECT_NE(error.message().find("memory://backups"), std::string::npos) << error.message();
  }
}

TEST_F(StorageFaultsTest, WithoutItsLockNothingIsDone) {
  storage_->SetFault([](const std::string& what) {
    return what == "lock" ? Error("ROCKSDB_IO_ERROR", "memory://backups does not answer") : Error();
  });
  BackupDescription ignored;
  for (const Error& error : {Create(*repository_, &ignored), repository_->Delete(1, true),
                             repository_->PurgeOld(0, true), repository_->CollectGarbage(true), Verify(*repository_, 1),
                             Restore(*repository_, RestoreTo(1, path("target")))}) {
    EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
    EXPECT_NE(error.message().find("does not answer"), std::string::npos) << error.message();
  }
  storage_->SetFault({});
  EXPECT_FALSE(std::filesystem::exists(path("target")));
  ExpectWhole({1});
}

// An operation is done but reports a failure. Then every listed backup is whole, and the next backup works.
TEST_F(StorageFaultsTest, ALostAnswerLosesNoBackup) {
  int lost = 0;
  for (const Kind kind : {Kind::kRename, Kind::kClose, Kind::kDelete, Kind::kMakeDir}) {
    for (int nth = 1; nth < 30; ++nth) {
      SCOPED_TRACE(std::to_string(kind) + " " + std::to_string(nth));
      std::atomic<int> left{nth};
      storage_->faults().SetAnswer([&](Kind done, const std::string& path) {
        return done == kind && --left == 0 ? rocksdb::IOStatus::IOError(path, "no answer") : rocksdb::IOStatus::OK();
      });
      BackupDescription created;
      const Error error = Create(*repository_, &created);
      const Error deleted = error.ok() ? repository_->Delete(created.id, false) : Error();
      storage_->faults().Heal();
      if (left > 0) {
        break;
      }
      ++lost;
      for (const uint32_t id : Ids(*repository_)) {
        EXPECT_GOOD(Verify(*repository_, id));
      }
      EXPECT_TRUE(CorruptIds(*repository_).empty());
      ASSERT_GOOD(Create(*repository_, &created));
      EXPECT_GOOD(Verify(*repository_, created.id));
      std::vector<uint32_t> others = Ids(*repository_);
      others.erase(others.begin());
      ASSERT_GOOD(repository_->Delete(others, false));
      EXPECT_EQ(Ids(*repository_), std::vector<uint32_t>{1});
    }
  }
  EXPECT_GT(lost, 15);
  ExpectWhole({1});
}

TEST_F(StorageFaultsTest, ABackupThatIsListedLateIsNotReplaced) {
  ASSERT_GOOD(Create(*repository_));
  storage_->faults().HideFromListings(storage_->root() + "/meta/2");
  BackupDescription created;
  EXPECT_CODE(Create(*repository_, &created), "STORAGE_INCONSISTENT");
  storage_->faults().Heal();
  ExpectWhole({1, 2});
  ASSERT_GOOD(Create(*repository_, &created));
  EXPECT_EQ(created.id, 3U);
}

// The lock is lost in the middle of a copy, and another process makes a backup at once.
TEST_F(StorageFaultsTest, AWriterThatLostTheLockDoesNotChangeTheBackupOfAnother) {
  auto other = Open();
  std::atomic<bool> done{false};
  Error theirs;
  storage_->faults().SetHook([&](Kind kind, const std::string&) {
    if (kind == Kind::kAppend && !done.exchange(true)) {
      storage_->LoseLocks();
      BackupDescription ignored;
      theirs = Create(*other, &ignored);
    }
    return rocksdb::IOStatus::OK();
  });
  BackupDescription created;
  EXPECT_CODE(Create(*repository_, &created), "LOCK_LOST");
  storage_->faults().Heal();
  EXPECT_GOOD(theirs);
  ExpectWhole({1, 2});
  EXPECT_EQ(Restored(*repository_, 2), ContentsOf(db_.get()));
}

TEST_F(StorageFaultsTest, AHangingStorageDelaysNoOtherOperationAndAStopEndsTheOperationAfterIt) {
  Gate gate;
  std::atomic<bool> first{true};
  storage_->faults().SetHook([&](Kind kind, const std::string&) {
    if (kind == Kind::kAppend && first.exchange(false)) {
      gate.Wait();
    }
    return rocksdb::IOStatus::OK();
  });
  const auto operation = NewOperation();
  auto create = std::async(std::launch::async, [&] {
    const BackupRepository::Tracked tracked(repository_, BackupRepository::Kind::kCreate, operation);
    BackupDescription ignored;
    return repository_->Create(Request(), operation, &ignored);
  });
  gate.AwaitSomebody();
  EXPECT_EQ(Ids(*repository_), std::vector<uint32_t>{1});
  EXPECT_GOOD(Verify(*repository_, 1));
  BackupDescription ignored;
  EXPECT_CODE(Create(*Open(), &ignored), "BACKUP_LOCKED");
  EXPECT_TRUE(repository_->StopBackup());
  gate.Open();
  EXPECT_CODE(create.get(), "BACKUP_STOPPED");
  storage_->faults().Heal();
  ExpectWhole({1});
}

TEST_F(StorageFaultsTest, ABackupThatIsRestoredIsNotDeletedMeanwhile) {
  Gate gate;
  std::atomic<bool> first{true};
  storage_->faults().SetHook([&](Kind kind, const std::string& file) {
    if (kind == Kind::kRead && file.ends_with(".sst") && first.exchange(false)) {
      gate.Wait();
    }
    return rocksdb::IOStatus::OK();
  });
  auto restore = std::async(std::launch::async, [&] { return Restore(*repository_, RestoreTo(1, path("target"))); });
  gate.AwaitSomebody();
  EXPECT_CODE(Open()->Delete(1, true), "BACKUP_IN_USE");
  gate.Open();
  EXPECT_GOOD(restore.get());
  EXPECT_EQ(ContentsOf(path("target")), contents_);
}

TEST_F(StorageFaultsTest, TheFreeSpaceOfTheStorageCounts) {
  storage_->free_space = 10;
  BackupDescription ignored;
  const Error error = Create(*repository_, &ignored);
  EXPECT_CODE(error, "NO_SPACE");
  EXPECT_NE(error.message().find("memory://backups"), std::string::npos) << error.message();
  storage_->free_space.reset();
  EXPECT_GOOD(Create(*repository_));
}

TEST_F(StorageFaultsTest, FilesOfNoBackupAreListedAsGarbage) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const std::string stray = storage_->root() + "/shared_checksum/000099_s123_5.sst";
  ASSERT_TRUE(storage_->files()->NewWritableFile(stray, rocksdb::FileOptions(), &file, nullptr).ok());
  ASSERT_TRUE(file->Append("12345", {}, nullptr).ok());
  ASSERT_TRUE(file->Close({}, nullptr).ok());
  std::vector<GarbageFile> garbage;
  ASSERT_GOOD(repository_->ListGarbage(&garbage));
  ASSERT_EQ(garbage.size(), 1U);
  EXPECT_EQ(garbage[0].name, "shared_checksum/000099_s123_5.sst");
  EXPECT_EQ(garbage[0].size, 5U);
  ASSERT_GOOD(repository_->CollectGarbage(false));
  ASSERT_GOOD(repository_->ListGarbage(&garbage));
  EXPECT_TRUE(garbage.empty());
  ExpectWhole({1});
}

}  // namespace
}  // namespace rocksdb_backup::test
