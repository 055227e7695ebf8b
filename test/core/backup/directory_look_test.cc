#include "core/backup/directory_look.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <mutex>
#include <optional>

#include "backup_fixture.h"
#include "rocksdb/utilities/backup_engine.h"
#include "system_calls.h"

namespace rocksdb_backup::test {
namespace {

namespace fs = std::filesystem;

class DirectoryLookTest : public BackupTest {
 protected:
  std::string Meta(uint32_t id) const { return path("backups/meta/" + std::to_string(id)); }

  std::shared_ptr<const DirectoryPicture> Look(const std::string& directory = "backups") const {
    return LookAt(OptionsFor(directory).settings, Records::kRead);
  }

  // RocksDB's own engine, as another program uses it.
  std::unique_ptr<rocksdb::BackupEngine> RawEngine(const std::string& directory = "backups") const {
    rocksdb::BackupEngine* engine = nullptr;
    EXPECT_TRUE(
        rocksdb::BackupEngine::Open(rocksdb::BackupEngineOptions(path(directory)), rocksdb::Env::Default(), &engine)
            .ok());
    return std::unique_ptr<rocksdb::BackupEngine>(engine);
  }

  // What RocksDB's engine reports about a directory. nullopt if it reports any
  // damage.
  std::optional<std::vector<rocksdb::BackupInfo>> AskEngine() const {
    const rocksdb::BackupEngineOptions options(path("backups"));
    rocksdb::BackupEngineReadOnly* raw = nullptr;
    if (!rocksdb::BackupEngineReadOnly::Open(options, rocksdb::Env::Default(), &raw).ok()) {
      return std::nullopt;
    }
    const std::unique_ptr<rocksdb::BackupEngineReadOnly> engine(raw);
    std::vector<uint32_t> corrupt;
    engine->GetCorruptedBackups(&corrupt);
    std::vector<rocksdb::BackupInfo> infos;
    try {
      engine->GetBackupInfo(&infos, true);
    } catch (const std::exception&) {
      return std::nullopt;
    }
    return corrupt.empty() ? std::optional(std::move(infos)) : std::nullopt;
  }

  // Compares our picture, if there is one, with what the engine reports. Returns
  // whether there is a picture.
  bool Compare() const {
    const auto picture = Look();
    if (picture == nullptr) {
      return false;
    }
    const auto infos = AskEngine();
    EXPECT_TRUE(infos) << "the engine finds something wrong";
    if (!infos) {
      return true;
    }
    std::vector<uint32_t> ids;
    for (const auto& info : *infos) {
      ids.push_back(info.backup_id);
      const BackupDescription backup = picture->Describe(info.backup_id, true);
      EXPECT_EQ(backup.timestamp, info.timestamp);
      EXPECT_EQ(backup.size, info.size);
      EXPECT_EQ(backup.number_files, info.number_files);
      EXPECT_EQ(backup.app_metadata, info.app_metadata);
      EXPECT_EQ(backup.files.size(), info.file_details.size());
      for (size_t i = 0; i < std::min(backup.files.size(), info.file_details.size()); ++i) {
        EXPECT_EQ(backup.files[i].name, info.file_details[i].relative_filename);
        EXPECT_EQ(backup.files[i].size, info.file_details[i].size);
      }
      EXPECT_EQ(backup.excluded.size(), info.excluded_files.size());
    }
    EXPECT_EQ(ids, picture->ids());
    return true;
  }

