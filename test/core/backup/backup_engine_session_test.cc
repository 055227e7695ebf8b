#include "core/backup/backup_engine_session.h"

#include <limits>

#include "backup_fixture.h"
#include "fault_fs.h"

namespace rocksdb_backup::test {
namespace {

using Count = ObservedFileSystem::Count;

class BackupEngineSessionTest : public BackupTest {
 protected:
  // Makes one healthy backup. Tests put hostile meta files beside it.
  void SetUp() override {
    BackupTest::SetUp();
    Fill(10, 1000, "a");
    repository_ = OpenRepository();
    ASSERT_GOOD(Create(*repository_));
    contents_ = ContentsOf(db_.get());
  }

  std::string Meta(const std::string& id) const { return path("backups/meta/" + id); }

  // The healthy backup can be listed, verified and restored, whatever lies beside it.
  void ExpectTheFirstIsFine() {
    EXPECT_EQ(Ids(*repository_), std::vector<uint32_t>{1});
    EXPECT_GOOD(Verify(*repository_, 1));
    EXPECT_EQ(Restored(*repository_, 1), contents_);
  }

  std::shared_ptr<BackupRepository> repository_;
  std::map<std::string, std::string> contents_;
};

TEST_F(BackupEngineSessionTest, SizesDistinguishSharedFilesFromUniqueFiles) {
  Fill(10, 5000, "b");
  BackupDescription second;
  ASSERT_GOOD(Create(*repository_, &second));
  std::vector<BackupDescription> list;
  ASSERT_GOOD(repository_->List(true, &list));
  ASSERT_EQ(list.size(), 2U);
  for (const auto& backup : list) {
    uint64_t size = 0;
    uint64_t unique = 0;
    for (const auto& file : backup.files) {
      size += file.size;
      unique += file.backups == 1 ? file.size : 0;
      EXPECT_EQ(file.shared, file.name.rfind("shared_checksum/", 0) == 0) << file.name;
      EXPECT_EQ(files::file_size(path("backups/" + file.name)), file.size);
    }
    EXPECT_EQ(backup.size, size);
    EXPECT_EQ(backup.meta_size,
              files::file_size(MetaPath(path("backups"), backup.id)) +
                  files::file_size(path("backups/private/" + std::to_string(backup.id) + "/rocksdb-backup.files")));
    EXPECT_EQ(backup.unique_size, unique + backup.meta_size);
    EXPECT_EQ(backup.number_files, backup.files.size());
    EXPECT_GT(backup.timestamp, 0);
  }
  EXPECT_GT(list[1].unique_size, 50000U);
  EXPECT_LT(list[0].unique_size, 10000U) << "its table is the other's, too";
  ASSERT_GOOD(repository_->Delete(1, false));
  ASSERT_GOOD(repository_->Describe(2, false, &second));
  EXPECT_EQ(second.unique_size, second.size + second.meta_size);
  EXPECT_TRUE(second.files.empty()) << "not asked for";
}

TEST_F(BackupEngineSessionTest, TheLatestIsDescribedAsIdZero) {
  BackupDescription latest;
  ASSERT_GOOD(repository_->Describe(0, false, &latest));
  EXPECT_EQ(latest.id, 1U);
  ASSERT_GOOD(repository_->Delete(1, false));
  BackupDescription none;
  ASSERT_GOOD(repository_->Describe(0, false, &none));
  EXPECT_EQ(none.id, 0U);
}

TEST_F(BackupEngineSessionTest, AnUnknownIdIsNotFoundAndTheMessageListsTheExistingIds) {
  for (const uint32_t id : {2U, 4294967294U, 4294967295U}) {
    BackupDescription none;
    const Error error = repository_->Describe(id, false, &none);
    EXPECT_EQ(error.code(), "BACKUP_NOT_FOUND") << id << error.message();
    EXPECT_NE(error.message().find("It has 1."), std::string::npos) << error.message();
  }
}

TEST_F(BackupEngineSessionTest, IdsAreJoinedAsInASentence) {
  EXPECT_EQ(JoinIds({}), "");
  EXPECT_EQ(JoinIds({1}), "1");
  EXPECT_EQ(JoinIds({1, 2}), "1 and 2");
  EXPECT_EQ(JoinIds({1, 2, 7}), "1, 2 and 7");
}

TEST_F(BackupEngineSessionTest, MetasThatNoEngineWritesAreCorruptBackupsAndHarmNoOther) {
  const std::string table = *BackupFiles("shared_checksum").begin();
  WriteFile(path("backups/shared_checksum/000099.sst"), "a name without an underscore");
  WriteFile(path("backups/shared_checksum/noending"), "x");
  const std::pair<const char*, std::string> hostile[] = {
      {"empty", ""},
      {"only a line end", "\n"},
      {"binary", std::string("\0\xff\x80\n\0\0\n\xfe", 8)},
      {"text", "garbage\n"},
      {"a huge count", "1\n2\n4294967295\n"},
      {"a negative count", "1\n2\n-1\n"},
      {"a count of nothing", "1\n2\n0\n"},
      {"a shared name without an underscore", "1\n2\n1\nshared_checksum/000099.sst crc32 1\n"},
      {"a shared name without an ending", "1\n2\n1\nshared_checksum/noending crc32 1\n"},
      {"a way up", "1\n2\n1\n../../../etc/passwd crc32 1\n"},
      {"a way up in a part", "1\n2\n1\nshared_checksum/../meta/1 crc32 1\n"},
      {"an absolute path", "1\n2\n1\n/etc/passwd crc32 1\n"},
      {"a checksum that is none", "1\n2\n1\nshared_checksum/" + table + " crc32 x\n"},
      {"no checksum", "1\n2\n1\nshared_checksum/" + table + "\n"},
      {"an unknown schema", "schema_version 9\n1\n2\n0\n"},
      {"a field that must be known", "schema_version 2.1\n1\n2\nni::new x\n0\n"},
      {"metadata that is no hexadecimal", "1\n2\nmetadata zz\n0\n"},
      {"lines without an end", std::string(1 << 20, '7')},
      {"a backup without files in schema 2", "schema_version 2.1\n1\n2\n0\n"},
  };
  for (const auto& [what, meta] : hostile) {
    SCOPED_TRACE(what);
    WriteFile(Meta("2"), meta);
    EXPECT_EQ(CorruptIds(*repository_), std::vector<uint32_t>{2});
    ExpectTheFirstIsFine();
    BackupDescription ignored;
    EXPECT_CODE(repository_->Describe(2, true, &ignored), "BACKUP_CORRUPT");
    EXPECT_CODE(Verify(*repository_, 2), "BACKUP_CORRUPT");
    EXPECT_CODE(Restore(*repository_, RestoreTo(2, path("never"))), "BACKUP_CORRUPT");
    EXPECT_FALSE(files::exists(path("never")));
    OpenedBackup opened;
    EXPECT_CODE(repository_->OpenBackup(2, &opened), "BACKUP_CORRUPT");
    EXPECT_CODE(repository_->Delete(1, false), "BACKUP_CORRUPT");
    EXPECT_CODE(repository_->PurgeOld(0, false), "BACKUP_CORRUPT");
    BackupDescription third;
    ASSERT_GOOD(Create(*repository_, &third)) << "a new backup works";
    EXPECT_EQ(third.id, 3U);
    EXPECT_GOOD(Verify(*repository_, 3));
    ASSERT_GOOD(repository_->Delete(2, true));
    EXPECT_FALSE(files::exists(Meta("2")));
    ASSERT_GOOD(repository_->Delete(3, false));
    WriteFile(path("backups/shared_checksum/000099.sst"), "a name without an underscore");
    WriteFile(path("backups/shared_checksum/noending"), "x");
  }
}

TEST_F(BackupEngineSessionTest, AMetaThatNamesAFileThatIsNoDatabaseFileIsNotRestored) {
  files::create_directory(path("backups/private/2"));
  WriteFile(path("backups/private/2/evil.sh"), "x");
  WriteFile(path("backups/private/2/000001.log"), "x");
  WriteFile(path("backups/shared_checksum/000001_1_1.log"), "x");
  for (const char* files : {"1\nprivate/2/evil.sh crc32 1\n",
                            "2\nprivate/2/000001.log crc32 1\nshared_checksum/000001_1_1.log crc32 1\n"}) {
    SCOPED_TRACE(files);
    WriteFile(Meta("2"), std::string("1\n2\n") + files);
    EXPECT_CODE(Verify(*repository_, 2), "BACKUP_CORRUPT");
    EXPECT_CODE(Restore(*repository_, RestoreTo(2, path("never"))), "BACKUP_CORRUPT");
    EXPECT_FALSE(files::exists(path("never")));
  }
}

TEST_F(BackupEngineSessionTest, AnExcludedFileWithAnUnknownNameIsNotRestored) {
  WriteFile(Meta("2"), "schema_version 2.1\n1\n2\n1\nprivate/1/CURRENT crc32 1\nshared_checksum/x ni::excluded true\n");
  EXPECT_CODE(Restore(*repository_, RestoreTo(2, path("never"))), "BACKUP_CORRUPT");
  EXPECT_FALSE(files::exists(path("never")));
}

TEST_F(BackupEngineSessionTest, TheHighestIdsStopNewBackupsWithAMessageThatNamesTheFile) {
  for (const char* id : {"4294967295", "4294967294", "4294967293"}) {
    files::copy_file(Meta("1"), Meta(id));
    BackupDescription created;
    const Error error = Create(*repository_, &created);
    EXPECT_EQ(error.code(), "BACKUP_CORRUPT") << error.message();
    EXPECT_NE(error.message().find(Meta(id)), std::string::npos) << error.message();
    EXPECT_EQ(BackupFiles("private"), std::set<std::string>{"1"});
    files::remove(Meta(id));
  }
  BackupDescription created;
  ASSERT_GOOD(Create(*repository_, &created));
  EXPECT_EQ(created.id, 2U);
}

TEST_F(BackupEngineSessionTest, NamesInMetaThatAreNoIdsAreNotBackups) {
  for (const char* name : {"0", "01", "-1", "+1", "1x", "x", "4294967296", "99999999999999999999", ".7.tmp", " 1"}) {
    WriteFile(Meta(name), "1\n2\n0\n");
  }
  EXPECT_TRUE(CorruptIds(*repository_).empty());
  ExpectTheFirstIsFine();
  ASSERT_GOOD(Create(*repository_));
  EXPECT_EQ(Ids(*repository_), (std::vector<uint32_t>{1, 2}));
}

TEST_F(BackupEngineSessionTest, APurgeCountsUsableBackupsOnly) {
  ASSERT_GOOD(Create(*repository_));
  WriteFile(Meta("3"), "1\n2\n0\n");
  EXPECT_CODE(repository_->PurgeOld(2, false), "BACKUP_CORRUPT");
  ASSERT_GOOD(repository_->PurgeOld(2, true));
  EXPECT_EQ(Ids(*repository_), (std::vector<uint32_t>{1, 2})) << "two were to be kept";
}

TEST_F(BackupEngineSessionTest, AReadOpensOnlyTheAllowedNumberOfBackupsAndNoPlaceholders) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_GOOD(Create(*repository_));
  }
  for (const int most : {0, 2, 100}) {
    auto options = OptionsFor("backups");
    options.read_only = true;
    options.settings.engine.max_valid_backups_to_open = most;
    auto reader = OpenRepository(std::move(options));
    EXPECT_EQ(Ids(*reader), most == 2 ? (std::vector<uint32_t>{3, 4}) : (std::vector<uint32_t>{1, 2, 3, 4})) << most;
    EXPECT_TRUE(CorruptIds(*reader).empty()) << "what is not opened is not corrupt";
  }
}

TEST_F(BackupEngineSessionTest, AStopInTheMiddleOfOpeningIsAStop) {
  const auto storage = std::make_shared<FaultFileSystem>();
  auto options = OptionsFor("backups");
  options.settings.storage = Through(path("backups"), storage);
  storage->Count();
  ASSERT_GOOD(Verify(*OpenRepository(options), 1, false));
  const int operations = storage->total();
  ASSERT_GT(operations, 5);
  auto repository = OpenRepository(options);
  for (int nth = 1; nth <= operations; ++nth) {
    const auto operation = NewOperation();
    std::atomic<int> left{nth};
    std::atomic<bool> stopped{false};
    storage->SetHook([&](FaultFileSystem::Kind, const std::string&) {
      if (--left == 0) {
        stopped = operation->RequestStop();
      }
      return rocksdb::IOStatus::OK();
    });
    const Error error = repository->Verify(1, false, operation);
    EXPECT_EQ(error.code(), stopped ? "VERIFY_STOPPED" : "") << nth << error.message();
  }
  storage->Heal();
}

}  // namespace
}  // namespace rocksdb_backup::test
