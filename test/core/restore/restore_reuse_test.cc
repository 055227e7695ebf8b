// A restore that does not copy tables which the replaced database has already.

#include <sys/stat.h>

#include "backup_fixture.h"
#include "core/restore/one_backup_fs.h"
#include "fault_fs.h"
#include "rocksdb/sst_file_writer.h"
#include "system_calls.h"

namespace rocksdb_backup::test {
namespace {

namespace fs = std::filesystem;

class RestoreReuseTest : public MadeBackupTest {
 protected:
  // The table files of a directory and their inode numbers.
  static std::map<std::string, ino_t> Tables(const std::string& directory) {
    std::map<std::string, ino_t> tables;
    for (const auto& name : NamesIn(directory)) {
      struct stat file = {};
      if ((name.ends_with(".sst") || name.ends_with(".blob")) && stat((directory + "/" + name).c_str(), &file) == 0) {
        tables[name] = file.st_ino;
      }
    }
    return tables;
  }

  static uint64_t SizeOfTables(const std::string& directory) {
    uint64_t size = 0;
    for (const auto& [name, number] : Tables(directory)) {
      size += fs::file_size(directory + "/" + name);
    }
    return size;
  }

  RestoreRequest Over(RestoreMode mode) const {
    auto request = RestoreTo(1, path("db"), true);
    request.mode = mode;
    return request;
  }

  static void ChangeByte(const std::string& file, size_t at) {
    std::string text = ReadFile(file);
    text[at] ^= 1;
    WriteFile(file, text);
  }