  // Makes backups of both schemas, with and without metadata and excluded files.
  void MakeBackups() {
    for (const int schema : {1, 2}) {
      BackupRepository::Options options = OptionsFor("backups");
      options.settings.engine.schema_version = schema;
      const auto repository = OpenRepository(std::move(options));
      for (const size_t metadata : {0, 10, 9000}) {
        Fill(10, 100, "k" + std::to_string(metadata));
        CreateRequest request = Request();
        request.app_metadata = std::string(metadata, '\xff');
        if (schema == 2 && metadata == 0) {
          request.exclude_files = [](Operation&, const std::vector<std::string>& names, std::vector<bool>* excluded) {
            excluded->assign(names.size(), false);
            excluded->front() = true;
            return Error();
          };
        }
        BackupDescription created;
        ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
      }
    }
  }
};

TEST_F(DirectoryLookTest, APictureIsWhatTheEngineSays) {
  OpenRepository();
  EXPECT_TRUE(Compare()) << "of a directory without backups";
  MakeBackups();
  EXPECT_TRUE(Compare());
  EXPECT_EQ(Look()->ids().size(), 6U);
  EXPECT_TRUE(Look()->AsWritten());
}

TEST_F(DirectoryLookTest, AfterAnyChangeOfAMetaNoPictureDiffersFromTheEngine) {
  MakeBackups();
  int pictures = 0;
  for (const uint32_t id : {1U, 4U, 6U}) {
    const std::string meta = ReadFile(Meta(id));
    const size_t head = std::min<size_t>(meta.size(), 60);
    for (size_t at = 0; at < meta.size(); at += at < head ? 1 : 1 + meta.size() / 60) {
      for (const char byte : {'\n', ' ', '0', '9', '/', '.', '-', '\0', 'z'}) {
        std::string changed = meta;
        changed[at] = byte;
        WriteFile(Meta(id), changed);
        pictures += Compare() ? 1 : 0;
      }
      WriteFile(Meta(id), meta.substr(0, at));
      pictures += Compare() ? 1 : 0;
      WriteFile(Meta(id), meta.substr(0, at) + meta.substr(at + 1));
      pictures += Compare() ? 1 : 0;
    }
    WriteFile(Meta(id), meta);
  }
  EXPECT_GT(pictures, 20) << "a changed time is a picture still";
  EXPECT_TRUE(Compare());
}

TEST_F(DirectoryLookTest, WithAnyDamageOfFilesThereIsNoPictureOrTheSameAsTheEngines) {
  MakeBackups();
  ASSERT_TRUE(Compare());
  const std::string copy = path("copy");
  const auto damaged = [&](const std::string& what, const std::function<void()>& damage, bool has_picture) {
    SCOPED_TRACE(what);
    fs::copy(path("backups"), copy, fs::copy_options::recursive);
    damage();
    EXPECT_EQ(Compare(), has_picture);
    fs::remove_all(path("backups"));
    fs::rename(copy, path("backups"));
    EXPECT_TRUE(Compare());
  };
  const std::string table = path("backups/shared_checksum/" + *BackupFiles("shared_checksum").begin());
  const auto in_place_of = [](const std::string& file, const std::function<void()>& put) {
    fs::remove_all(file);
    put();
  };
  damaged(
      "a shared file is missing", [&] { fs::remove(table); }, false);
  damaged(
      "a private file is missing", [&] { fs::remove(path("backups/private/2/CURRENT")); }, false);
  damaged(
      "a private directory is missing", [&] { fs::remove_all(path("backups/private/2")); }, false);
  damaged(
      "all private directories are", [&] { fs::remove_all(path("backups/private")); }, false);
  damaged(
      "a file was cut off", [&] { fs::resize_file(table, 3); }, true);
  damaged(
      "a meta is gone", [&] { fs::remove(Meta(3)); }, true);
  damaged(
      "there are no metas", [&] { fs::remove_all(path("backups/meta")); }, false);
  damaged(
      "a file is a directory", [&] { in_place_of(table, [&] { fs::create_directory(table); }); }, false);
  damaged(
      "a file is a link", [&] { in_place_of(table, [&] { fs::create_symlink("/etc/passwd", table); }); }, false);
  damaged(
      "a file is a FIFO", [&] { in_place_of(table, [&] { mkfifo(table.c_str(), 0600); }); }, false);
  damaged(
      "a meta is a FIFO", [&] { in_place_of(Meta(2), [&] { mkfifo(Meta(2).c_str(), 0600); }); }, false);
  damaged(
      "a meta is a link", [&] { in_place_of(Meta(2), [&] { fs::create_symlink(Meta(3), Meta(2)); }); }, false);
  for (const std::string part : {"meta", "private", "private/2", "shared_checksum"}) {
    damaged(
        part + " is a link",
        [&] {
          fs::rename(path("backups/" + part), path("backups/elsewhere"));
          fs::create_directory_symlink(path("backups/elsewhere"), path("backups/" + part));
        },
        false);
    fs::remove_all(path("backups/elsewhere"));
  }
  damaged(
      "a meta has another's file",
      [&] {
        std::string meta = ReadFile(Meta(2));
        meta.replace(meta.find("private/2/"), 10, "private/3/");
        WriteFile(Meta(2), meta);
      },
      false);
  damaged(
      "two metas have other checksums of a file",
      [&] {
        std::string meta = ReadFile(Meta(2));
        const size_t at = meta.find(" crc32 ", meta.find("shared_checksum/")) + 7;
        meta.replace(at, meta.find('\n', at) - at, "7");
        WriteFile(Meta(2), meta);
      },
      false);
  damaged(
      "a meta has a file twice",
      [&] {
        std::string meta = ReadFile(Meta(2));
        const size_t begin = meta.find("shared_checksum/");
        const std::string line = meta.substr(begin, meta.find('\n', begin) + 1 - begin);
        const size_t other = meta.find("private/");
        meta.replace(other, meta.find('\n', other) + 1 - other, line);
        WriteFile(Meta(2), meta);
      },
      false);
  damaged(
      "a file lies there that is of no backup",
      [&] {
        WriteFile(path("backups/shared_checksum/9_9_9.sst"), "x");
        WriteFile(path("backups/meta/.9.tmp"), "x");
        WriteFile(path("backups/meta/x"), "x");
        fs::create_directory(path("backups/private/99"));
      },
      true);
}

// Counts how often each file was opened to be read. Paths are relative to the repository.
class CountingOpens : public CallWatcher {
 public:
  explicit CountingOpens(std::string directory) : directory_(std::move(directory)) { WatchCalls(directory_, this); }
  ~CountingOpens() override { WatchCalls("", nullptr); }
  Verdict Before(const Call& call) override {
    if (call.kind == CallKind::kOpenRead && fs::is_regular_file(call.path)) {
      const std::lock_guard lock(mutex_);
      ++opens_[call.path.substr(directory_.size() + 1)];
    }
    return {};
  }
  std::map<std::string, int> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(opens_, {});
  }

