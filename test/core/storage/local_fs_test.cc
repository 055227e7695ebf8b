#include "core/storage/local_fs.h"

#include <sys/stat.h>

#include <string>

#include "backup_fixture.h"
#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_plan.h"
#include "core/backup/observed_fs.h"
#include "core/storage/directory_lock.h"
#include "fault_fs.h"

namespace rocksdb_backup::test {
namespace {

// Two backups, and a directory beside them that no operation may touch.
class LocalFileSystemTest : public BackupTest {
 protected:
  void SetUp() override {
    BackupTest::SetUp();
    repository_ = OpenRepository();
    for (const char* prefix : {"a", "b"}) {
      Fill(3, 200, prefix);
      ASSERT_GOOD(Create(*repository_));
    }
    files::create_directory(path("outside"));
    WriteFile(path("outside/CURRENT"), "not yours");
    backups_ = path("backups");
  }

  std::shared_ptr<BackupRepository> repository_;
  std::string backups_;
};

TEST_F(LocalFileSystemTest, AMetaThatIsNoPlainFileIsOneCorruptBackupAndNothingHangs) {
  NEEDS_A_DISK();
  for (const bool fifo : {true, false}) {
    files::remove_all(backups_ + "/meta/1");
    if (fifo) {
      ASSERT_EQ(mkfifo((backups_ + "/meta/1").c_str(), 0600), 0);
    } else {
      files::create_directory(backups_ + "/meta/1");
    }
    EXPECT_EQ(Ids(*repository_), std::vector<uint32_t>{2});
    EXPECT_EQ(CorruptIds(*repository_), std::vector<uint32_t>{1});
    EXPECT_CODE(Verify(*repository_, 1), "BACKUP_CORRUPT");
    EXPECT_GOOD(Verify(*repository_, 2));
  }
}

TEST_F(LocalFileSystemTest, AMetaThatIsALinkToNowhereIsOneCorruptBackupThatCanBeDeleted) {
  NEEDS_A_DISK();
  const std::string meta = backups_ + "/meta/9";
  for (const std::string& to : {path("nothing"), meta}) {
    std::filesystem::create_symlink(to, meta);
    EXPECT_EQ(Ids(*repository_), (std::vector<uint32_t>{1, 2}));
    EXPECT_EQ(CorruptIds(*repository_), std::vector<uint32_t>{9});
    EXPECT_GOOD(Verify(*repository_, 1));
    EXPECT_GOOD(Create(*repository_));
    const uint32_t made = Ids(*repository_).back();
    EXPECT_GOOD(Verify(*repository_, made));
    EXPECT_GOOD(repository_->Delete(9, true));
    EXPECT_FALSE(std::filesystem::is_symlink(std::filesystem::symlink_status(meta)));
    EXPECT_GOOD(repository_->Delete(made, false));
  }
}

TEST_F(LocalFileSystemTest, ABackupWhoseDirectoryIsAFileOrACircleOfLinksIsCorruptAndTheOthersStayUsable) {
  NEEDS_A_DISK();
  const std::string directory = backups_ + "/private/1";
  for (const bool circle : {true, false}) {
    files::remove_all(directory);
    if (circle) {
      std::filesystem::create_directory_symlink(directory, directory);
    } else {
      WriteFile(directory, "a file");
    }
    EXPECT_EQ(Ids(*repository_), std::vector<uint32_t>{2});
    EXPECT_EQ(CorruptIds(*repository_), std::vector<uint32_t>{1});
    EXPECT_TRUE(Restored(*repository_, 2) == ContentsOf(db_.get()));
  }
}

TEST_F(LocalFileSystemTest, ALinkInACircleAmongSharedFilesHarmsThoseThatHaveItOnly) {
  NEEDS_A_DISK();
  std::filesystem::create_symlink(backups_ + "/shared_checksum/x", backups_ + "/shared_checksum/x");
  EXPECT_EQ(Ids(*repository_), (std::vector<uint32_t>{1, 2}));
  EXPECT_GOOD(Create(*repository_));
}

// The first backup shares its table with the second.
TEST_F(LocalFileSystemTest, AFailedListingMakesOnlyBackupsWithFilesThereCorrupt) {
  auto options = OptionsFor("backups");
  options.settings.engine.share_table_files = false;
  ASSERT_GOOD(Create(*OpenRepository(options)));
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  for (const auto& [part, corrupt] :
       {std::pair<std::string, std::vector<uint32_t>>("/shared_checksum", {1, 2}), {"/private/2", {2}}}) {
    storage->SetHook([part = backups_ + part](FaultFileSystem::Kind kind, const std::string& path) {
      return kind == FaultFileSystem::kList && CleanPath(path) == part
                 ? rocksdb::IOStatus::IOError("While opendir: " + CleanPath(path), "Input/output error")
                 : rocksdb::IOStatus::OK();
    });
    EXPECT_EQ(CorruptIds(*repository), corrupt) << part;
    EXPECT_EQ(Ids(*repository).size() + corrupt.size(), 3U);
    BackupSurvey survey;
    ASSERT_GOOD(repository->Look(false, &survey));
    ASSERT_EQ(survey.corrupt.size(), corrupt.size());
    for (const auto& backup : survey.corrupt) {
      EXPECT_NE(backup.reason.find("While opendir: " + backups_ + part + ": Input/output error"), std::string::npos)
          << backup.reason;
    }
    EXPECT_GOOD(Verify(*repository, 3, true));
    EXPECT_CODE(repository->Delete(3, true), "BACKUP_CORRUPT");
    EXPECT_CODE(repository->CheckDeletion(true), "BACKUP_CORRUPT");
    storage->Heal();
  }
  EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_GOOD(repository->CheckDeletion(false));
}

// A listing that fails is not the reason why another file is missing.
TEST_F(LocalFileSystemTest, AMissingFileIsNotExplainedByAnErrorOfAnotherDirectory) {
  files::remove(backups_ + "/private/1/CURRENT");
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  storage->SetHook([this](FaultFileSystem::Kind kind, const std::string& path) {
    return kind == FaultFileSystem::kList && CleanPath(path) == backups_ + "/private/2"
               ? rocksdb::IOStatus::IOError(path, "Input/output error")
               : rocksdb::IOStatus::OK();
  });
  BackupSurvey survey;
  ASSERT_GOOD(repository->Look(false, &survey));
  ASSERT_EQ(survey.corrupt.size(), 2U);
  EXPECT_NE(survey.corrupt[0].reason.find("private/1/CURRENT"), std::string::npos) << survey.corrupt[0].reason;
  EXPECT_EQ(survey.corrupt[0].reason.find("Input/output"), std::string::npos) << survey.corrupt[0].reason;
  EXPECT_NE(survey.corrupt[1].reason.find("Input/output"), std::string::npos) << survey.corrupt[1].reason;
}

TEST_F(LocalFileSystemTest, ALinkOutOfTheDirectoryIsNotFollowed) {
  NEEDS_A_DISK();
  const std::string table = FileOf(*repository_, 2, ".sst");
  files::copy_file(table, path("outside/000004.sst"));
  files::remove(table);
  std::filesystem::create_symlink(path("outside/000004.sst"), table);
  for (const bool checksum : {true, false}) {
    const Error error = Verify(*repository_, 2, checksum);
    EXPECT_CODE(error, "BACKUP_CORRUPT");
    EXPECT_NE(error.message().find(table + " leads out of the repository"), std::string::npos) << error.message();
  }
  EXPECT_FALSE(Restore(*repository_, RestoreTo(2, path("target"))).ok());
}

TEST_F(LocalFileSystemTest, WhatIsInThePlaceOfAFileIsDamageOfThatFile) {
  NEEDS_A_DISK();
  const std::string table = FileOf(*repository_, 2, ".sst");
  std::filesystem::rename(table, path("outside/table"));
  const std::vector<std::function<void()>> ways = {
      [&] { std::filesystem::create_directory(table); }, [&] { ASSERT_EQ(mkfifo(table.c_str(), 0600), 0); },
      [&] { std::filesystem::create_symlink(path("outside/table"), table); },
      [&] { std::filesystem::create_symlink(path("nowhere"), table); }};
  for (const auto& lay : ways) {
    lay();
    for (const Error& error : {Verify(*repository_, 2), Restore(*repository_, RestoreTo(2, path("target")))}) {
      EXPECT_CODE(error, "BACKUP_CORRUPT");
      EXPECT_EQ(error.damaged_files(), std::vector<std::string>{"shared_checksum/" + NameOf(table)}) << error.message();
    }
    std::filesystem::remove(table);
  }
}

TEST_F(LocalFileSystemTest, CollectingGarbageDeletesNothingByWayOfALink) {
  NEEDS_A_DISK();
  std::filesystem::create_directory_symlink(path("outside"), backups_ + "/private/7");
  EXPECT_GOOD(repository_->CollectGarbage(false));
  EXPECT_GOOD(repository_->Delete(1, false));
  EXPECT_EQ(ReadFile(path("outside/CURRENT")), "not yours");
}

TEST_F(LocalFileSystemTest, CollectingGarbageDeletesNothingOfABackupByWayOfALink) {
  NEEDS_A_DISK();
  const std::string table = FileOf(*repository_, 1, ".sst");
  std::filesystem::create_directory_symlink("../shared_checksum", backups_ + "/private/8");
  std::filesystem::create_directory_symlink("1", backups_ + "/private/9");
  std::vector<GarbageFile> garbage;
  EXPECT_GOOD(repository_->ListGarbage(&garbage));
  EXPECT_TRUE(garbage.empty());
  EXPECT_GOOD(repository_->CollectGarbage(false));
  EXPECT_TRUE(files::exists(table));
  EXPECT_GOOD(Verify(*repository_, 1));
  EXPECT_GOOD(repository_->Delete(2, false));
  EXPECT_GOOD(Verify(*repository_, 1));
}

TEST_F(LocalFileSystemTest, ALeftOverPrivateDirectoryOfAnOldEngineCostsNoBackupItsFiles) {
  for (const char* name : {"2.tmp", "2x.tmp", "02"}) {
    files::create_directory(backups_ + "/private/" + name);
  }
  EXPECT_GOOD(repository_->CollectGarbage(false));
  EXPECT_GOOD(repository_->Delete(1, false));
  EXPECT_GOOD(Verify(*repository_, 2));
}

TEST_F(LocalFileSystemTest, ALinkInPlaceOfADirectoryOfBackupsIsNamedAndNothingIsDeletedThere) {
  NEEDS_A_DISK();
  for (const char* part : {"shared", "shared_checksum", "meta"}) {
    const std::string directory = backups_ + "/" + part;
    if (files::exists(directory)) {
      files::rename(directory, path("kept"));
    }
    std::filesystem::create_directory_symlink(path("outside"), directory);
    const std::vector<Error> errors = {repository_->CollectGarbage(true), repository_->PurgeOld(0, true),
                                       Verify(*repository_, 2)};
    for (const Error& error : errors) {
      EXPECT_FALSE(error.ok()) << part;
      EXPECT_NE(error.message().find(directory), std::string::npos) << error.message();
    }
    EXPECT_EQ(ReadFile(path("outside/CURRENT")), "not yours");
    files::remove(directory);
    if (files::exists(path("kept"))) {
      files::rename(path("kept"), directory);
    }
  }
  EXPECT_GOOD(Verify(*repository_, 2));
}

TEST_F(LocalFileSystemTest, AFifoInPlaceOfADirectoryIsNamedAndNothingHangs) {
  NEEDS_A_DISK();
  for (const char* part : {"shared_checksum", "private", "meta"}) {
    const std::string directory = backups_ + "/" + part;
    files::rename(directory, path("kept"));
    ASSERT_EQ(mkfifo(directory.c_str(), 0600), 0);
    EXPECT_FALSE(SyncNames(*OptionsFor("backups").settings.files(), directory).ok());
    for (const Error& error : {Create(*repository_), repository_->CollectGarbage(true)}) {
      EXPECT_FALSE(error.ok()) << part;
      EXPECT_NE(error.message().find(directory), std::string::npos) << error.message();
    }
    files::remove(directory);
    files::rename(path("kept"), directory);
  }
  EXPECT_GOOD(Verify(*repository_, 2));
}

TEST_F(LocalFileSystemTest, AFileInPlaceOfAnUnusedDirectoryHarmsNothing) {
  NEEDS_A_DISK();
  for (const bool fifo : {true, false}) {
    files::remove(backups_ + "/shared");
    if (fifo) {
      ASSERT_EQ(mkfifo((backups_ + "/shared").c_str(), 0600), 0);
    } else {
      WriteFile(backups_ + "/shared", "a file");
    }
    EXPECT_GOOD(Create(*repository_));
    EXPECT_GOOD(repository_->CollectGarbage(false));
  }
  EXPECT_EQ(Ids(*repository_), (std::vector<uint32_t>{1, 2, 3, 4}));
}

TEST_F(LocalFileSystemTest, TheDirectoryItselfMayBeALink) {
  NEEDS_A_DISK();
  std::filesystem::create_directory_symlink(backups_, path("link"));
  auto repository = OpenRepository(OptionsFor("link"));
  EXPECT_GOOD(Create(*repository));
  EXPECT_GOOD(repository->Delete(1, false));
  EXPECT_GOOD(Verify(*repository, 3));
}

TEST_F(LocalFileSystemTest, ALockThatIsALinkOrAFifoIsAnErrorAndIsNotWrittenTo) {
  NEEDS_A_DISK();
  for (const char* name : {kLockFileName, kOtherLockFileName}) {
    const std::string lock = backups_ + "/" + name;
    for (const bool fifo : {true, false}) {
      files::remove(lock);
      if (fifo) {
        ASSERT_EQ(mkfifo(lock.c_str(), 0600), 0);
      } else {
        std::filesystem::create_symlink(path("outside/CURRENT"), lock);
      }
      const Error error = Create(*repository_);
      EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
      EXPECT_NE(error.message().find(lock + (fifo ? ", which is no plain file" : ", which is a link")),
                std::string::npos)
          << error.message();
      EXPECT_EQ(error.advice(), "moveAwayNoLock");
      EXPECT_GOOD(Verify(*repository_, 2));
      EXPECT_FALSE(Restored(*repository_, 2).empty());
      EXPECT_EQ(ReadFile(path("outside/CURRENT")), "not yours");
    }
    files::remove(lock);
  }
}

TEST_F(LocalFileSystemTest, AMetaThatIsWrongAboutASharedFileMakesNoOtherBackupCorrupt) {
  std::string meta = ReadFile(backups_ + "/meta/2");
  const std::string table = "shared_checksum/" + NameOf(FileOf(*repository_, 1, ".sst")) + " crc32 ";
  const size_t digit = meta.find(table) + table.size();
  ASSERT_LT(digit, meta.size());
  meta[digit] = meta[digit] == '1' ? '2' : '1';
  WriteFile(backups_ + "/meta/2", meta);
  EXPECT_EQ(Ids(*repository_), std::vector<uint32_t>{1});
  EXPECT_EQ(CorruptIds(*repository_), std::vector<uint32_t>{2});
  EXPECT_GOOD(Verify(*repository_, 1));
  const Error error = Verify(*repository_, 2);
  EXPECT_NE(error.message().find("meta/2 was changed: it has "), std::string::npos) << error.message();
  EXPECT_CODE(repository_->Delete(1, false), "BACKUP_CORRUPT");
  EXPECT_GOOD(repository_->Delete(2, true));
  EXPECT_GOOD(Verify(*repository_, 1));
}

// Such as the folders that the system of a network storage makes everywhere.
TEST_F(LocalFileSystemTest, AFolderOfSomebodyElseEndsNoListingAndIsNoGarbage) {
  NEEDS_A_DISK();
  for (const char* part : {"shared_checksum", "private/1", "meta"}) {
    std::filesystem::create_directory(backups_ + "/" + part + "/@eaDir");
    WriteFile(backups_ + "/" + part + "/@eaDir/thumbs", "mine");
  }
  WriteFile(backups_ + "/private/.DS_Store", "mine");
  WriteFile(backups_ + "/private/2/.DS_Store", "mine");
  WriteFile(backups_ + "/shared_checksum/000099_s1_5.sst", "stray");
  ASSERT_EQ(mkfifo((backups_ + "/shared_checksum/fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink(path("outside/CURRENT"), backups_ + "/shared_checksum/link");
  std::filesystem::create_symlink("circle", backups_ + "/shared_checksum/circle");
  std::filesystem::create_directory_symlink(path("outside"), backups_ + "/shared_checksum/directory");
  std::filesystem::create_symlink(path("nowhere"), backups_ + "/private/1/.rocksdb-backup.files.tmp");
  std::filesystem::create_symlink(path("nowhere"), backups_ + "/meta/.9.tmp");
  std::filesystem::create_directory(backups_ + "/private/8");
  std::vector<GarbageFile> garbage;
  ASSERT_GOOD(repository_->ListGarbage(&garbage));
  const auto all = [this] {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(backups_)) {
      names.insert(entry.path().string().substr(backups_.size() + 1));
    }
    return names;
  };
  auto left = all();
  std::vector<std::string> listed;
  for (const GarbageFile& file : garbage) {
    listed.push_back(file.name);
    EXPECT_EQ(file.size, file.name == "shared_checksum/000099_s1_5.sst" ? 5U : 0U) << file.name;
  }
  EXPECT_EQ(listed,
            (std::vector<std::string>{"meta/.9.tmp", "private/1/.rocksdb-backup.files.tmp", "private/8/",
                                      "shared_checksum/000099_s1_5.sst", "shared_checksum/circle",
                                      "shared_checksum/directory", "shared_checksum/fifo", "shared_checksum/link"}));
  EXPECT_EQ(SharedFilesIn(OptionsFor("backups").settings, nullptr).size(), 3U);
  EXPECT_GOOD(repository_->CollectGarbage(false));
  ASSERT_GOOD(repository_->ListGarbage(&garbage));
  EXPECT_TRUE(garbage.empty());
  for (const std::string& name : listed) {
    EXPECT_EQ(left.erase(name.ends_with("/") ? name.substr(0, name.size() - 1) : name), 1U) << name;
  }
  EXPECT_EQ(all(), left) << "what is listed is what is deleted";
  EXPECT_EQ(ReadFile(path("outside/CURRENT")), "not yours");
  EXPECT_GOOD(Create(*repository_));
  EXPECT_EQ(ReadFile(backups_ + "/private/1/@eaDir/thumbs"), "mine");
}

TEST_F(LocalFileSystemTest, ASharedFileThatIsALinkOutIsNotCalledMissing) {
  NEEDS_A_DISK();
  const std::string table = FileOf(*repository_, 2, ".sst");
  std::filesystem::rename(table, path("outside/table"));
  std::filesystem::create_symlink(path("outside/table"), table);
  BackupSurvey survey;
  ASSERT_GOOD(repository_->Look(false, &survey));
  ASSERT_EQ(survey.corrupt.size(), 1U);
  EXPECT_NE(survey.corrupt[0].reason.find("leads out of the repository"), std::string::npos)
      << survey.corrupt[0].reason;
}

}  // namespace
}  // namespace rocksdb_backup::test