  static constexpr RestoreMode kModes[] = {RestoreMode::kKeepLatestDbSessionIdFiles, RestoreMode::kVerifyChecksum};
};

TEST_F(RestoreReuseTest, TablesThatAreTheBackupsAreLinkedAndTheRestIsCopied) {
  const auto before = Tables(path("db"));
  const uint64_t reusable = SizeOfTables(path("db"));
  for (const RestoreMode mode : kModes) {
    Fill(5, 1000, "later");
    CloseDatabase();
    ASSERT_GT(Tables(path("db")).size(), before.size());
    std::vector<Progress> events;
    RestoreResult restored;
    ASSERT_GOOD(repository_->Restore(Over(mode), NewOperation([&](const Progress& event) { events.push_back(event); }),
                                     &restored));
    EXPECT_EQ(restored.bytes_reused, reusable);
    EXPECT_EQ(restored.files_reused, before.size());
    EXPECT_EQ(restored.bytes_copied, restored.backup.size - reusable);
    EXPECT_EQ(Tables(path("db")), before) << "the very files, and no others";
    for (const auto& name : NamesIn(path("db"))) {
      EXPECT_NE(name.find("rocksdb-backup"), 0U) << name;
    }
    EXPECT_EQ(ContentsOf(path("db")), contents_);
    EXPECT_EQ(events.back().bytes_done, events.back().bytes_total);
    EXPECT_EQ(events.back().files_done, events.back().files_total);
    EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
    OpenDatabase();
  }
}

TEST_F(RestoreReuseTest, ByDefaultEverythingIsCopied) {
  const auto before = Tables(path("db"));
  CloseDatabase();
  RestoreResult restored;
  ASSERT_GOOD(repository_->Restore(Over(RestoreMode::kPurgeAllFiles), NewOperation(), &restored));
  EXPECT_EQ(restored.bytes_reused, 0U);
  EXPECT_EQ(restored.bytes_copied, restored.backup.size);
  for (const auto& [name, number] : Tables(path("db"))) {
    EXPECT_NE(number, before.at(name));
  }
}

TEST_F(RestoreReuseTest, IntoANewTargetEverythingIsCopied) {
  for (const RestoreMode mode : kModes) {
    auto request = Over(mode);
    request.database_dir = path("new");
    RestoreResult restored;
    ASSERT_GOOD(repository_->Restore(request, NewOperation(), &restored));
    EXPECT_EQ(restored.bytes_reused, 0U);
    EXPECT_EQ(ContentsOf(path("new")), contents_);
    fs::remove_all(path("new"));
  }
}

TEST_F(RestoreReuseTest, APlanSaysWhatWouldBeReusedAndChangesNothing) {
  CloseDatabase();
  const auto before = FilesBelow(root_);
  for (const RestoreMode mode : kModes) {
    RestorePlan plan;
    ASSERT_GOOD(repository_->PlanRestore(Over(mode), NewOperation(), &plan));
    EXPECT_EQ(plan.bytes_to_reuse, SizeOfTables(path("db")));
    EXPECT_EQ(plan.bytes_to_copy, plan.backup.size - plan.bytes_to_reuse);
    EXPECT_EQ(plan.contents.holds, TargetHolds::kDatabase);
    EXPECT_EQ(plan.target, path("db"));
    EXPECT_EQ(FilesBelow(root_), before);
  }
}

// Same number, same size, same contents. Only the properties inside the tables differ.
TEST_F(RestoreReuseTest, ATableOfAnotherDatabaseIsNotTaken) {
  const std::string table = Tables(path("db")).begin()->first;
  const auto size = fs::file_size(path("db/" + table));
  CloseDatabase();
  fs::remove_all(path("db"));
  seed_ = 42;
  OpenDatabase();
  Fill(20, 1000, "a");
  CloseDatabase();
  ASSERT_EQ(Tables(path("db")).begin()->first, table);
  ASSERT_EQ(fs::file_size(path("db/" + table)), size);
  const auto others = Tables(path("db"));
  for (const RestoreMode mode : kModes) {
    RestoreResult restored;
    ASSERT_GOOD(repository_->Restore(Over(mode), NewOperation(), &restored));
    EXPECT_EQ(restored.bytes_reused, 0U);
    EXPECT_EQ(ContentsOf(path("db")), contents_);
    EXPECT_NE(Tables(path("db")), others);
    fs::remove_all(path("db"));
    seed_ = 42;
    OpenDatabase();
    Fill(20, 1000, "a");
    CloseDatabase();
  }
}

TEST_F(RestoreReuseTest, WhatIsNotAWholeTableIsNotTaken) {
  const std::string table = path("db/" + Tables(path("db")).begin()->first);
  const std::string whole = ReadFile(table);
  CloseDatabase();
  const std::vector<std::function<void()>> damages = {
      [&] { WriteFile(table, std::string(whole.size(), 'x')); },
      [&] { WriteFile(table, whole.substr(0, whole.size() - 1)); },
      [&] { WriteFile(table, whole + "x"); },
      [&] { ChangeByte(table, whole.size() - 1); },  // the magic number of a table
      [&] {
        fs::rename(table, path("elsewhere"));
        fs::create_symlink(path("elsewhere"), table);
      },
      [&] { fs::remove(table); },
  };
  for (const RestoreMode mode : kModes) {
    for (const auto& damage : damages) {
      fs::remove_all(path("db"));
      ASSERT_GOOD(Restore(*repository_, RestoreTo(1, path("db"))));
      damage();
      RestoreResult restored;
      ASSERT_GOOD(repository_->Restore(Over(mode), NewOperation(), &restored));
      EXPECT_EQ(restored.bytes_reused, 0U);
      EXPECT_EQ(ContentsOf(path("db")), contents_);
      EXPECT_EQ(ReadFile(table), whole);
      fs::remove_all(path("elsewhere"));
    }
  }
}

TEST_F(RestoreReuseTest, DamageInsideATableIsFoundByReadingIt) {
  CloseDatabase();
  const std::string table = path("db/" + Tables(path("db")).begin()->first);
  const std::string whole = ReadFile(table);
  ChangeByte(table, 100);
  std::vector<Progress> events;
  RestoreResult restored;
  ASSERT_GOOD(repository_->Restore(Over(RestoreMode::kVerifyChecksum),
                                   NewOperation([&](const Progress& event) { events.push_back(event); }), &restored));
  EXPECT_EQ(restored.bytes_reused, 0U);
  EXPECT_EQ(restored.bytes_copied, restored.backup.size);
  EXPECT_EQ(ReadFile(table), whole);
  EXPECT_EQ(events.back().bytes_done, events.back().bytes_total) << "what was read and what was copied";
  EXPECT_EQ(ContentsOf(path("db")), contents_);
}

TEST_F(RestoreReuseTest, BlobFilesAreTakenWhenTheyAreRead) {
  CloseDatabase();
  fs::remove_all(path("db"));
  options_.enable_blob_files = true;
  options_.min_blob_size = 100;
  OpenDatabase();
  Fill(20, 1000, "blob");
  CreateRequest another = Request();
  another.allow_other_database = true;
  BackupDescription created;
  ASSERT_GOOD(repository_->Create(another, NewOperation(), &created));
  const auto contents = ContentsOf(db_.get());
  CloseDatabase();
  const auto before = Tables(path("db"));
  ASSERT_EQ(before.size(), 2U);
  for (const bool read : {true, false}) {
    auto request = Over(read ? RestoreMode::kVerifyChecksum : RestoreMode::kKeepLatestDbSessionIdFiles);
    request.backup_id = 2;
    RestoreResult restored;
    ASSERT_GOOD(repository_->Restore(request, NewOperation(), &restored));
    EXPECT_EQ(restored.files_reused, read ? 2U : 1U);
    EXPECT_EQ(Tables(path("db")) == before, read);
    EXPECT_EQ(ContentsOf(path("db")), contents);
  }
}

// An ingest gives the table another number and a sequence number. The properties inside the table do not contain them.
TEST_F(RestoreReuseTest, AnIngestedTableIsTakenOnlyWhenItIsRead) {
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options_);
  ASSERT_TRUE(writer.Open(path("external.sst")).ok());
  ASSERT_TRUE(writer.Put("external", "value").ok());
  ASSERT_TRUE(writer.Finish().ok());
  ASSERT_TRUE(db_->IngestExternalFile({path("external.sst")}, rocksdb::IngestExternalFileOptions()).ok());
  fs::remove(path("external.sst"));
  ASSERT_GOOD(Create(*repository_));
  const size_t tables = Tables(path("db")).size();
  const auto contents = ContentsOf(db_.get());
  CloseDatabase();
  for (const RestoreMode mode : kModes) {
    auto request = Over(mode);
    request.backup_id = 2;
    RestoreResult restored;
    ASSERT_GOOD(repository_->Restore(request, NewOperation(), &restored));
    EXPECT_EQ(restored.files_reused, mode == RestoreMode::kVerifyChecksum ? tables : tables - 1);
    EXPECT_EQ(ContentsOf(path("db")), contents);
  }
}

TEST_F(RestoreReuseTest, TablesAreReusedWithEveryNamingScheme) {
  auto options = OptionsFor("private");
  options.settings.engine.share_table_files = false;
  options.settings.engine.share_files_with_checksum = false;
  auto legacy = OptionsFor("legacy");
  legacy.settings.engine.share_files_with_checksum_naming =
      rocksdb::BackupEngineOptions::kLegacyCrc32cAndFileSize | rocksdb::BackupEngineOptions::kFlagIncludeFileSize;
  auto schema = OptionsFor("schema");
  schema.settings.engine.schema_version = 2;
  for (auto& each : {&options, &legacy, &schema}) {
    ASSERT_GOOD(Create(*OpenRepository(*each)));
  }
  CloseDatabase();
  const size_t tables = Tables(path("db")).size();
  for (auto& each : {&options, &legacy, &schema}) {
    for (const RestoreMode mode : kModes) {
      RestoreResult restored;
      ASSERT_GOOD(OpenRepository(*each)->Restore(Over(mode), NewOperation(), &restored));
      EXPECT_EQ(restored.files_reused, tables) << each->settings.name();
      EXPECT_EQ(ContentsOf(path("db")), contents_);
    }
  }
}

TEST_F(RestoreReuseTest, WithoutARecordTheChecksumsOfTheMetaAreUsed) {
  CloseDatabase();
  fs::remove(path("backups/private/1/rocksdb-backup.files"));
  RestoreResult restored;
  ASSERT_GOOD(repository_->Restore(Over(RestoreMode::kVerifyChecksum), NewOperation(), &restored));
  EXPECT_EQ(restored.files_reused, Tables(path("db")).size());
}

TEST_F(RestoreReuseTest, TheKeptOldDatabaseHasItsFilesToo) {
  const auto tables = Tables(path("db"));
  Fill(5, 1000, "later");
  const auto old = ContentsOf(db_.get());
  CloseDatabase();
  auto request = Over(RestoreMode::kKeepLatestDbSessionIdFiles);
  request.keep_old = true;
  RestoreResult restored;
  ASSERT_GOOD(repository_->Restore(request, NewOperation(), &restored));
  EXPECT_EQ(Tables(path("db")), tables);
  EXPECT_EQ(ContentsOf(path("db")), contents_);
  EXPECT_EQ(ContentsOf(restored.kept), old);
  // The two databases are independent: a file that one of them deletes remains in the other.
  OpenDatabase();
  ASSERT_TRUE(db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
  Fill(5, 1000, "on");
  CloseDatabase();
  EXPECT_EQ(ContentsOf(restored.kept), old);
}

TEST_F(RestoreReuseTest, WhereFilesCannotHaveTwoNamesEverythingIsCopied) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  class NoLinks : public CallWatcher {
   public:
    Verdict Before(const Call& call) override { return {.error = call.kind == CallKind::kLink ? EPERM : 0}; }
  } no_links;
  CloseDatabase();
  for (const RestoreMode mode : kModes) {
    RestoreResult restored;
    WatchCalls(root_, &no_links);
    const Error error = repository_->Restore(Over(mode), NewOperation(), &restored);
    WatchCalls("", nullptr);
    ASSERT_GOOD(error);
    EXPECT_EQ(restored.bytes_reused, 0U);
    EXPECT_EQ(restored.bytes_copied, restored.backup.size);
    EXPECT_EQ(ContentsOf(path("db")), contents_);
  }
}

TEST_F(RestoreReuseTest, ARestoreThatFailsOrIsStoppedLeavesTheDatabaseAsItWas) {
  Fill(5, 1000, "later");
  const auto old = ContentsOf(db_.get());
  CloseDatabase();
  const auto tables = Tables(path("db"));
  const auto expect_old = [&] {
    EXPECT_EQ(Tables(path("db")), tables);
    EXPECT_EQ(ContentsOf(path("db")), old);
    EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
    for (const auto& [name, number] : tables) {
      EXPECT_EQ(fs::hard_link_count(path("db/" + name)), 1U);
    }
  };
  const std::string current = path("backups/private/1/CURRENT");
  const std::string whole = ReadFile(current);
  ChangeByte(current, 0);
  for (const RestoreMode mode : kModes) {
    EXPECT_CODE(Restore(*repository_, Over(mode)), "BACKUP_CORRUPT");
    expect_old();
  }
  WriteFile(current, whole);

  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  int stops = 0;
  for (int nth = 1;; ++nth) {
    const auto operation = NewOperation();
    std::atomic<int> left{nth};
    std::atomic<bool> promised{false};
    storage->SetHook([&](FaultFileSystem::Kind, const std::string&) {
      if (--left == 0) {
        promised = operation->RequestStop();
      }
      return rocksdb::IOStatus::OK();
    });
    RestoreResult restored;
    const Error error = repository->Restore(Over(RestoreMode::kKeepLatestDbSessionIdFiles), operation, &restored);
    if (!promised) {
      ASSERT_GOOD(error);
      break;
    }
    EXPECT_CODE(error, "RESTORE_STOPPED");
    expect_old();
    ++stops;
  }
  EXPECT_GT(stops, 10);
  EXPECT_EQ(ContentsOf(path("db")), contents_);
}

// ---- The engine's part

TEST(MetaWithoutTest, NamesAreLeftOutAndTheirNumberIsCorrected) {
  const std::string meta =
      "1700000000\n12\nmetadata 00ff\n3\nshared_checksum/000008_sX_10.sst crc32 1\nprivate/1/CURRENT crc32 2\n"
      "private/1/000009.log crc32 3\n";
  EXPECT_EQ(MetaWithout(meta, {}), meta);
  EXPECT_EQ(MetaWithout(meta, {"private/1/CURRENT", "shared_checksum/000008_sX_10.sst", "private/1/none"}),
            "1700000000\n12\nmetadata 00ff\n1\nprivate/1/000009.log crc32 3\n");
}

TEST(MetaWithoutTest, NamesAreLeftOutOfTheNewerSchemaToo) {
  const std::string meta =
      "schema_version 2.0\n1700000000\n12\nmetadata 00\nown field\n2\nprivate/1/000008.sst crc32 1 size 10\n"
      "shared/7.sst ni::excluded true\nprivate/1/CURRENT size 16 crc32 2\n// FOOTER\nmeta_checksum 5\n";
  EXPECT_EQ(MetaWithout(meta, {}), meta);
  EXPECT_EQ(MetaWithout(meta, {"private/1/000008.sst"}),
            "schema_version 2.0\n1700000000\n12\nmetadata 00\nown field\n1\nshared/7.sst ni::excluded true\n"
            "private/1/CURRENT size 16 crc32 2\n// FOOTER\nmeta_checksum 5\n");
}

TEST(MetaWithoutTest, TextThatIsNoMetaStaysAsItIs) {
  for (const char* text : {"", "\n", "garbage", "1\n2\n", "1\n2\n3", "1\n2\nmetadata x\n"}) {
    EXPECT_EQ(MetaWithout(text, {"x"}).substr(0, 2), std::string(text).substr(0, 2));
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