 private:
  const std::string directory_;
  std::mutex mutex_;
  std::map<std::string, int> opens_;
};

// The directories of backups that were listed, relative to the directory that contains them.
class CountingLists : public CallWatcher {
 public:
  explicit CountingLists(std::string directory) : directory_(std::move(directory)) { WatchCalls(directory_, this); }
  ~CountingLists() override { WatchCalls("", nullptr); }
  Verdict Before(const Call& call) override {
    const std::string name = fs::path(call.path).lexically_relative(directory_);
    if (call.kind == CallKind::kList && call.fd < 0 && name.starts_with("private/")) {
      const std::lock_guard lock(mutex_);
      lists_.push_back(name);
    }
    return {};
  }
  std::vector<std::string> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lists_, {});
  }

 private:
  const std::string directory_;
  std::mutex mutex_;
  std::vector<std::string> lists_;
};

TEST_F(DirectoryLookTest, OnlyWhatIsNewOrHasChangedIsRead) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "the sanitizer has the calls";
  }
  MakeBackups();
  const EngineSettings settings = OptionsFor("backups").settings;
  // At this time, all files made here count as old.
  const std::time_t later = std::time(nullptr) + 60;
  const auto record = [](int id) { return "private/" + std::to_string(id) + "/rocksdb-backup.files"; };
  using Opens = std::map<std::string, int>;
  CountingOpens opens(path("backups"));
  ASSERT_NE(LookAt(settings, Records::kLeaveOut, later), nullptr);
  EXPECT_EQ(opens.Take().size(), 6U) << "the metas";
  ASSERT_NE(LookAt(settings, Records::kRead, later), nullptr);
  EXPECT_EQ(opens.Take().size(), 6U) << "the records";
  const auto before = LookAt(settings, Records::kRead, later);
  EXPECT_EQ(opens.Take(), Opens());

  const std::string meta = ReadFile(Meta(2));
  WriteFile(Meta(2), "1" + meta.substr(meta.find('\n')));
  WriteFile(path("backups/" + record(3)), "");
  const auto after = LookAt(settings, Records::kRead, later);
  // Without a record, the backup's MANIFEST identifies its database.
  EXPECT_EQ(opens.Take(), (Opens{{"meta/2", 1}, {record(3), 1}, {"private/3/MANIFEST-000005", 1}}));
  EXPECT_EQ(before->Describe(2, false).timestamp > 1, true);
  EXPECT_EQ(after->Describe(2, false).timestamp, 1);

  // A file changed just now is read every time, because its time may not show another change.
  for (int i = 0; i < 2; ++i) {
    WriteFile(Meta(4), ReadFile(Meta(4)));
    ASSERT_NE(LookAt(settings), nullptr);
    EXPECT_EQ(opens.Take(), (Opens{{"meta/4", 1}}));
    ASSERT_NE(LookAt(settings), nullptr);
    EXPECT_EQ(opens.Take(), (Opens{{"meta/4", 1}}));
  }
}

