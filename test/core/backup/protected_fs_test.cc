#include "core/backup/protected_fs.h"

#include "backup_fixture.h"

namespace rocksdb_backup::test {
namespace {

using rocksdb::FileOptions;
using rocksdb::FileSystem;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class ProtectedFileSystemTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    for (const char* directory : {"meta", "private/1", "private/2", "shared_checksum"}) {
      std::filesystem::create_directories(path(directory));
    }
    WriteFile(path("meta/1"), "old");
    WriteFile(path("private/1/CURRENT"), "old");
    WriteFile(path("private/2/CURRENT"), "left by an interrupted create");
    WriteFile(path("shared_checksum/a.sst"), "old");
    fs_ = std::make_shared<ProtectedFileSystem>(FileSystem::Default(), operation_, root_);
  }

  IOStatus Write(const std::string& name, const std::string& text) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    IOStatus status = fs_->NewWritableFile(path(name), FileOptions(), &file, nullptr);
    if (status.ok()) {
      status = file->Append(text, IOOptions(), nullptr);
    }
    return status.ok() ? file->Close(IOOptions(), nullptr) : status;
  }
  IOStatus Delete(const std::string& name) { return fs_->DeleteFile(path(name), IOOptions(), nullptr); }
  IOStatus Rename(const std::string& from, const std::string& to) {
    return fs_->RenameFile(path(from), path(to), IOOptions(), nullptr);
  }

  const std::shared_ptr<Operation> operation_ = NewOperation();
  std::shared_ptr<ProtectedFileSystem> fs_;
};

TEST_F(ProtectedFileSystemTest, WithoutAnUnreadableBackupEverythingMayGo) {
  fs_->Guard(2, false, false);
  EXPECT_TRUE(Delete("meta/1").ok());
  EXPECT_TRUE(Delete("private/1/CURRENT").ok());
  EXPECT_TRUE(fs_->DeleteDir(path("private/1"), IOOptions(), nullptr).ok());
  ASSERT_TRUE(Write("shared_checksum/.a.sst.tmp", "new").ok());
  EXPECT_TRUE(Rename("shared_checksum/.a.sst.tmp", "shared_checksum/a.sst").ok());
  EXPECT_EQ(ReadFile(path("shared_checksum/a.sst")), "new");
}

TEST_F(ProtectedFileSystemTest, WithOneOnlyWhatIsNewAndTheNewBackupsOwnMayGo) {
  fs_->Guard(2, true, false);
  for (const char* name : {"meta/1", "private/1/CURRENT", "shared_checksum/a.sst"}) {
    const IOStatus status = Delete(name);
    EXPECT_TRUE(status.IsAborted()) << name;
    EXPECT_NE(status.ToString().find(path(name)), std::string::npos) << status.ToString();
    EXPECT_TRUE(std::filesystem::exists(path(name))) << name;
  }
  EXPECT_TRUE(fs_->DeleteDir(path("private/1"), IOOptions(), nullptr).IsAborted());
  EXPECT_TRUE(fs_->DeleteFile(root_ + "//private/2//CURRENT", IOOptions(), nullptr).ok()) << "as the engine writes it";
  EXPECT_TRUE(fs_->DeleteDir(root_ + "/private/2/", IOOptions(), nullptr).ok());
  ASSERT_TRUE(Write("shared_checksum/.b.sst.tmp", "new").ok());
  ASSERT_TRUE(Rename("shared_checksum/.b.sst.tmp", "shared_checksum/b.sst").ok());
  EXPECT_TRUE(Delete("shared_checksum/b.sst").ok());
  ASSERT_TRUE(Write("shared_checksum/.c.sst.tmp", "new").ok());
  EXPECT_TRUE(Delete("shared_checksum/.c.sst.tmp").ok());
}

TEST_F(ProtectedFileSystemTest, WithOneAFileIsNotReplacedByOneThatDiffers) {
  fs_->Guard(2, true, false);
  for (const char* other : {"new", "longer"}) {
    ASSERT_TRUE(Write("shared_checksum/.a.sst.tmp", other).ok());
    EXPECT_TRUE(Rename("shared_checksum/.a.sst.tmp", "shared_checksum/a.sst").IsAborted());
    EXPECT_EQ(ReadFile(path("shared_checksum/a.sst")), "old");
  }
  ASSERT_TRUE(Write("shared_checksum/.a.sst.tmp", "old").ok());
  EXPECT_TRUE(Rename("shared_checksum/.a.sst.tmp", "shared_checksum/a.sst").ok()) << "it is there already";
  EXPECT_FALSE(std::filesystem::exists(path("shared_checksum/.a.sst.tmp")));
  EXPECT_TRUE(Delete("shared_checksum/a.sst").IsAborted()) << "it is still the other backup's";
}

TEST_F(ProtectedFileSystemTest, TheMetasRenameIsThePointOfNoReturn) {
  fs_->Guard(2, false, false);
  ASSERT_TRUE(Write("meta/.2.tmp", "meta").ok());
  ASSERT_TRUE(Rename("meta/.2.tmp", "meta/2").ok());
  EXPECT_FALSE(operation_->RequestStop());
}

TEST_F(ProtectedFileSystemTest, AStopBeforeThatRenameLeavesNoMeta) {
  fs_->Guard(2, false, false);
  ASSERT_TRUE(Write("meta/.2.tmp", "meta").ok());
  EXPECT_TRUE(operation_->RequestStop());
  EXPECT_TRUE(Rename("meta/.2.tmp", "meta/2").IsIncomplete());
  EXPECT_FALSE(std::filesystem::exists(path("meta/2")));
}

}  // namespace
}  // namespace rocksdb_backup::test
