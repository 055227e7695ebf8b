#include "core/backup/backup_record.h"

#include <string>

#include "backup_fixture.h"
#include "core/base/checksum.h"
#include "fault_fs.h"
#include "rocksdb/utilities/backup_engine.h"

namespace rocksdb_backup::test {
namespace {

constexpr const char* kRecord = "rocksdb-backup.files";

class BackupRecordTest : public MadeBackupTest {
 protected:
  std::string RecordOf(uint32_t id) const { return path("backups/private/" + std::to_string(id) + "/" + kRecord); }

  // RocksDB's own engine, as any other program uses it.
  template <class Use>
  void AsAnotherProgram(Use use) {
    rocksdb::BackupEngine* engine = nullptr;
    const auto status =
        rocksdb::BackupEngine::Open(rocksdb::BackupEngineOptions(path("backups")), rocksdb::Env::Default(), &engine);
    ASSERT_TRUE(status.ok()) << status.ToString();
    const std::unique_ptr<rocksdb::BackupEngine> owner(engine);
    use(*engine);
  }

  static void Cut(const std::string& file) { files::resize_file(file, files::file_size(file) - 1); }

  static void Flip(const std::string& file, size_t at) {
    std::string contents = ReadFile(file);
    contents[at] = static_cast<char>(contents[at] ^ 1);
    WriteFile(file, contents);
  }

  // Replaces what follows the word `meta` in the record of backup 1.
  void ChangeWords(const std::string& words) const {
    std::string text = ReadFile(RecordOf(1));
    const size_t at = text.find(" meta") + 5;
    text.replace(at, text.find('\n', at) - at, words);
    text.resize(text.find_last_of('\n', text.size() - 2) + 1);
    WriteFile(RecordOf(1), text + std::to_string(ChecksumOf(text)) + "\n");
  }

