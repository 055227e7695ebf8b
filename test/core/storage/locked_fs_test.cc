#include "core/storage/locked_fs.h"

#include <functional>

#include "backup_fixture.h"
#include "core/storage/directory_lock.h"

namespace rocksdb_backup::test {
namespace {

using rocksdb::FileOptions;
using rocksdb::FileSystem;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class LockedFileSystemTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    ASSERT_GOOD(LocalStorage(root_).LockWriter(&lock_));
    fs_ = std::make_shared<LockedFileSystem>(FileSystem::Default(), *lock_);
    std::filesystem::create_directory(path("empty"));
    WriteFile(path("file"), "there before");
  }

  IOStatus Open(const std::string& name, std::unique_ptr<rocksdb::FSWritableFile>* file) {
    return fs_->NewWritableFile(path(name), FileOptions(), file, nullptr);
  }

  std::unique_ptr<WriterLock> lock_;
  std::shared_ptr<LockedFileSystem> fs_;
};

TEST_F(LockedFileSystemTest, WithTheLockEverythingIsDoneAndOnceItIsLostNothing) {
  const std::vector<std::function<IOStatus()>> changes = {
      [this] {
        std::unique_ptr<rocksdb::FSWritableFile> file;
        return Open("new", &file);
      },
      [this] { return fs_->RenameFile(path("new"), path("renamed"), IOOptions(), nullptr); },
      [this] { return fs_->CreateDir(path("made"), IOOptions(), nullptr); },
      [this] { return fs_->CreateDirIfMissing(path("made too"), IOOptions(), nullptr); },
      [this] { return fs_->DeleteFile(path("file"), IOOptions(), nullptr); },
      [this] { return fs_->DeleteDir(path("empty"), IOOptions(), nullptr); },
  };
  for (const auto& change : changes) {
    EXPECT_TRUE(change().ok());
  }
  EXPECT_GOOD(fs_->lost());
  WriteFile(path("file"), "there again");
  WriteFile(path("new"), "there again");
  for (const char* name : {"renamed", "made", "made too"}) {
    std::filesystem::remove(path(name));
  }
  std::filesystem::create_directory(path("empty"));
  std::filesystem::rename(path(kLockFileName), path("elsewhere"));
  for (const bool back : {false, true}) {
    const auto before = FilesBelow(root_);
    for (const auto& change : changes) {
      EXPECT_TRUE(change().IsIOFenced());
    }
    EXPECT_EQ(FilesBelow(root_), before);
    EXPECT_EQ(ReadFile(path("new")), "there again");
    EXPECT_CODE(fs_->lost(), "LOCK_LOST");
    if (!back) {
      // Even if others took the lock and released it, a lost lock stays lost.
      std::filesystem::rename(path("elsewhere"), path(kLockFileName));
      EXPECT_CODE(lock_->StillHeld(), "LOCK_LOST");
    }
  }
}

TEST_F(LockedFileSystemTest, AFileThatAnotherStillWritesIsNotWrittenTo) {
  std::unique_ptr<rocksdb::FSWritableFile> theirs;
  std::unique_ptr<rocksdb::FSWritableFile> ours;
  ASSERT_TRUE(Open("shared.tmp", &theirs).ok());
  ASSERT_TRUE(theirs->Append("theirs", IOOptions(), nullptr).ok());
  ASSERT_TRUE(Open("shared.tmp", &ours).ok());
  ASSERT_TRUE(ours->Append("ours", IOOptions(), nullptr).ok());
  ASSERT_TRUE(theirs->Append(" go on", IOOptions(), nullptr).ok());
  ASSERT_TRUE(theirs->Close(IOOptions(), nullptr).ok());
  ASSERT_TRUE(ours->Close(IOOptions(), nullptr).ok());
  EXPECT_EQ(ReadFile(path("shared.tmp")), "ours");
}

}  // namespace
}  // namespace rocksdb_backup::test