TEST_F(DirectoryLookTest, ADirectoryOfABackupIsListedAgainOnlyWhenItHasOtherNames) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "the sanitizer has the calls";
  }
  MakeBackups();
  const EngineSettings settings = OptionsFor("backups").settings;
  const std::time_t later = std::time(nullptr) + 60;
  const auto look = [&] { return LookAt(settings, Records::kRead, later); };
  CountingLists lists(path("backups"));
  ASSERT_NE(look(), nullptr);
  EXPECT_EQ(lists.Take().size(), 6U);
  ASSERT_NE(look(), nullptr);
  EXPECT_EQ(lists.Take(), std::vector<std::string>());

  // A changed file is seen without a listing. A new or missing file is seen by a listing.
  const uint64_t whole = look()->Describe(2, false).size;
  const uint64_t length = fs::file_size(path("backups/private/2/CURRENT"));
  fs::resize_file(path("backups/private/2/CURRENT"), 3);
  EXPECT_EQ(whole - look()->Describe(2, false).size, length - 3);
  EXPECT_EQ(lists.Take(), std::vector<std::string>());
  WriteFile(path("backups/private/3/more"), "");
  ASSERT_NE(look(), nullptr);
  EXPECT_EQ(lists.Take(), std::vector<std::string>{"private/3"});
  fs::remove(path("backups/private/2/CURRENT"));
  EXPECT_EQ(look(), nullptr);
  EXPECT_EQ(lists.Take(), std::vector<std::string>{"private/2"});

  // A directory changed just now is listed every time, because its time may not show another change.
  WriteFile(path("backups/private/2/CURRENT"), "MANIFEST-000005\n");
  for (int i = 0; i < 2; ++i) {
    ASSERT_NE(LookAt(settings), nullptr);
    EXPECT_EQ(lists.Take(), std::vector<std::string>{"private/2"});
  }
}

TEST_F(DirectoryLookTest, AChangeRightAfterTheLookIsSeen) {
  MakeBackups();
  const std::string meta = ReadFile(Meta(2));
  const size_t line = meta.find('\n');
  for (int i = 0; i < 300; ++i) {
    // Changes the file in place at once and keeps its size. The file's times may
    // stay the same.
    std::string changed = meta;
    const std::string time = std::to_string(1'000'000'000 + i);
    ASSERT_EQ(time.size(), line);
    changed.replace(0, line, time);
    std::fstream file(Meta(2), std::ios::in | std::ios::out | std::ios::binary);
    file << changed << std::flush;
    ASSERT_EQ(Look()->Describe(2, false).timestamp, 1'000'000'000 + i);
  }
}

TEST_F(DirectoryLookTest, AnUnchangedDirectoryHasTheSamePicture) {
  MakeBackups();
  const auto before = Look();
  EXPECT_EQ(Look(), before);
  EXPECT_EQ(LookAt(OptionsFor("backups").settings), before);
  fs::resize_file(path("backups/private/2/CURRENT"), 3);
  EXPECT_NE(Look(), before);
}

TEST_F(DirectoryLookTest, TheRecordShowsThatAMetaWasChanged) {
  MakeBackups();
  std::string meta = ReadFile(Meta(2));
  meta[0] = meta[0] == '1' ? '2' : '1';
  WriteFile(Meta(2), meta);
  EXPECT_FALSE(Look()->AsWritten());
  fs::remove(path("backups/private/2/rocksdb-backup.files"));
  EXPECT_TRUE(Look()->AsWritten()) << "nothing says otherwise any more";
}

TEST_F(DirectoryLookTest, WhatOtherProgramsMakeAndDeleteIsSeen) {
  const auto repository = OpenRepository();
  Fill(10, 100, "a");
  ASSERT_GOOD(Create(*repository));
  EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{1}));
  Fill(10, 100, "b");
  ASSERT_TRUE(RawEngine()->CreateNewBackup(db_.get()).ok());
  EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{1, 2}));
  ASSERT_TRUE(RawEngine()->DeleteBackup(1).ok());
  EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{2}));
  ASSERT_TRUE(RawEngine()->DeleteBackup(2).ok());
  Fill(10, 100, "c");
  ASSERT_TRUE(RawEngine()->CreateNewBackup(db_.get()).ok());
  EXPECT_EQ(Ids(*repository), (std::vector<uint32_t>{1})) << "another of the same id";
  EXPECT_TRUE(Compare());
}