  // Changes one digit of a table's checksum in a meta file.
  static void ChangeChecksum(const std::string& meta, const std::string& table) {
    std::string contents = ReadFile(meta);
    const std::string before = table + " crc32 ";
    const size_t at = contents.find(before);
    ASSERT_NE(at, std::string::npos) << before << "in " << contents;
    char& digit = contents[at + before.size()];
    digit = digit == '1' ? '2' : '1';
    WriteFile(meta, contents);
  }
};

TEST_F(BackupRecordTest, EveryFileThatWasCutOffIsNamedWithBothSizesAfterOpeningAgain) {
  const std::string log = FileOf(*repository_, 1, ".log");
  const std::string manifest = FileOf(*repository_, 1, "MANIFEST-000005");
  const uint64_t size = files::file_size(log);
  Cut(log);
  Cut(manifest);
  auto again = OpenRepository();
  for (const bool checksum : {false, true}) {
    const Error error = Verify(*again, 1, checksum);
    EXPECT_CODE(error, "BACKUP_CORRUPT");
    EXPECT_NE(error.message().find(log + " has " + std::to_string(size - 1) + " bytes and was written with " +
                                   std::to_string(size)),
              std::string::npos)
        << error.message();
    EXPECT_NE(error.message().find(manifest), std::string::npos) << error.message();
  }
}

TEST_F(BackupRecordTest, EveryFileWhoseBytesChangedIsNamed) {
  const std::string log = FileOf(*repository_, 1, ".log");
  const std::string table = FileOf(*repository_, 1, ".sst");
  Flip(log, 10);
  Flip(table, 10);
  for (const bool recorded : {true, false}) {
    if (!recorded) {
      files::remove(RecordOf(1));
    }
    const Error error = Verify(*repository_, 1, true);
    EXPECT_CODE(error, "BACKUP_CORRUPT");
    EXPECT_NE(error.message().find(log), std::string::npos) << error.message();
    EXPECT_NE(error.message().find(table), std::string::npos) << error.message();
  }
  EXPECT_GOOD(Verify(*repository_, 1, false));
}

TEST_F(BackupRecordTest, RecordsWithoutADatabaseOrWithWordsOfLaterVersionsAreReadAndFilesIdentifyTheDatabase) {
  BackupDescription made;
  ASSERT_GOOD(repository_->Describe(1, false, &made));
  std::string id;
  ASSERT_TRUE(db_->GetDbIdentity(id).ok());
  EXPECT_EQ(made.database, id);
  EXPECT_TRUE(made.full);
  for (const std::string& words :
       {std::string(), std::string(" colour=red database= kind"), std::string(" kind=incremental x")}) {
    ChangeWords(words);
    BackupDescription read;
    ASSERT_GOOD(repository_->Describe(1, false, &read));
    EXPECT_EQ(read.database, id) << "by its MANIFEST";
    EXPECT_FALSE(read.full) << "it has files where backups share them, or so the record says";
    EXPECT_GOOD(Verify(*repository_, 1, true));
  }
  // Only the record contains this.
  ChangeWords(" database=another-one kind=full");
  ASSERT_GOOD(repository_->Describe(1, false, &made));
  EXPECT_EQ(made.database, "another-one");
  EXPECT_TRUE(made.full);
  Flip(RecordOf(1), 60);
  ASSERT_GOOD(repository_->Describe(1, false, &made));
  EXPECT_EQ(made.database, id) << "a damaged record is as good as none";
}

TEST_F(BackupRecordTest, AFileThatIsMissingIsNamedBesideThoseThatWereCutOff) {
  const std::string log = FileOf(*repository_, 1, ".log");
  const std::string current = FileOf(*repository_, 1, "CURRENT");
  Cut(log);
  files::remove(current);
  const Error error = Verify(*repository_, 1, false);
  EXPECT_CODE(error, "BACKUP_CORRUPT");
  EXPECT_NE(error.message().find(log), std::string::npos) << error.message();
  EXPECT_NE(error.message().find(current + " is missing"), std::string::npos) << error.message();
}

TEST_F(BackupRecordTest, AChangedMetaThatIsStillValidIsReportedByVerifyAndDoesNotStopARestore) {
  const std::string meta = path("backups/meta/1");
  Flip(meta, 3);  // a digit of the time
  EXPECT_EQ(Ids(*repository_), std::vector<uint32_t>{1});
  for (const bool checksum : {false, true}) {
    const Error error = Verify(*repository_, 1, checksum);
    EXPECT_CODE(error, "BACKUP_CORRUPT");
    EXPECT_NE(error.message().find(meta + " was changed: it has "), std::string::npos) << error.message();
  }
  EXPECT_TRUE(Restored(*repository_, 1) == ContentsOf(db_.get()));
}

TEST_F(BackupRecordTest, AMetaThatNamesOtherFilesThanWereWrittenIsNotRestored) {
  // An edit that the engine accepts: one file less, and a matching count.
  std::string meta = ReadFile(path("backups/meta/1"));
  const size_t line = meta.find("private/1/OPTIONS-");
  ASSERT_NE(line, std::string::npos);
  meta.erase(line, meta.find('\n', line) + 1 - line);
  const size_t count = meta.find('\n', meta.find('\n') + 1) + 1;
  meta[count] = static_cast<char>(meta[count] - 1);
  WriteFile(path("backups/meta/1"), meta);
  ASSERT_EQ(Ids(*repository_), std::vector<uint32_t>{1});
  EXPECT_CODE(Restore(*repository_, RestoreTo(1, path("target"))), "BACKUP_CORRUPT");
  EXPECT_FALSE(files::exists(path("target")));
}

TEST_F(BackupRecordTest, ADamagedRecordIsDamageOfTheBackupAndDoesNotStopARestore) {
  const std::string record = RecordOf(1);
  const std::string whole = ReadFile(record);
  const auto is_told = [&](const std::string& text, const std::string& advice, bool checksum) {
    WriteFile(record, text);
    const Error error = Verify(*repository_, 1, checksum);
    EXPECT_CODE(error, "BACKUP_CORRUPT");
    EXPECT_EQ(error.damaged_files(), std::vector<std::string>{RecordName(1)});
    EXPECT_EQ(error.advice(), advice);
    return !HasFailure();
  };
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    ASSERT_TRUE(is_told(changed, "verifyWithChecksums", false)) << at;
    ASSERT_TRUE(is_told(whole.substr(0, at), "verifyWithChecksums", false)) << at;
  }
  ASSERT_TRUE(is_told("hello", "replaceRecord", true));
  EXPECT_TRUE(Restored(*repository_, 1) == ContentsOf(db_.get()));
  ASSERT_GOOD(Create(*repository_));
  EXPECT_GOOD(Verify(*repository_, 2, true));
  // Also beside other damage.
  const std::string log = FileOf(*repository_, 1, ".log");
  Flip(log, 10);
  const Error both = Verify(*repository_, 1, true);
  EXPECT_CODE(both, "BACKUP_CORRUPT");
  EXPECT_EQ(both.damaged_files().size(), 2U);
  EXPECT_NE(both.message().find(log), std::string::npos) << both.message();
  EXPECT_NE(both.message().find(record), std::string::npos) << both.message();
}

TEST_F(BackupRecordTest, WithoutARecordOrWithAWholeOneOfAnotherFormatSizesAreNotKnown) {
  VerifyResult result;
  for (const bool checksum : {false, true}) {
    ASSERT_GOOD(repository_->Verify(1, checksum, NewOperation(), &result));
    EXPECT_TRUE(result.sizes_known);
  }
  const std::string later = "rocksdb-backup files 2 of backup 1\nwhatever\n";
  WriteFile(RecordOf(1), later + std::to_string(ChecksumOf(later)) + "\n");
  ASSERT_GOOD(repository_->Verify(1, false, NewOperation(), &result));
  EXPECT_FALSE(result.sizes_known);
  const std::string others = "rocksdb-backup files 1 of backup 7\n1 2 meta\n";
  WriteFile(RecordOf(1), others + std::to_string(ChecksumOf(others)) + "\n");
  EXPECT_CODE(Verify(*repository_, 1, false), "BACKUP_CORRUPT") << "it is another backup's";
  files::remove(RecordOf(1));
  for (const bool checksum : {false, true}) {
    ASSERT_GOOD(repository_->Verify(1, checksum, NewOperation(), &result));
    EXPECT_FALSE(result.sizes_known);
  }
}

TEST_F(BackupRecordTest, ABackupThatAnotherProgramMadeUnderTheSameIdIsJudgedByItsOwnFiles) {
  NEEDS_A_DISK();
  AsAnotherProgram([&](rocksdb::BackupEngine& engine) {
    ASSERT_TRUE(engine.DeleteBackup(1).ok());
    EXPECT_FALSE(files::exists(path("backups/private/1")));
  });
  Put(50, 100, "later");
  AsAnotherProgram([&](rocksdb::BackupEngine& engine) { ASSERT_TRUE(engine.CreateNewBackup(db_.get()).ok()); });
  EXPECT_FALSE(files::exists(RecordOf(1)));
  EXPECT_GOOD(Verify(*repository_, 1, false));
  EXPECT_GOOD(Verify(*repository_, 1, true));
  EXPECT_TRUE(Restored(*repository_, 1) == ContentsOf(db_.get()));
}

TEST_F(BackupRecordTest, OtherProgramsCanStillListVerifyRestoreOpenDeleteAndCollect) {
  NEEDS_A_DISK();
  ASSERT_GOOD(Create(*repository_));
  ASSERT_GOOD(Create(*repository_));
  const auto contents = ContentsOf(db_.get());
  AsAnotherProgram([&](rocksdb::BackupEngine& engine) {
    std::vector<rocksdb::BackupInfo> infos;
    engine.GetBackupInfo(&infos, true);
    ASSERT_EQ(infos.size(), 3U);
    for (const auto& info : infos) {
      EXPECT_TRUE(engine.VerifyBackup(info.backup_id, true).ok());
      for (const auto& file : info.file_details) {
        EXPECT_EQ(file.relative_filename.find(kRecord), std::string::npos);
      }
      EXPECT_EQ(ContentsOf(info.name_for_open, "", info.env_for_open.get()), contents);
    }
    ASSERT_TRUE(engine.RestoreDBFromBackup(2, path("restored"), path("restored")).ok());
    EXPECT_FALSE(files::exists(path("restored/") + kRecord));
    ASSERT_TRUE(engine.DeleteBackup(2).ok());
    ASSERT_TRUE(engine.PurgeOldBackups(1).ok());
    ASSERT_TRUE(engine.GarbageCollect().ok());
  });
  EXPECT_TRUE(ContentsOf(path("restored")) == contents);
  EXPECT_EQ(NamesIn(path("backups/private")), std::set<std::string>{"3"});
  EXPECT_GOOD(Verify(*repository_, 3, true));
}

TEST_F(BackupRecordTest, ABackupWithoutARecordIsVerifiedByTheSizesInNames) {
  NEEDS_A_DISK();
  AsAnotherProgram([&](rocksdb::BackupEngine& engine) { ASSERT_TRUE(engine.CreateNewBackup(db_.get()).ok()); });
  files::remove(RecordOf(1));
  for (const uint32_t id : {1U, 2U}) {
    EXPECT_GOOD(Verify(*repository_, id, false));
  }
  const std::string table = FileOf(*repository_, 2, ".sst");
  Cut(table);
  for (const uint32_t id : {1U, 2U}) {
    const Error error = Verify(*repository_, id, false);
    EXPECT_CODE(error, "BACKUP_CORRUPT");
    EXPECT_NE(error.message().find(table), std::string::npos) << error.message();
  }
}

TEST_F(BackupRecordTest, ARecordIsDeletedWithItsBackup) {
  ASSERT_GOOD(Create(*repository_));
  ASSERT_GOOD(repository_->Delete(1, false));
  EXPECT_EQ(NamesIn(path("backups/private")), std::set<std::string>{"2"});
  ASSERT_GOOD(repository_->PurgeOld(0, false));
  EXPECT_TRUE(NamesIn(path("backups/private")).empty());
}

TEST_F(BackupRecordTest, ARecordThatADeadProcessHalfWroteIsGarbage) {
  ASSERT_GOOD(Create(*repository_));
  const std::string directory = path("backups/private/1/");
  const auto before = NamesIn(directory);
  WriteFile(directory + "." + kRecord + ".tmp", "half of a rec");
  ASSERT_GOOD(repository_->CollectGarbage(false));
  EXPECT_EQ(NamesIn(directory), before);
  for (const uint32_t id : {1U, 2U}) {
    EXPECT_GOOD(Verify(*repository_, id, true));
  }
}

TEST_F(BackupRecordTest, ABackupWhoseRecordCannotBeWrittenIsStillGood) {
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  int nth = 0;
  for (const auto kind : {FaultFileSystem::kOpenWrite, FaultFileSystem::kAppend, FaultFileSystem::kSync,
                          FaultFileSystem::kClose, FaultFileSystem::kRename}) {
    storage->SetHook([&](FaultFileSystem::Kind done, const std::string& file) {
      const bool ours = file.find(kRecord) != std::string::npos;
      return done == kind && ours ? rocksdb::IOStatus::NoSpace("injected", file) : rocksdb::IOStatus::OK();
    });
    BackupDescription created;
    ASSERT_GOOD(Create(*repository, &created));
    storage->Heal();
    ++nth;
    EXPECT_EQ(created.id, static_cast<uint32_t>(nth + 1));
    for (const auto& name : NamesIn(path("backups/private/" + std::to_string(created.id)))) {
      EXPECT_EQ(name.find(kRecord), std::string::npos) << nth;
    }
    EXPECT_GOOD(Verify(*repository, created.id, true));
  }
}

// If RocksDB need not copy a file, it takes the file's checksum from an older meta. The new record contains that
// checksum.
TEST_F(BackupRecordTest, ACreateDoesNotCopyAWrongChecksumFromAChangedMeta) {
  const std::string meta = path("backups/meta/1");
  const std::string whole = ReadFile(meta);
  const std::string table = FileOf(*repository_, 1, ".sst").substr(path("backups/").size());
  ChangeChecksum(meta, table);
  ASSERT_GOOD(Create(*repository_));
  EXPECT_GOOD(Verify(*repository_, 2, true));
  EXPECT_TRUE(Restored(*repository_, 2) == ContentsOf(db_.get()));
  const Error error = Verify(*repository_, 1, true);
  EXPECT_CODE(error, "BACKUP_CORRUPT");
  EXPECT_NE(error.message().find(meta), std::string::npos) << error.message();
  WriteFile(meta, whole);
  EXPECT_GOOD(Verify(*repository_, 1, true));
  EXPECT_GOOD(Verify(*repository_, 2, true));
}

// The same for the newest of several backups, with a file that no other backup has.
TEST_F(BackupRecordTest, ACreateDoesNotCopyAWrongChecksumFromTheNewestMeta) {
  Fill(5, 1000, "second");
  ASSERT_GOOD(Create(*repository_));
  std::string table;
  BackupDescription second;
  ASSERT_GOOD(repository_->Describe(2, true, &second));
  for (const auto& file : second.files) {
    if (file.backups == 1 && file.shared) {
      table = file.name;
    }
  }
  ASSERT_NE(table, "");
  ChangeChecksum(path("backups/meta/2"), table);
  ASSERT_GOOD(Create(*repository_));
  EXPECT_GOOD(Verify(*repository_, 3, true));
  EXPECT_TRUE(Restored(*repository_, 3) == ContentsOf(db_.get()));
  EXPECT_GOOD(Verify(*repository_, 1, true));
}

// The corrupt meta names a file twice, first with the checksum of another file. The engine remembers that checksum
// before it rejects the meta.
TEST_F(BackupRecordTest, ACorruptMetaMakesNoOtherBackupCorrupt) {
  Fill(5, 1000, "second");
  ASSERT_GOOD(Create(*repository_));
  const std::string first = FileOf(*repository_, 1, ".sst").substr(path("backups/").size());
  std::string second;
  BackupDescription described;
  ASSERT_GOOD(repository_->Describe(2, true, &described));
  for (const auto& file : described.files) {
    if (file.shared && file.name != first) {
      second = file.name;
    }
  }
  const std::string meta = path("backups/meta/2");
  std::string changed = ReadFile(meta);
  // Puts a second line for the first file before its own line, with another checksum.
  const size_t at = changed.find(first);
  const size_t line = changed.find(second);
  ASSERT_NE(at, std::string::npos);
  ASSERT_NE(line, std::string::npos);
  const std::string other = changed.substr(line + second.size(), changed.find('\n', line) + 1 - line - second.size());
  changed.erase(line, second.size() + other.size());
  changed.insert(changed.find(first), first + other);
  WriteFile(meta, changed);
  EXPECT_EQ(CorruptIds(*repository_), std::vector<uint32_t>{2});
  EXPECT_GOOD(Verify(*repository_, 1, true));
}

}  // namespace
}  // namespace rocksdb_backup::test
