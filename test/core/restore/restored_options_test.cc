#include "core/restore/restored_options.h"

#include "backup_fixture.h"
#include "rocksdb/convenience.h"
#include "rocksdb/utilities/options_util.h"

namespace rocksdb_backup::test {
namespace {

class RestoredOptionsTest : public ScratchTest {
 protected:
  // Reads it with RocksDB itself.
  std::string WalDirOf(const std::string& database) {
    rocksdb::ConfigOptions config;
    rocksdb::DBOptions options;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    const rocksdb::Status status = rocksdb::LoadLatestOptions(config, path(database), &options, &families);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return options.wal_dir;
  }

  void MakeDatabase(const std::string& wal_dir) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.wal_dir = wal_dir;
    std::unique_ptr<rocksdb::DB> db;
    const auto opened = OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::Open(options, path("db"), out)) {
      return rocksdb::DB::Open(options, path("db"), out);
    });
    ASSERT_TRUE(opened.ok()) << opened.ToString();
  }
};

TEST_F(RestoredOptionsTest, TheNewestOptionsNameThePlaceWhereverItWas) {
  for (const std::string& before : {std::string(), path("before")}) {
    std::filesystem::remove_all(path("db"));
    MakeDatabase(before);
    for (const std::string& place : {path("logs"), path("a:b#c\\d e"), std::string(), std::string()}) {
      ASSERT_GOOD(WriteWalDirToOptions(path("db"), place, true));
      EXPECT_EQ(WalDirOf("db"), place);
    }
  }
  for (const std::string& name : FilesBelow(path("db"))) {
    EXPECT_EQ(name.find(".dbtmp"), std::string::npos) << name;
  }
}

TEST_F(RestoredOptionsTest, WithoutOptionsThereIsNothingToNote) {
  std::filesystem::create_directory(path("db"));
  WriteFile(path("db/OPTIONS-"), "");
  WriteFile(path("db/OPTIONS-7x"), "");
  EXPECT_GOOD(WriteWalDirToOptions(path("db"), path("logs"), true));
  WriteFile(path("db/OPTIONS-000009"), "no options at all");
  EXPECT_GOOD(WriteWalDirToOptions(path("db"), path("logs"), true));
  EXPECT_EQ(ReadFile(path("db/OPTIONS-000009")), "no options at all");
}

}  // namespace
}  // namespace rocksdb_backup::test