// A delete leaves the same files as RocksDB's own engine.
TEST_F(DirectoryLookTest, ADeleteLeavesWhatTheEngineWouldLeave) {
  MakeBackups();
  const auto garbage = [&](const std::string& directory) {
    WriteFile(path(directory + "/shared_checksum/000099_9_9.sst"), "x");
    WriteFile(path(directory + "/shared_checksum/.000098_9_9.sst.tmp"), "x");
    fs::create_directory(path(directory + "/private/77"));
    WriteFile(path(directory + "/private/77/CURRENT"), "x");
  };
  const auto files_of = [&](const std::string& directory) {
    std::set<std::string> files = FilesBelow(path(directory));
    std::erase_if(files, [](const std::string& name) { return name.find("rocksdb-backup.") != std::string::npos; });
    return files;
  };
  for (const std::vector<uint32_t>& ids :
       {std::vector<uint32_t>{1}, {6}, {2, 4}, {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5, 6}, {}}) {
    fs::copy(path("backups"), path("ours"), fs::copy_options::recursive);
    fs::copy(path("backups"), path("theirs"), fs::copy_options::recursive);
    garbage("ours");
    garbage("theirs");
    for (const auto& entry : fs::directory_iterator(path("theirs/private"))) {
      fs::remove(entry.path() / "rocksdb-backup.files");
    }
    const auto repository = OpenRepository(OptionsFor("ours"));
    const auto engine = RawEngine("theirs");
    for (const uint32_t id : ids) {
      ASSERT_GOOD(repository->Delete(id, false));
      ASSERT_TRUE(engine->DeleteBackup(id).ok());
    }
    if (ids.empty()) {
      ASSERT_GOOD(repository->CollectGarbage(false));
      ASSERT_TRUE(engine->GarbageCollect().ok());
    }
    EXPECT_EQ(files_of("ours"), files_of("theirs"));
    for (const uint32_t id : Ids(*repository)) {
      EXPECT_GOOD(Verify(*repository, id));
      EXPECT_TRUE(fs::exists(path("ours/private/" + std::to_string(id) + "/rocksdb-backup.files")));
    }
    fs::remove_all(path("ours"));
    fs::remove_all(path("theirs"));
  }
}

TEST_F(DirectoryLookTest, APurgeLeavesWhatTheEngineWouldLeave) {
  MakeBackups();
  for (const uint32_t keep : {0U, 1U, 3U, 6U, 9U}) {
    fs::copy(path("backups"), path("ours"), fs::copy_options::recursive);
    const auto repository = OpenRepository(OptionsFor("ours"));
    ASSERT_GOOD(repository->PurgeOld(keep, false));
    std::vector<uint32_t> kept = {1, 2, 3, 4, 5, 6};
    kept.erase(kept.begin(), kept.end() - std::min<int>(static_cast<int>(keep), 6));
    EXPECT_EQ(Ids(*repository), kept);
    std::set<std::string> expected;
    for (const uint32_t id : kept) {
      BackupDescription backup;
      ASSERT_GOOD(repository->Describe(id, true, &backup));
      for (const auto& file : backup.files) {
        expected.insert(file.name);
      }
      EXPECT_GOOD(Verify(*repository, id));
    }
    std::set<std::string> found;
    for (const std::string part : {"private", "shared_checksum"}) {
      for (const auto& name : FilesBelow(path("ours/" + part))) {
        if (fs::is_regular_file(path("ours/" + part + "/" + name)) && !name.ends_with("rocksdb-backup.files")) {
          found.insert(part + "/" + name);
        }
      }
    }
    EXPECT_EQ(found, expected);
    fs::remove_all(path("ours"));
  }
}

