#include "core/base/paths.h"

#include <filesystem>

#include "backup_fixture.h"

namespace rocksdb_backup::test {
namespace {

class PathsTest : public ScratchTest {};

TEST_F(PathsTest, ACleanPathHasNoDoubledOrTrailingSlashesAndNoDots) {
  EXPECT_EQ(CleanPath("/a//b/./c/../d/"), "/a/b/d");
  EXPECT_EQ(CleanPath("/"), "/");
  EXPECT_EQ(CleanPath("//a//"), "/a");
  EXPECT_EQ(CleanPath("a/"), "a");
}

TEST_F(PathsTest, ARealPathFollowsLinksAsFarAsThePathExists) {
  std::filesystem::create_directories(path("real/inner"));
  std::filesystem::create_directory_symlink(path("real"), path("link"));
  EXPECT_EQ(RealPath(path("link/inner")), path("real/inner"));
  EXPECT_EQ(RealPath(path("link/not/yet")), path("real/not/yet"));
  EXPECT_EQ(RealPath(path("link/inner/../x/")), path("real/x"));
  EXPECT_EQ(RealPath("relative"), RealPath(std::filesystem::current_path().string() + "/relative"));
}

TEST_F(PathsTest, InsideMeansBelowAndNotTheSameOrAlike) {
  EXPECT_TRUE(IsInside("/a/b", "/a"));
  EXPECT_TRUE(IsInside("/a", "/"));
  EXPECT_FALSE(IsInside("/a", "/a"));
  EXPECT_FALSE(IsInside("/ab", "/a"));
  EXPECT_FALSE(IsInside("/", "/"));
  EXPECT_FALSE(IsInside("/a", "/a/b"));
}

TEST_F(PathsTest, ParentAndNameDivideAPath) {
  EXPECT_EQ(ParentOf("/a/b"), "/a");
  EXPECT_EQ(ParentOf("/a"), "/");
  EXPECT_EQ(ParentOf("a"), ".");
  EXPECT_EQ(NameOf("/a/b"), "b");
  EXPECT_EQ(NameOf("b"), "b");
}

TEST_F(PathsTest, OnlyNamesThatRocksDbGivesAreADatabasesFiles) {
  for (const char* name :
       {"CURRENT", "LOCK", "IDENTITY", "LOG", "LOG.old.1700000000", "MANIFEST-000005", "OPTIONS-000007", "000004.log",
        "000009.sst", "000009.ldb", "000011.blob", "000012.dbtmp", "OPTIONS-000007.dbtmp"}) {
    EXPECT_TRUE(IsDatabaseFileName(name)) << name;
  }
  for (const char* name : {"", "notes.txt", "sst", ".sst", "a.sst", "7.sst.bak", "current", "MANIFEST-", "MANIFEST-x",
                           "LOGS", "backups", "..", "000004.log.gz", "CURRENT~"}) {
    EXPECT_FALSE(IsDatabaseFileName(name)) << name;
  }
  EXPECT_TRUE(IsWalFileName("000004.log"));
  EXPECT_FALSE(IsWalFileName("LOG"));
  EXPECT_FALSE(IsWalFileName(".log"));
  EXPECT_FALSE(IsWalFileName("server.log"));
}

TEST_F(PathsTest, ABackupsFileHasItsDatabasesName) {
  EXPECT_EQ(DatabaseFileName("shared_checksum/000007_s3AB_1040.sst"), "000007.sst");
  EXPECT_EQ(DatabaseFileName("shared_checksum/000007_2894567812_1040.blob"), "000007.blob");
  EXPECT_EQ(DatabaseFileName("shared/000007.sst"), "000007.sst");
  EXPECT_EQ(DatabaseFileName("private/3/MANIFEST-000005"), "MANIFEST-000005");
  EXPECT_EQ(DatabaseFileName("shared_checksum/000007.sst"), "") << "the engine would throw over it";
  EXPECT_EQ(DatabaseFileName("shared_checksum/000007_s3AB"), "");
  EXPECT_EQ(DatabaseFileName("shared_checksum/0.7_s3AB"), "");
}

TEST_F(PathsTest, TheSizeInASharedNameIsRead) {
  EXPECT_EQ(SizeInName("shared_checksum/000007_s3AB_1040.sst"), 1040U);
  EXPECT_EQ(SizeInName("shared_checksum/000007_2894567812_1040.sst"), 1040U);
  EXPECT_EQ(SizeInName("shared_checksum/000007_s3AB.sst"), kNoSizeInName);
  EXPECT_EQ(SizeInName("shared_checksum/000007.sst"), kNoSizeInName);
  EXPECT_EQ(SizeInName("shared_checksum/000007_s_x.sst"), kNoSizeInName);
  EXPECT_EQ(SizeInName("shared_checksum/000007_s_99999999999999999999999.sst"), kNoSizeInName);
  EXPECT_EQ(SizeInName("shared/000007_s3AB_1040.sst"), kNoSizeInName);
  EXPECT_EQ(SizeInName("private/1/000007_s3AB_1040.sst"), kNoSizeInName);
}

TEST_F(PathsTest, BytesArePrintedInHumanUnits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1536), "1.54 kB");
  EXPECT_EQ(HumanBytes(999999), "1 MB") << "rounded before it is compared";
  EXPECT_EQ(HumanBytes(UINT64_MAX), "18.4 EB");
}

}  // namespace
}  // namespace rocksdb_backup::test
