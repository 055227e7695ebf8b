#include "core/backup/observed_fs.h"

#include <string>
#include <vector>

#include "backup_fixture.h"

namespace rocksdb_backup::test {
namespace {

using rocksdb::FileOptions;
using rocksdb::FileSystem;
using rocksdb::IOOptions;
using rocksdb::Slice;
using Count = ObservedFileSystem::Count;

struct Observer : FileObserver {
  void OnFound(const std::string& path) override { found.push_back(path); }
  void OnCreate(const std::string& path) override { created.push_back(path); }
  std::vector<std::string> found;
  std::vector<std::string> created;
};

class ObservedFileSystemTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    operation_ = NewOperation([this](const Progress& event) { last_ = event; });
  }

  std::shared_ptr<FileSystem> Observe(Count count, FileObserver* observer = nullptr) {
    return std::make_shared<ObservedFileSystem>(FileSystem::Default(), operation_, count, observer);
  }

  static rocksdb::IOStatus Write(FileSystem& fs, const std::string& path, const std::string& text) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    rocksdb::IOStatus status = fs.NewWritableFile(path, FileOptions(), &file, nullptr);
    if (status.ok()) {
      status = file->Append(text, IOOptions(), nullptr);
    }
    if (status.ok()) {
      status = file->Close(IOOptions(), nullptr);
    }
    return status;
  }

  static rocksdb::IOStatus Read(FileSystem& fs, const std::string& path, std::string* text) {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    rocksdb::IOStatus status = fs.NewSequentialFile(path, FileOptions(), &file, nullptr);
    char buffer[16];
    Slice read("x");
    while (status.ok() && !read.empty()) {
      status = file->Read(sizeof(buffer), IOOptions(), &read, buffer, nullptr);
      text->append(read.data(), read.size());
    }
    return status;
  }

  std::shared_ptr<Operation> operation_;
  Progress last_;
};

TEST_F(ObservedFileSystemTest, WritesCountWhereWritesAreWatched) {
  const auto fs = Observe(Count::kWrites);
  operation_->Begin(Phase::kCopy, 40, 1);
  ASSERT_TRUE(Write(*fs, path("000001.sst"), std::string(40, 'a')).ok());
  std::string text;
  ASSERT_TRUE(Read(*fs, path("000001.sst"), &text).ok());
  EXPECT_EQ(text, std::string(40, 'a'));
  EXPECT_EQ(operation_->bytes_done(), 40U);
  operation_->Finish();
  EXPECT_EQ(last_.files_done, 1U);
}

TEST_F(ObservedFileSystemTest, ReadsCountWhereReadsAreWatchedAndEachFileOnce) {
  WriteFile(path("000001.sst"), std::string(40, 'a'));
  const auto fs = Observe(Count::kReads);
  operation_->Begin(Phase::kVerify, 40, 1);
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  ASSERT_TRUE(fs->NewSequentialFile(path("000001.sst"), FileOptions(), &file, nullptr).ok());
  char buffer[64];
  Slice read;
  for (int i = 0; i < 3; ++i) {  // the end is read twice
    ASSERT_TRUE(file->Read(sizeof(buffer), IOOptions(), &read, buffer, nullptr).ok());
  }
  ASSERT_TRUE(Write(*fs, path("other"), "not counted").ok());
  EXPECT_EQ(operation_->bytes_done(), 40U);
  operation_->Finish();
  EXPECT_EQ(last_.files_done, 1U);
}

TEST_F(ObservedFileSystemTest, MetaFilesAndWhatIsNotWatchedDoNotCount) {
  std::filesystem::create_directory(path("meta"));
  Observer observer;
  const auto writes = Observe(Count::kWrites, &observer);
  operation_->Begin(Phase::kCopy, 0, 0);
  ASSERT_TRUE(Write(*writes, path("meta/.1.tmp"), "meta").ok());
  EXPECT_EQ(last_.phase, Phase::kCommit) << "the meta is what follows the data";
  std::string text;
  ASSERT_TRUE(Read(*Observe(Count::kReads), path("meta/.1.tmp"), &text).ok());
  ASSERT_TRUE(Write(*Observe(Count::kNothing), path("file"), "text").ok());
  EXPECT_EQ(operation_->bytes_done(), 0U);
  EXPECT_TRUE(observer.created.empty());
}