TEST_F(DirectoryLookTest, ACreateCopiesNothingThatAnyBackupHas) {
  const auto repository = OpenRepository();
  for (int i = 0; i < 3; ++i) {
    Fill(10, 100, "k" + std::to_string(i));
    ASSERT_GOOD(Create(*repository));
  }
  std::map<std::string, ino_t> before;
  const auto inode = [&](const std::string& name) {
    struct stat status = {};
    EXPECT_EQ(stat(path("backups/shared_checksum/" + name).c_str(), &status), 0);
    return status.st_ino;
  };
  for (const auto& name : BackupFiles("shared_checksum")) {
    before[name] = inode(name);
  }
  // The database shares no file with the latest backup, and two tables with older
  // backups.
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(created.id, 4U);
  for (const auto& [name, number] : before) {
    EXPECT_EQ(inode(name), number) << name << " was copied again";
  }
  EXPECT_EQ(BackupFiles("shared_checksum").size(), before.size());
  BackupDescription described;
  ASSERT_GOOD(repository->Describe(4, false, &described));
  EXPECT_EQ(created.unique_size, described.unique_size);
  EXPECT_EQ(created.size, described.size);
  EXPECT_TRUE(Compare());
  EXPECT_EQ(Restored(*repository, 4), ContentsOf(db_.get()));
}

// A create collects garbage after it fails, or if it finds files of a killed
// create.
TEST_F(DirectoryLookTest, ACleanUpInACreateKeepsFilesThatTheEngineDidNotSee) {
  const auto repository = OpenRepository();
  for (int i = 0; i < 4; ++i) {
    Fill(10, 100, "k" + std::to_string(i));
    ASSERT_GOOD(Create(*repository));
  }
  fs::create_directory(path("backups/private/5"));
  WriteFile(path("backups/private/5/CURRENT"), "left over");
  WriteFile(path("backups/shared_checksum/000099_9_9.sst"), "left over");
  BackupDescription created;
  ASSERT_GOOD(Create(*repository, &created));
  EXPECT_EQ(created.id, 5U);
  EXPECT_FALSE(fs::exists(path("backups/shared_checksum/000099_9_9.sst"))) << "the clean-up ran";

  const std::set<std::string> before = FilesBelow(path("backups"));
  Fill(10, 100, "more");
  const auto operation = NewOperation([](const Progress&) {});
  CreateRequest request = Request();
  request.exclude_files = [](Operation& running, const std::vector<std::string>&, std::vector<bool>*) {
    running.RequestStop();
    return Error();
  };
  BackupRepository::Options options = OptionsFor("backups");
  options.settings.engine.schema_version = 2;
  BackupDescription ignored;
  EXPECT_CODE(OpenRepository(std::move(options))->Create(request, operation, &ignored), "BACKUP_STOPPED");
  EXPECT_EQ(FilesBelow(path("backups")), before);
  for (const uint32_t id : {1U, 2U, 3U, 4U, 5U}) {
    EXPECT_GOOD(Verify(*repository, id));
  }
}

TEST_F(DirectoryLookTest, OneBackupIsReadWithoutTheOthersMetas) {
  const auto repository = OpenRepository();
  for (int i = 0; i < 3; ++i) {
    Fill(10, 100, "k" + std::to_string(i));
    ASSERT_GOOD(Create(*repository));
  }
  BackupDescription second;
  ASSERT_GOOD(repository->Describe(2, true, &second));
  const auto picture = Look();
  std::shared_ptr<BackupEngineSession> session;
  fs::rename(Meta(1), path("1"));
  fs::rename(Meta(3), path("3"));
  ASSERT_GOOD(BackupEngineSession::Open(
      OptionsFor("backups").settings,
      {.count_backup = ObservedFileSystem::Count::kReads, .picture = picture, .ids = {2}}, &session));
  EXPECT_TRUE(session->reader().VerifyBackup(2, true).ok());
  BackupDescription described;
  ASSERT_GOOD(session->Describe(2, true, &described));
  EXPECT_EQ(described.unique_size, second.unique_size);
  EXPECT_EQ(described.files.size(), second.files.size());
}

}  // namespace
}  // namespace rocksdb_backup::test
