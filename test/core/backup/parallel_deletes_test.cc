#include "core/backup/parallel_deletes.h"

#include "backup_fixture.h"

namespace rocksdb_backup::test {
namespace {

using rocksdb::FileSystem;
using rocksdb::IOOptions;

constexpr int kFiles = 300;

class ParallelDeletesTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    std::filesystem::create_directories(path("files"));
    for (int i = 0; i < kFiles; ++i) {
      WriteFile(Name(i), "contents");
    }
    fs_ = WithParallelDeletes(FileSystem::Default(), operation_);
  }

  std::string Name(int i) const { return path("files/" + std::to_string(i)); }
  void DeleteAll() {
    for (int i = 0; i < kFiles; ++i) {
      EXPECT_TRUE(fs_->DeleteFile(Name(i), IOOptions(), nullptr).ok());
    }
  }

  const std::shared_ptr<Operation> operation_ = NewOperation();
  std::shared_ptr<FileSystem> fs_;
};

TEST_F(ParallelDeletesTest, WhileTheOperationRunsAFileIsGoneWhenItsDeleteReturns) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(fs_->DeleteFile(Name(i), IOOptions(), nullptr).ok());
    EXPECT_FALSE(std::filesystem::exists(Name(i)));
  }
  EXPECT_FALSE(fs_->DeleteFile(Name(0), IOOptions(), nullptr).ok());
}

TEST_F(ParallelDeletesTest, AfterAStopTheDirectoryCanBeRemovedRightAfterItsFiles) {
  operation_->RequestStop();
  DeleteAll();
  EXPECT_TRUE(fs_->DeleteDir(path("files"), IOOptions(), nullptr).ok());
  EXPECT_FALSE(std::filesystem::exists(path("files")));
}

TEST_F(ParallelDeletesTest, AfterAStopNoDeletedFileIsVisible) {
  operation_->RequestStop();
  DeleteAll();
  EXPECT_TRUE(fs_->FileExists(Name(kFiles - 1), IOOptions(), nullptr).IsNotFound());
  WriteFile(Name(1), "again");
  EXPECT_TRUE(fs_->DeleteFile(Name(1), IOOptions(), nullptr).ok());
  std::vector<std::string> children;
  EXPECT_TRUE(fs_->GetChildren(path("files"), IOOptions(), &children, nullptr).ok());
  EXPECT_TRUE(children.empty());
}

TEST_F(ParallelDeletesTest, ItsDestructorWaitsForWhatIsQueued) {
  operation_->RequestStop();
  DeleteAll();
  fs_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(path("files")));
}

}  // namespace
}  // namespace rocksdb_backup::test