TEST_F(ObservedFileSystemTest, TheObserverHearsOfFilesBeforeTheyAreWrittenAndOfThoseThatAreThere) {
  Observer observer;
  const auto fs = Observe(Count::kWrites, &observer);
  EXPECT_TRUE(fs->FileExists(path("a"), IOOptions(), nullptr).IsNotFound());
  EXPECT_TRUE(observer.found.empty());
  ASSERT_TRUE(Write(*fs, path("a"), "x").ok());
  EXPECT_EQ(observer.created, std::vector<std::string>{path("a")});
  EXPECT_TRUE(fs->FileExists(path("a"), IOOptions(), nullptr).ok());
  EXPECT_EQ(observer.found, std::vector<std::string>{path("a")});
}

TEST_F(ObservedFileSystemTest, AMissingDirectoryIsNoPathNotFound) {
  const rocksdb::IOStatus status = Write(*Observe(Count::kWrites), path("missing/file"), "x");
  EXPECT_TRUE(status.IsIOError()) << status.ToString();
  EXPECT_FALSE(status.IsPathNotFound()) << "the engine would use a file it does not have";
  EXPECT_NE(status.ToString().find(path("missing/file")), std::string::npos) << status.ToString();
}

// An operation ended by a stop (true) or by a failure (false).
class EndedFileSystemTest : public ObservedFileSystemTest, public ::testing::WithParamInterface<bool> {
 protected:
  void End() { GetParam() ? (void)operation_->RequestStop() : (void)operation_->Fail(); }
};

TEST_P(EndedFileSystemTest, WhatWouldMoveDataFailsAndWhatCleansUpGoesOn) {
  WriteFile(path("source"), "text");
  std::filesystem::create_directory(path("directory"));
  const auto fs = Observe(Count::kWrites);
  std::unique_ptr<rocksdb::FSWritableFile> writable;
  std::unique_ptr<rocksdb::FSSequentialFile> sequential;
  std::unique_ptr<rocksdb::FSRandomAccessFile> random;
  ASSERT_TRUE(fs->NewWritableFile(path("target"), FileOptions(), &writable, nullptr).ok());
  ASSERT_TRUE(fs->NewSequentialFile(path("source"), FileOptions(), &sequential, nullptr).ok());
  ASSERT_TRUE(fs->NewRandomAccessFile(path("source"), FileOptions(), &random, nullptr).ok());
  End();
  char buffer[8];
  Slice read;
  EXPECT_TRUE(writable->Append("x", IOOptions(), nullptr).IsIncomplete());
  EXPECT_TRUE(writable->Append("x", IOOptions(), rocksdb::DataVerificationInfo(), nullptr).IsIncomplete());
  EXPECT_TRUE(writable->Sync(IOOptions(), nullptr).IsIncomplete());
  EXPECT_TRUE(writable->Fsync(IOOptions(), nullptr).IsIncomplete());
  EXPECT_TRUE(sequential->Read(4, IOOptions(), &read, buffer, nullptr).IsIncomplete());
  EXPECT_TRUE(random->Read(0, 4, IOOptions(), &read, buffer, nullptr).IsIncomplete());
  std::unique_ptr<rocksdb::FSWritableFile> late_writable;
  std::unique_ptr<rocksdb::FSSequentialFile> late_sequential;
  std::unique_ptr<rocksdb::FSRandomAccessFile> late_random;
  EXPECT_TRUE(fs->NewWritableFile(path("late"), FileOptions(), &late_writable, nullptr).IsIncomplete());
  EXPECT_TRUE(fs->NewSequentialFile(path("source"), FileOptions(), &late_sequential, nullptr).IsIncomplete());
  EXPECT_TRUE(fs->NewRandomAccessFile(path("source"), FileOptions(), &late_random, nullptr).IsIncomplete());
  EXPECT_FALSE(std::filesystem::exists(path("late")));

  std::vector<std::string> names;
  EXPECT_TRUE(fs->GetChildren(root_, IOOptions(), &names, nullptr).ok());
  EXPECT_TRUE(fs->FileExists(path("source"), IOOptions(), nullptr).ok());
  EXPECT_TRUE(fs->RenameFile(path("source"), path("renamed"), IOOptions(), nullptr).ok());
  EXPECT_TRUE(fs->DeleteFile(path("renamed"), IOOptions(), nullptr).ok());
  EXPECT_TRUE(fs->DeleteDir(path("directory"), IOOptions(), nullptr).ok());
}

INSTANTIATE_TEST_SUITE_P(Ways, EndedFileSystemTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Stopped" : "Failed"; });

}  // namespace
}  // namespace rocksdb_backup::test
