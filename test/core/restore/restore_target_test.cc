#include "core/restore/restore_target.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "backup_fixture.h"
#include "child_process.h"
#include "core/restore/restore_leftovers.h"
#include "core/storage/local_storage.h"
#include "system_calls.h"

namespace rocksdb_backup::test {
namespace {

namespace fs = std::filesystem;

// The files that a test puts into the staged directory, instead of the engine.
constexpr const char* kNewFiles[] = {"CURRENT", "MANIFEST-000009", "000008.sst", "OPTIONS-000010"};
constexpr const char* kNewCurrent = "MANIFEST-000009\n";
constexpr const char* kOldCurrent = "MANIFEST-000001\n";

class RestoreTargetTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    fs::create_directory(path("backups"));
  }

  RestoreTarget::Options To(const std::string& target, bool overwrite = false) const {
    RestoreTarget::Options options;
    options.database_dir = path(target);
    options.overwrite = overwrite;
    return options;
  }

  static void FillStaged(const RestoreTarget& target) {
    for (const std::string name : kNewFiles) {
      WriteFile(target.staged_database_dir() + "/" + name, name == "CURRENT" ? kNewCurrent : "new");
    }
    WriteFile(target.staged_wal_dir() + "/000007.log", "new");
  }

  Error Prepare(RestoreTarget& target) const { return target.Prepare(LocalStorage(path("backups"))); }

  Error PrepareAndStage(RestoreTarget& target) const {
    if (Error error = Prepare(target); !error.ok()) {
      return error;
    }
    if (Error error = target.Stage(); !error.ok()) {
      return error;
    }
    FillStaged(target);
    return Error();
  }

  Error RestoreInto(RestoreTarget::Options options) const {
    RestoreTarget target(std::move(options));
    if (Error error = PrepareAndStage(target); !error.ok()) {
      return error;
    }
    return target.Install();
  }

  // Makes an old database and, with `others`, files of the user in its directory.
  void MakeOld(const std::string& name, bool others = true) const {
    fs::create_directories(path(name + "/archive"));
    for (const char* file :
         {"MANIFEST-000001", "000002.sst", "000003.log", "LOCK", "LOG", "IDENTITY", "archive/000001.log"}) {
      WriteFile(path(name + "/" + file), "old");
    }
    WriteFile(path(name + "/CURRENT"), kOldCurrent);
    if (others) {
      fs::create_directories(path(name + "/folder"));
      fs::create_directories(path(name + "/empty"));
      WriteFile(path(name + "/notes.txt"), "mine");
      WriteFile(path(name + "/folder/000009.sst"), "mine");
      fs::create_symlink("notes.txt", path(name + "/link"));
    }
  }

  std::set<std::string> New(bool others) const {
    std::set<std::string> names(std::begin(kNewFiles), std::end(kNewFiles));
    names.insert("000007.log");
    if (others) {
      names.insert({"folder", "folder/000009.sst", "empty", "notes.txt", "link"});
    }
    return names;
  }

  const bool is_root_ = geteuid() == 0;
};

// ---- Kinds of targets

TEST_F(RestoreTargetTest, AnAbsentTargetIsMadeWithItsParents) {
  ASSERT_GOOD(RestoreInto(To("deep/er/db")));
  EXPECT_EQ(FilesBelow(path("deep/er/db")), New(false));
  EXPECT_EQ(NamesIn(path("deep/er")), std::set<std::string>{"db"});
}

TEST_F(RestoreTargetTest, AnEmptyTargetIsTakenAndKeepsItsPermissions) {
  fs::create_directory(path("db"));
  ASSERT_EQ(chmod(path("db").c_str(), 0711), 0);
  ASSERT_GOOD(RestoreInto(To("db")));
  EXPECT_EQ(FilesBelow(path("db")), New(false));
  EXPECT_EQ(static_cast<unsigned>(fs::status(path("db")).permissions()), 0711U);
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

TEST_F(RestoreTargetTest, ADatabaseIsRefusedBeforeAnythingIsMadeAndTheMessageSaysWhatToDo) {
  MakeOld("db");
  const auto before = FilesBelow(root_);
  const Error error = RestoreInto(To("db"));
  EXPECT_EQ(error.code(), "TARGET_EXISTS");
  EXPECT_NE(error.message().find(path("db")), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("it holds a database"), std::string::npos) << error.message();
  EXPECT_EQ(error.advice(), "overwrite") << error.message();
  EXPECT_EQ(FilesBelow(root_), before);
}

// Some of the files only look like files of a database.
TEST_F(RestoreTargetTest, FilesThatAreNoDatabaseAreListedAndNeverReplaced) {
  const std::set<std::string> looks_like_one = {"000123.log", "LOG", "LOG.old.123", "IDENTITY", "000001.sst"};
  const std::vector<std::pair<std::string, std::string>> currents = {
      {"", ""},  // no file
      {"CURRENT", "mine"},
      {"CURRENT", ""},
      {"CURRENT", "MANIFEST-000005"},
      {"CURRENT", "MANIFEST-000006\n"},  // this MANIFEST does not exist
      {"CURRENT", "MANIFEST-x\n"},
      {"CURRENT", "../db/000001.sst\n"},
      {"CURRENT", std::string(5000, '1')},
  };
  std::vector<std::map<std::string, std::string>> directories = {{{"file", "mine"}}, {{".hidden", "mine"}}};
  for (const auto& [name, contents] : currents) {
    auto& files = directories.emplace_back();
    files["archive/2024.log"] = files["MANIFEST-000005"] = "mine";
    for (const auto& other : looks_like_one) {
      files[other] = "mine";
    }
    if (!name.empty()) {
      files[name] = contents;
    }
  }
  for (const auto& files : directories) {
    fs::create_directories(path("db/archive"));
    for (const auto& [name, contents] : files) {
      WriteFile(path("db/" + name), contents);
    }
    for (const bool overwrite : {false, true}) {
      const Error error = RestoreInto(To("db", overwrite));
      EXPECT_CODE(error, "TARGET_EXISTS");
      EXPECT_NE(error.message().find("holds no database"), std::string::npos) << error.message();
      EXPECT_EQ(error.message().find("overwrite: true"), std::string::npos) << error.message();
      for (const auto& [name, contents] : files) {
        EXPECT_NE(error.message().find(name.substr(0, name.find('/'))), std::string::npos) << error.message();
        EXPECT_EQ(ReadFile(path("db/" + name)), contents) << name;
      }
      EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
    }
    fs::remove_all(path("db"));
  }
}

TEST_F(RestoreTargetTest, AnUnreadableCurrentIsReported) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  class Denied : public CallWatcher {
   public:
    Verdict Before(const Call& call) override {
      return {.error = call.kind == CallKind::kOpenRead && call.path.ends_with("/CURRENT") ? EACCES : 0};
    }
  } denied;
  MakeOld("db");
  WatchCalls(root_, &denied);
  const Error error = RestoreInto(To("db", true));
  WatchCalls("", nullptr);
  EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
  EXPECT_NE(error.message().find(path("db/CURRENT")), std::string::npos) << error.message();
}

TEST_F(RestoreTargetTest, AManifestThatIsALinkMakesNoDatabase) {
  fs::create_directories(path("db"));
  WriteFile(path("elsewhere"), "mine");
  fs::create_symlink(path("elsewhere"), path("db/MANIFEST-000005"));
  WriteFile(path("db/CURRENT"), "MANIFEST-000005\n");
  EXPECT_CODE(RestoreInto(To("db", true)), "TARGET_EXISTS");
}

TEST_F(RestoreTargetTest, AFileIsNoTargetEvenWithOverwrite) {
  WriteFile(path("db"), "mine");
  for (const bool overwrite : {false, true}) {
    EXPECT_CODE(RestoreInto(To("db", overwrite)), "TARGET_EXISTS");
    EXPECT_EQ(ReadFile(path("db")), "mine");
  }
  EXPECT_CODE(RestoreInto(To("db/below")), "ROCKSDB_IO_ERROR");
}

TEST_F(RestoreTargetTest, AnEmptyPathIsRefused) {
  RestoreTarget target({});
  EXPECT_CODE(Prepare(target), "INVALID_OPTION");
}

TEST_F(RestoreTargetTest, ALinkIsFollowedAndStays) {
  MakeOld("real");
  fs::create_directory_symlink(path("real"), path("db"));
  ASSERT_GOOD(RestoreInto(To("db", true)));
  EXPECT_TRUE(fs::is_symlink(path("db")));
  EXPECT_EQ(FilesBelow(path("real")), New(true));
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "real", "backups"}));
}

TEST_F(RestoreTargetTest, ALinkThatLeadsNowhereIsRefusedBeforeTheCopying) {
  fs::create_directory_symlink(path("nowhere"), path("db"));
  for (const bool overwrite : {false, true}) {
    EXPECT_CODE(RestoreInto(To("db", overwrite)), "TARGET_EXISTS");
  }
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

TEST_F(RestoreTargetTest, TheBackupDirectoryAndItsPartsAreNoTargets) {
  for (const char* part :
       {"", "/meta", "/private", "/private/1", "/private/1/x", "/shared", "/shared/x", "/shared_checksum", "/meta/x"}) {
    for (const bool as_wal_dir : {false, true}) {
      RestoreTarget::Options options = To(as_wal_dir ? "db" : std::string("backups") + part, true);
      if (as_wal_dir) {
        options.wal_dir = path("backups") + part;
      }
      EXPECT_CODE(RestoreInto(options), "INVALID_OPTION") << part;
    }
  }
  EXPECT_TRUE(FilesBelow(path("backups")).empty());
  EXPECT_GOOD(RestoreInto(To("backups/restored"))) << "a name of its own there is as good as another";
}

TEST_F(RestoreTargetTest, ADatabaseInsideItsOwnWalDirIsRefused) {
  RestoreTarget::Options options = To("logs/db");
  options.wal_dir = path("logs");
  EXPECT_CODE(RestoreInto(options), "INVALID_OPTION");
}

// ---- Overwriting

TEST_F(RestoreTargetTest, FilesOfTheUserStayWhenTheDatabaseIsReplaced) {
  MakeOld("db");
  ASSERT_GOOD(RestoreInto(To("db", true)));
  EXPECT_EQ(FilesBelow(path("db")), New(true));
  EXPECT_EQ(ReadFile(path("db/CURRENT")), kNewCurrent);
  EXPECT_EQ(ReadFile(path("db/notes.txt")), "mine");
  EXPECT_EQ(ReadFile(path("db/folder/000009.sst")), "mine");
  EXPECT_TRUE(fs::is_symlink(path("db/link")));
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

TEST_F(RestoreTargetTest, AFolderCalledArchiveWithOtherThingsStays) {
  MakeOld("db", false);
  WriteFile(path("db/archive/report.pdf"), "mine");
  ASSERT_GOOD(RestoreInto(To("db", true)));
  EXPECT_TRUE(fs::exists(path("db/archive/report.pdf")));
}

// The number 2024 is too high: all files of a database share one counter.
TEST_F(RestoreTargetTest, ArchivedLogsWithNumbersAboveTheDatabasesStay) {
  MakeOld("db");
  WriteFile(path("db/archive/2024.log"), "mine");
  ASSERT_GOOD(RestoreInto(To("db", true)));
  EXPECT_EQ(ReadFile(path("db/archive/2024.log")), "mine");
  EXPECT_FALSE(fs::exists(path("db/000002.sst")));
}

TEST_F(RestoreTargetTest, NamesThatRocksDbDoesNotGiveStay) {
  MakeOld("db");
  const std::set<std::string> others = {"LOG.old.friday", "LOGBOOK",          "OPTIONS-mine", "OPTIONS-1.2",
                                        "MANIFEST-",      "MANIFEST-000001~", "METADB-mine",  "000002.sst.bak"};
  for (const auto& name : others) {
    WriteFile(path("db/" + name), "mine");
  }
  for (const char* name : {"OPTIONS-000004", "OPTIONS-000005.dbtmp", "LOG.old.1700000000000000", "LOG.old"}) {
    WriteFile(path("db/") + name, "old");
  }
  ASSERT_GOOD(RestoreInto(To("db", true)));
  auto expected = New(true);
  expected.insert(others.begin(), others.end());
  EXPECT_EQ(FilesBelow(path("db")), expected);
}

TEST_F(RestoreTargetTest, BackupsInTheTargetDoNotMove) {
  MakeOld("db");
  fs::remove(path("backups"));
  fs::create_directories(path("db/backups/meta"));
  WriteFile(path("db/backups/meta/1"), "meta");
  struct stat before = {};
  ASSERT_EQ(stat(path("db").c_str(), &before), 0);
  RestoreTarget target(To("db", true));
  ASSERT_GOOD(target.Prepare(LocalStorage(path("db/backups"))));
  ASSERT_GOOD(target.Stage());
  FillStaged(target);
  ASSERT_GOOD(target.Install());
  struct stat after = {};
  ASSERT_EQ(stat(path("db").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino) << "the directory itself stayed";
  auto expected = New(true);
  expected.insert({"backups", "backups/meta", "backups/meta/1"});
  EXPECT_EQ(FilesBelow(path("db")), expected);
}

// If the repository is in the target, files are moved one by one, as in a mount point.
class RestoreWaysTest : public RestoreTargetTest, public ::testing::WithParamInterface<bool> {
 protected:
  Error PrepareWay(RestoreTarget& target, const std::string& name) const {
    return target.Prepare(LocalStorage(GetParam() ? path(name + "/backups") : path("backups")));
  }
  void MakeBackups(const std::string& name) const {
    if (GetParam()) {
      fs::create_directories(path(name + "/backups"));
    }
  }
  std::map<std::string, std::string> Snapshot(const std::string& name) const {
    std::map<std::string, std::string> contents;
    for (const auto& file : FilesBelow(path(name))) {
      contents[file] = fs::is_regular_file(path(name + "/" + file)) ? ReadFile(path(name + "/" + file)) : "";
    }
    return contents;
  }

  // Looks at a database after each rename and delete, as if the process had ended there and the user opened it.
  class Onlooker : public CallWatcher {
   public:
    Onlooker(std::string database, std::string logs) : database_(std::move(database)), logs_(std::move(logs)) {}

    Verdict Before(const Call&) override { return {}; }
    void After(const Call& call) override {
      if (call.kind != CallKind::kRename && call.kind != CallKind::kDelete) {
        return;
      }
      ++looks;
      const std::string current = database_ + "/CURRENT";
      if (!fs::exists(current)) {
        return;  // without CURRENT, it cannot be opened
      }
      const bool is_new = ReadFile(current) == kNewCurrent;
      EXPECT_TRUE(is_new || ReadFile(current) == kOldCurrent);
      for (const char* name : is_new ? std::vector<const char*>(std::begin(kNewFiles) + 1, std::end(kNewFiles))
                                     : std::vector<const char*>{"MANIFEST-000001", "000002.sst"}) {
        EXPECT_EQ(ReadFile(database_ + "/" + name), is_new ? "new" : "old")
            << name << " after " << call.path << " " << call.other;
      }
      EXPECT_EQ(fs::exists(logs_ + "/000003.log"), !is_new) << call.path << " " << call.other;
      EXPECT_EQ(fs::exists(logs_ + "/000007.log"), is_new) << call.path << " " << call.other;
    }

    int looks = 0;

   private:
    const std::string database_;
    const std::string logs_;
  };
};

// The n-th rename fails. Renames that undo earlier ones succeed.
class FailingRename : public CallWatcher {
 public:
  FailingRename(int nth, int* seen) : nth_(nth), seen_(seen) {}
  Verdict Before(const Call& call) override {
    return {.error = call.kind == CallKind::kRename && !call.exchange && ++*seen_ == nth_ ? EIO : 0};
  }

 private:
  const int nth_;
  int* const seen_;
};

TEST_P(RestoreWaysTest, WithoutAnInstallNothingIsChangedAndNothingIsLeft) {
  MakeOld("db");
  MakeBackups("db");
  const auto before = Snapshot("db");
  {
    RestoreTarget target(To("db", true));
    ASSERT_GOOD(PrepareWay(target, "db"));
    ASSERT_GOOD(target.Stage());
    FillStaged(target);
  }
  EXPECT_EQ(Snapshot("db"), before);
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

TEST_P(RestoreWaysTest, AFailureInTheMiddleOfTheInstallLeavesTheTargetAsItWas) {
  MakeOld("db");
  MakeBackups("db");
  RestoreTarget target(To("db", true));
  ASSERT_GOOD(PrepareWay(target, "db"));
  ASSERT_GOOD(target.Stage());
  FillStaged(target);
  // A file stands where a folder of the target must go, or a folder where a file must go. The install fails there.
  if (GetParam()) {
    fs::create_directories(target.staged_database_dir() + "/folder");
    WriteFile(target.staged_database_dir() + "/folder/x", "new");
  } else {
    WriteFile(target.staged_database_dir() + "/folder", "new");
  }
  const auto before = Snapshot("db");
  const Error error = target.Install();
  EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR") << error.message();
  EXPECT_NE(error.message().find("folder"), std::string::npos) << error.message();
  EXPECT_EQ(Snapshot("db").at("CURRENT"), kOldCurrent);
  for (const auto& [name, contents] : before) {
    if (name.rfind(".restoring-", 0) != 0) {
      EXPECT_EQ(Snapshot("db").at(name), contents) << name;
    }
  }
  EXPECT_FALSE(fs::exists(path("db/OPTIONS-000010")));
}

TEST_P(RestoreWaysTest, AfterAFailedInstallNothingIsLeftBesideTheTarget) {
  MakeOld("db");
  MakeBackups("db");
  const auto before = Snapshot("db");
  {
    RestoreTarget target(To("db", true));
    ASSERT_GOOD(PrepareWay(target, "db"));
    ASSERT_GOOD(target.Stage());
    FillStaged(target);
    fs::create_directories(target.staged_database_dir() + "/folder/x");
    if (!GetParam()) {
      fs::remove_all(target.staged_database_dir() + "/folder");
      WriteFile(target.staged_database_dir() + "/folder", "new");
    }
    EXPECT_FALSE(target.Install().ok());
  }
  EXPECT_EQ(Snapshot("db"), before);
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

TEST_P(RestoreWaysTest, LogsInADirectoryOfTheDatabaseAreReplacedWithIt) {
  for (const char* inside : {"wal", "deep/wal"}) {
    MakeOld("db");
    MakeBackups("db");
    fs::remove(path("db/000003.log"));
    fs::create_directories(path("db") + "/" + inside + "/archive");
    const std::string wal = path("db") + "/" + inside;
    WriteFile(wal + "/000003.log", "old");
    WriteFile(wal + "/archive/000002.log", "old");
    WriteFile(wal + "/notes.txt", "mine");
    RestoreTarget::Options options = To("db", true);
    options.wal_dir = wal;
    RestoreTarget target(options);
    ASSERT_GOOD(PrepareWay(target, "db"));
    ASSERT_GOOD(target.Stage());
    FillStaged(target);
    ASSERT_GOOD(target.Install());
    EXPECT_EQ(FilesBelow(wal), (std::set<std::string>{"000007.log", "notes.txt"}));
    EXPECT_EQ(ReadFile(path("db/CURRENT")), kNewCurrent);
    EXPECT_TRUE(fs::exists(path("db/notes.txt")));
    EXPECT_FALSE(fs::exists(path("db/000007.log")));
    for (const auto& name : NamesIn(path("db"))) {
      EXPECT_EQ(name.find("restoring"), std::string::npos) << name;
    }
    EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
    fs::remove_all(path("db"));
  }
}

TEST_P(RestoreWaysTest, KeptLogsGoOnBesideTheRestoredFilesAndTheBackupsOwnWins) {
  MakeOld("db");
  MakeBackups("db");
  WriteFile(path("db/000007.log"), "old");
  auto options = To("db", true);
  options.keep_log_files = true;
  RestoreTarget target(options);
  ASSERT_GOOD(PrepareWay(target, "db"));
  ASSERT_GOOD(target.Stage());
  FillStaged(target);
  ASSERT_GOOD(target.Install());
  EXPECT_EQ(ReadFile(path("db/000003.log")), "old");
  EXPECT_EQ(ReadFile(path("db/000001.log")), "old") << "from the archive";
  EXPECT_EQ(ReadFile(path("db/000007.log")), "new");
  EXPECT_FALSE(fs::exists(path("db/000002.sst")));
  EXPECT_EQ(ReadFile(path("db/CURRENT")), kNewCurrent);
}

TEST_P(RestoreWaysTest, TheOldDatabaseIsKeptBesideTheTargetWhenAskedFor) {
  for (const char* logs : {"db", "db/wal", "logs"}) {
    SCOPED_TRACE(logs);
    MakeOld("db");
    MakeBackups("db");
    ASSERT_EQ(chmod(path("db").c_str(), 0711), 0);
    fs::create_directories(path(logs));
    if (path(logs) != path("db")) {
      fs::rename(path("db/000003.log"), path(logs) + "/000003.log");
    }
    auto options = To("db", true);
    options.wal_dir = path(logs);
    options.keep_old = true;
    {
      RestoreTarget target(options);
      ASSERT_GOOD(PrepareWay(target, "db"));
      ASSERT_GOOD(target.Stage());
      FillStaged(target);
      ASSERT_GOOD(target.Install());
      EXPECT_EQ(ReadFile(path("db/CURRENT")), kNewCurrent);
      EXPECT_EQ(ReadFile(path("db/notes.txt")), "mine");
      EXPECT_FALSE(fs::exists(path("db/000002.sst")));
      ASSERT_TRUE(target.kept().starts_with(path("db.replaced-"))) << target.kept();
      std::set<std::string> expected = {"CURRENT", "MANIFEST-000001", "000002.sst", "LOCK",
                                        "LOG",     "IDENTITY",        "archive",    "archive/000001.log"};
      std::set<std::string> names = {"db", "backups", NameOf(target.kept())};
      if (logs == std::string("logs")) {
        ASSERT_TRUE(target.kept_logs().starts_with(path("logs.replaced-"))) << target.kept_logs();
        EXPECT_EQ(FilesBelow(target.kept_logs()), std::set<std::string>{"000003.log"});
        names.insert({"logs", NameOf(target.kept_logs())});
      } else {
        EXPECT_EQ(target.kept_logs(), "");
        expected.merge(logs == std::string("db") ? std::set<std::string>{"000003.log"}
                                                 : std::set<std::string>{"wal", "wal/000003.log"});
      }
      EXPECT_EQ(FilesBelow(target.kept()), expected);
      EXPECT_EQ(ReadFile(target.kept() + "/CURRENT"), kOldCurrent);
      EXPECT_EQ(static_cast<unsigned>(fs::status(target.kept()).permissions()), 0711U);
      EXPECT_EQ(NamesIn(root_), names);
    }
    for (const auto& name : NamesIn(root_)) {
      if (name != "backups") {
        fs::remove_all(path(name));
      }
    }
  }
}

TEST_P(RestoreWaysTest, WhatIsKeptIsBackInItsPlaceWhenTheRestoreFails) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  for (const char* logs : {"db", "logs"}) {
    for (int renames = 1;; ++renames) {
      SCOPED_TRACE(logs + std::to_string(renames));
      MakeOld("db");
      MakeBackups("db");
      fs::create_directories(path(logs));
      if (path(logs) != path("db")) {
        fs::rename(path("db/000003.log"), path(logs) + "/000003.log");
      }
      const auto before = FilesBelow(root_);
      auto options = To("db", true);
      options.wal_dir = path(logs);
      options.keep_old = true;
      bool failed = false;
      {
        RestoreTarget target(options);
        ASSERT_GOOD(PrepareWay(target, "db"));
        ASSERT_GOOD(target.Stage());
        FillStaged(target);
        int seen = 0;
        FailingRename failing(renames, &seen);
        WatchCalls(root_, &failing);
        const Error error = target.Install();
        WatchCalls("", nullptr);
        failed = seen >= renames && !error.ok();
      }
      if (failed) {
        EXPECT_EQ(FilesBelow(root_), before);
        EXPECT_EQ(ReadFile(path("db/CURRENT")), kOldCurrent);
      }
      const bool done = !failed && ReadFile(path("db/CURRENT")) == kNewCurrent;
      for (const auto& name : NamesIn(root_)) {
        if (name != "backups") {
          fs::remove_all(path(name));
        }
      }
      if (done && renames > 1) {
        break;
      }
      ASSERT_LT(renames, 100);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, RestoreWaysTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "FileByFile" : "AsAWhole"; });

TEST_F(RestoreTargetTest, ASeparateWalDirIsReplacedTogetherWithTheDatabaseOrNotAtAll) {
  for (const bool fails : {true, false}) {
    MakeOld("db");
    fs::create_directories(path("logs/archive"));
    WriteFile(path("logs/000003.log"), "old");
    WriteFile(path("logs/archive/000002.log"), "old");
    WriteFile(path("logs/notes.txt"), "mine");
    auto options = To("db", true);
    options.wal_dir = path("logs");
    {
      RestoreTarget target(options);
      ASSERT_GOOD(PrepareAndStage(target));
      if (fails) {
        WriteFile(target.staged_database_dir() + "/folder", "in the way of the target's");
      }
      EXPECT_EQ(target.Install().ok(), !fails);
    }
    EXPECT_EQ(FilesBelow(path("logs")),
              fails ? (std::set<std::string>{"000003.log", "archive", "archive/000002.log", "notes.txt"})
                    : (std::set<std::string>{"000007.log", "notes.txt"}));
    EXPECT_EQ(ReadFile(path("db/CURRENT")), fails ? kOldCurrent : kNewCurrent);
    EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "logs", "backups"}));
    fs::remove_all(path("db"));
    fs::remove_all(path("logs"));
  }
}

TEST_P(RestoreWaysTest, AtEveryMomentADatabaseThatOpensIsTheOldOneOrTheNew) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  for (const char* logs : {"db", "db/wal", "logs"}) {
    SCOPED_TRACE(logs);
    MakeOld("db");
    MakeBackups("db");
    fs::create_directories(path(logs));
    if (path(logs) != path("db")) {
      fs::rename(path("db/000003.log"), path(logs) + "/000003.log");
    }
    auto options = To("db", true);
    options.wal_dir = path(logs);
    {
      RestoreTarget target(options);
      ASSERT_GOOD(PrepareWay(target, "db"));
      ASSERT_GOOD(target.Stage());
      FillStaged(target);
      Onlooker onlooker(path("db"), path(logs));
      WatchCalls(root_, &onlooker);
      const Error error = target.Install();
      WatchCalls("", nullptr);
      EXPECT_GOOD(error);
      EXPECT_GT(onlooker.looks, 0);
    }
    EXPECT_EQ(ReadFile(path("db/CURRENT")), kNewCurrent);
    fs::remove_all(path("db"));
    fs::remove_all(path("logs"));
  }
}

TEST_F(RestoreTargetTest, ASeparateWalDirThatIsNotEmptyIsRefusedWithoutOverwrite) {
  fs::create_directory(path("logs"));
  WriteFile(path("logs/000003.log"), "old");
  auto options = To("db");
  options.wal_dir = path("logs");
  EXPECT_CODE(RestoreInto(options), "TARGET_EXISTS");
}

TEST_F(RestoreTargetTest, LogsInWalDirAreNotReplacedIfTheTargetHasNoDatabase) {
  fs::create_directories(path("logs/archive"));
  WriteFile(path("logs/000123.log"), "mine");
  WriteFile(path("logs/notes.txt"), "mine");
  for (const bool existed : {false, true}) {
    if (existed) {
      fs::create_directory(path("db"));
    }
    auto options = To("db", true);
    options.wal_dir = path("logs");
    const Error error = RestoreInto(options);
    EXPECT_CODE(error, "TARGET_EXISTS");
    EXPECT_NE(error.message().find("000123.log"), std::string::npos) << error.message();
    EXPECT_EQ(error.message().find("notes.txt"), std::string::npos) << "that would have stayed";
    EXPECT_EQ(ReadFile(path("logs/000123.log")), "mine");
  }
  fs::remove(path("logs/000123.log"));
  fs::remove(path("logs/archive"));
  auto options = To("db", true);
  options.wal_dir = path("logs");
  EXPECT_GOOD(RestoreInto(options));
  EXPECT_EQ(ReadFile(path("logs/notes.txt")), "mine");
}

// ---- Changes by others during a restore

TEST_F(RestoreTargetTest, FilesThatSomebodyPutIntoTheTargetMeanwhileAreNotReplacedEither) {
  fs::create_directory(path("db"));
  {
    RestoreTarget target(To("db", true));
    ASSERT_GOOD(PrepareAndStage(target));
    WriteFile(path("db/000123.log"), "mine");
    EXPECT_CODE(target.Install(), "TARGET_EXISTS");
  }
  EXPECT_EQ(FilesBelow(root_), (std::set<std::string>{"db", "db/000123.log", "backups"}));
}

TEST_F(RestoreTargetTest, ATargetThatSomebodyMadeMeanwhileIsNotReplaced) {
  for (const bool existed : {false, true}) {
    if (existed) {
      fs::create_directory(path("db"));
    }
    {
      RestoreTarget target(To("db"));
      ASSERT_GOOD(PrepareAndStage(target));
      MakeOld("db");
      const Error error = target.Install();
      EXPECT_EQ(error.code(), "TARGET_EXISTS") << error.message();
    }
    EXPECT_EQ(ReadFile(path("db/CURRENT")), kOldCurrent);
    EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
    fs::remove_all(path("db"));
  }
}

TEST_F(RestoreTargetTest, OfTwoRestoresToOneNewTargetOneIsRefused) {
  RestoreTarget first(To("db"));
  ASSERT_GOOD(PrepareAndStage(first));
  // The second restore runs in another process: within one process it would be refused earlier.
  ChildProcess child("RestoreTargetTest.DISABLED_ChildThatStages",
                     {{"TARGET", path("db")}, {"BACKUPS", path("backups")}});
  ASSERT_EQ(child.WaitForLine(), "staged");
  EXPECT_EQ(NamesIn(root_).size(), 3U) << "neither takes the other's for a stale one";
  ASSERT_GOOD(first.Install());
  EXPECT_EQ(child.End(), 0);
  EXPECT_EQ(FilesBelow(path("db")), New(false));
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

TEST_F(RestoreTargetTest, DISABLED_ChildThatStages) {
  RestoreTarget::Options options;
  options.database_dir = getenv("TARGET");
  RestoreTarget target(options);
  ASSERT_GOOD(target.Prepare(LocalStorage(getenv("BACKUPS"))));
  ASSERT_GOOD(target.Stage());
  FillStaged(target);
  ChildProcess::Say("staged");
  ChildProcess::WaitForEnd();
  EXPECT_CODE(target.Install(), "TARGET_EXISTS");
}

TEST_F(RestoreTargetTest, OnlyOneRestoreOfThisProcessWorksOnADatabase) {
  RestoreTarget first(To("db"));
  ASSERT_GOOD(PrepareAndStage(first));
  RestoreTarget second(To("db"));
  EXPECT_CODE(Prepare(second), "DATABASE_IN_USE");
}

TEST_F(RestoreTargetTest, WhatDeadRestoresLeftIsRemovedAndWhatLivingOnesMakeStays) {
  for (const bool in_target : {false, true}) {
    SCOPED_TRACE(in_target);
    fs::create_directories(path("db"));
    const std::string backups = in_target ? path("db/backups") : path("backups");
    fs::create_directories(backups);
    ChildProcess dead("RestoreTargetTest.DISABLED_ChildThatStages", {{"TARGET", path("db")}, {"BACKUPS", backups}});
    ChildProcess living("RestoreTargetTest.DISABLED_ChildThatStages", {{"TARGET", path("db")}, {"BACKUPS", backups}});
    if (in_target) {
      // The target is not empty: the backups are in it.
      EXPECT_EQ(dead.WaitForLine(), "");
      EXPECT_EQ(living.WaitForLine(), "");
      fs::remove_all(path("db"));
      continue;
    }
    ASSERT_EQ(dead.WaitForLine(), "staged");
    ASSERT_EQ(living.WaitForLine(), "staged");
    EXPECT_EQ(NamesIn(root_).size(), 4U);
    dead.Kill();
    ASSERT_GOOD(RestoreInto(To("db")));
    EXPECT_EQ(NamesIn(root_).size(), 3U) << "that of the living one is there";
    EXPECT_EQ(living.End(), 0);
    EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
    fs::remove_all(path("db"));
  }
}

TEST_F(RestoreTargetTest, WhatDeadRestoresToOtherTargetsLeftBesideIsRemovedIfTheyHadChangedNothing) {
  const std::string sign = "/.rocksdb-backup-staged";
  for (const char* name :
       {".a.restoring-1-1", ".b.restoring-keep-2-2", ".c.restoring-3-3", ".d.restoring-x-1", "e.restoring-1-1"}) {
    fs::create_directories(path(name) + sign);
    WriteFile(path(name) + "/000008.sst", "half");
  }
  fs::create_directories(path("target/.restoring-4-4") + sign);
  WriteFile(path("target/.restoring-4-4/000008.sst"), "half");
  fs::create_directories(path(".a.restoring-9-9"));  // it had begun to move files into place
  WriteFile(path(".a.restoring-9-9/CURRENT"), "all that there is");
  const int living = open(path(".c.restoring-3-3").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(flock(living, LOCK_EX), 0);

  std::vector<RestoreLeftover> found;
  ASSERT_GOOD(FindAllLeftovers(root_, Leftovers::kList, &found));
  std::map<std::string, bool> unfinished;
  for (const auto& left : found) {
    unfinished[NameOf(left.path)] = left.unfinished;
    EXPECT_GT(left.bytes, 0U);
    EXPECT_FALSE(left.removed);
  }
  EXPECT_EQ(unfinished, (std::map<std::string, bool>{{".a.restoring-1-1", true},
                                                     {".b.restoring-keep-2-2", true},
                                                     {".a.restoring-9-9", false},
                                                     {".restoring-4-4", true}}));

  ASSERT_GOOD(RestoreInto(To("db")));
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups", "target", ".a.restoring-9-9", ".c.restoring-3-3",
                                                   ".d.restoring-x-1", "e.restoring-1-1"}));
  close(living);
  found.clear();
  ASSERT_GOOD(FindAllLeftovers(root_, Leftovers::kRemove, &found));
  EXPECT_EQ(NamesIn(path("target")), std::set<std::string>());
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups", "target", ".a.restoring-9-9", ".d.restoring-x-1",
                                                   "e.restoring-1-1"}));
  EXPECT_EQ(ReadFile(path(".a.restoring-9-9/CURRENT")), "all that there is");
  ASSERT_GOOD(RestoreInto(To("a")));
  EXPECT_FALSE(fs::exists(path(".a.restoring-9-9"))) << "the next restore to its target is its";
}

TEST_F(RestoreTargetTest, TheNextRestorePutsBackTheUsersFilesOfADeadRestore) {
  MakeOld("db", false);
  // It died right after the exchange: the old database and the user's files are beside the target.
  fs::create_directories(path(".db.restoring-1-1/folder"));
  WriteFile(path(".db.restoring-1-1/CURRENT"), "older");
  WriteFile(path(".db.restoring-1-1/notes.txt"), "mine");
  WriteFile(path(".db.restoring-1-1/folder/x"), "mine");
  ASSERT_GOOD(RestoreInto(To("db", true)));
  EXPECT_EQ(ReadFile(path("db/notes.txt")), "mine");
  EXPECT_EQ(ReadFile(path("db/folder/x")), "mine");
  EXPECT_EQ(ReadFile(path("db/CURRENT")), kNewCurrent);
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

TEST_F(RestoreTargetTest, TheNextRestoreKeepsTheOldDatabaseThatADeadRestoreWasToKeep) {
  MakeOld("db", false);
  // It died right after the exchange, before the old database got its name.
  fs::create_directories(path(".db.restoring-keep-1-1"));
  WriteFile(path(".db.restoring-keep-1-1/CURRENT"), "older");
  WriteFile(path(".db.restoring-keep-1-1/000002.sst"), "older");
  WriteFile(path(".db.restoring-keep-1-1/notes.txt"), "mine");
  ASSERT_GOOD(RestoreInto(To("db", true)));
  EXPECT_EQ(ReadFile(path("db/notes.txt")), "mine");
  std::string kept;
  for (const auto& name : NamesIn(root_)) {
    kept = name.starts_with("db.replaced-") ? path(name) : kept;
  }
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups", NameOf(kept)}));
  EXPECT_EQ(FilesBelow(kept), (std::set<std::string>{"CURRENT", "000002.sst"}));
}

// The dead restore had moved CURRENT and some other files away.
TEST_F(RestoreTargetTest, AfterADeadRestoreHadBegunToMoveFilesTheNextNeedsNoDatabaseInTheTarget) {
  for (const bool inside : {true, false}) {
    MakeOld("db", false);
    const std::string staged = inside ? "db/.restoring-1-1" : ".db.restoring-1-1";
    fs::create_directories(path(staged));
    fs::create_directories(path(staged + ".replaced"));
    fs::rename(path("db/CURRENT"), path(staged + ".replaced/CURRENT"));
    if (inside) {
      fs::create_directories(path("db/folder"));
    }
    EXPECT_CODE(RestoreInto(To("db")), "TARGET_EXISTS");
    ASSERT_GOOD(RestoreInto(To("db", true)));
    auto expected = New(false);
    if (inside) {
      expected.insert("folder");
    }
    EXPECT_EQ(FilesBelow(path("db")), expected);
    EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
    fs::remove_all(path("db"));
  }
}

// These files may be the only copy of the old database, or of the new one.
TEST_F(RestoreTargetTest, FilesOfADeadRestoreStayUntilARestoreIsDone) {
  for (const char* file : {"CURRENT", "MANIFEST-000001", "000002.sst"}) {
    fs::create_directories(path(".db.restoring-1-1.replaced"));
    fs::create_directories(path(".db.restoring-1-1"));
    WriteFile(path(std::string(".db.restoring-1-1.replaced/") + file), "old");
    WriteFile(path(std::string(".db.restoring-1-1/") + file), "newer");
  }
  const auto before = FilesBelow(root_);
  {
    RestoreTarget failing(To("db"));
    ASSERT_GOOD(PrepareAndStage(failing));
  }
  EXPECT_EQ(FilesBelow(root_), before);
  ASSERT_GOOD(RestoreInto(To("db")));
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

// A function decides the result of each call.
class Answering : public CallWatcher {
 public:
  explicit Answering(std::function<Verdict(const Call&)> answer, std::function<void(const Call&)> after = {})
      : answer_(std::move(answer)), after_(std::move(after)) {}
  Verdict Before(const Call& call) override { return answer_(call); }
  void After(const Call& call) override {
    if (after_) {
      after_(call);
    }
  }

 private:
  const std::function<Verdict(const Call&)> answer_;
  const std::function<void(const Call&)> after_;
};

TEST_F(RestoreTargetTest, WhatCannotBeMovedBackIsNotRemoved) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  for (const bool exchanged : {true, false}) {
    MakeOld("db", false);
    WriteFile(path("db/notes.txt"), "mine");
    int exchanges = 0;
    // Either the exchange succeeds, then its sync and the exchange back fail. Or the disk has no exchange, and somebody
    // makes the directory again between the two renames. Then neither the new nor the old database can be moved there.
    Answering answering(
        [&](const Call& call) -> Verdict {
          if (call.kind == CallKind::kRename && call.exchange) {
            ++exchanges;
            return {.error = !exchanged ? EINVAL : exchanges > 1 ? EIO : 0};
          }
          return {.error = exchanged && exchanges > 0 && call.kind == CallKind::kSync && call.path == root_ ? EIO : 0};
        },
        [&](const Call& call) {
          if (call.kind == CallKind::kRename && !exchanged && call.path == path("db")) {
            fs::create_directory(path("db"));
            WriteFile(path("db/CURRENT"), "somebody else's");
          }
        });
    RestoreTarget target(To("db", true));
    ASSERT_GOOD(PrepareAndStage(target));
    WatchCalls(root_, &answering);
    const Error error = target.Install();
    WatchCalls("", nullptr);
    ASSERT_FALSE(error.ok());
    std::string place;  // where the old database is now
    for (const auto& name : NamesIn(root_)) {
      if (name != "backups" && ReadFile(path(name + "/000002.sst")) == "old") {
        place = path(name);
      }
    }
    ASSERT_NE(place, "") << error.message();
    EXPECT_NE(error.message().find(place), std::string::npos) << error.message();
    EXPECT_EQ(ReadFile(place + "/CURRENT"), kOldCurrent);
    EXPECT_EQ(ReadFile(place + "/notes.txt"), "mine");
    for (const auto& name : NamesIn(root_)) {
      if (name != "backups") {
        fs::remove_all(path(name));
      }
    }
  }
}

TEST_F(RestoreTargetTest, WhatCannotBeStagedLeavesNothing) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  Answering full([](const Call& call) -> Verdict {
    return {.error = call.kind == CallKind::kMakeDir && call.path.ends_with("staged") ? ENOSPC : 0};
  });
  RestoreTarget target(To("db"));
  ASSERT_GOOD(Prepare(target));
  WatchCalls(root_, &full);
  const Error error = target.Stage();
  WatchCalls("", nullptr);
  EXPECT_EQ(error.subcode(), "NO_SPACE") << error.message();
  EXPECT_EQ(NamesIn(root_), std::set<std::string>{"backups"});
}

TEST_F(RestoreTargetTest, KeptLogsThatHadToBeCopiedAreSyncedBeforeTheOriginalsGo) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  MakeOld("db", false);
  std::set<std::string> synced;
  Answering without_links([&](const Call& call) -> Verdict {
    if (call.kind == CallKind::kSync) {
      synced.insert(NameOf(call.path));
    }
    if (call.kind == CallKind::kRename) {
      EXPECT_TRUE(synced.contains("000003.log") && synced.contains("000001.log"));
    }
    return {.error = call.kind == CallKind::kLink ? EPERM : 0};
  });
  auto options = To("db", true);
  options.keep_log_files = true;
  RestoreTarget target(options);
  ASSERT_GOOD(PrepareAndStage(target));
  WatchCalls(root_, &without_links);
  const Error error = target.Install();
  WatchCalls("", nullptr);
  ASSERT_GOOD(error);
  EXPECT_EQ(ReadFile(path("db/000003.log")), "old");
  EXPECT_EQ(ReadFile(path("db/000001.log")), "old");
}

TEST_F(RestoreTargetTest, NamesThatOnlyLookLikeAStaleRestoreAreLeftAlone) {
  fs::create_directories(path(".other.restoring-1-1"));
  WriteFile(path(".db.restoring"), "mine");
  WriteFile(path(".db.restoring-file"), "mine");
  ASSERT_GOOD(RestoreInto(To("db")));
  EXPECT_EQ(NamesIn(root_),
            (std::set<std::string>{"db", "backups", ".other.restoring-1-1", ".db.restoring", ".db.restoring-file"}));
}

// ---- Databases that are open

TEST_F(RestoreTargetTest, ADatabaseThatIsOpenHereIsNotReplaced) {
  rocksdb::Options options;
  options.create_if_missing = true;
  std::unique_ptr<rocksdb::DB> db;
  ASSERT_TRUE(OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::Open(options, path("db"), out)) {
                return rocksdb::DB::Open(options, path("db"), out);
              }).ok());
  const Error error = RestoreInto(To("db", true));
  EXPECT_EQ(error.code(), "DATABASE_IN_USE");
  EXPECT_NE(error.message().find(path("db")), std::string::npos) << error.message();
  ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "still", "open").ok());
  db.reset();
  EXPECT_GOOD(RestoreInto(To("db", true)));
}

TEST_F(RestoreTargetTest, ADatabaseThatIsOpenInAnotherProcessIsNotReplaced) {
  ChildProcess child("RestoreTargetTest.DISABLED_ChildThatOpensADatabase", {{"TARGET", path("db")}});
  ASSERT_EQ(child.WaitForLine(), "open");
  EXPECT_CODE(RestoreInto(To("db", true)), "DATABASE_IN_USE");
  child.Kill();
  EXPECT_GOOD(RestoreInto(To("db", true)));
  EXPECT_EQ(FilesBelow(path("db")), New(false));
}

TEST_F(RestoreTargetTest, AnIoErrorOfTheLockIsNotReportedAsAnOpenDatabase) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  class Failing : public CallWatcher {
   public:
    explicit Failing(int error) : error_(error) {}
    Verdict Before(const Call& call) override {
      return call.kind == CallKind::kLock && call.path.ends_with("/LOCK") ? Verdict{.error = error_} : Verdict();
    }

   private:
    const int error_;
  };
  fs::create_directory(path("db"));
  WriteFile(path("db/CURRENT"), kOldCurrent);
  WriteFile(path("db/MANIFEST-000001"), "old");
  WriteFile(path("db/LOCK"), "");
  for (const auto& [error_number, code] : {std::pair(EIO, "ROCKSDB_IO_ERROR"), std::pair(ENOLCK, "ROCKSDB_IO_ERROR"),
                                           std::pair(EAGAIN, "DATABASE_IN_USE")}) {
    Failing failing(error_number);
    WatchCalls(root_, &failing);
    const Error error = RestoreInto(To("db", true));
    WatchCalls("", nullptr);
    EXPECT_CODE(error, code);
    EXPECT_NE(error.message().find(path("db")), std::string::npos) << error.message();
    EXPECT_NE(error.message().find(std::strerror(error_number)), std::string::npos) << error.message();
  }
  EXPECT_GOOD(RestoreInto(To("db", true)));
}

TEST_F(RestoreTargetTest, ADatabaseThatAnotherProcessOpensMeanwhileIsNotReplaced) {
  fs::create_directory(path("db"));
  RestoreTarget target(To("db", true));
  ASSERT_GOOD(PrepareAndStage(target));
  ChildProcess child("RestoreTargetTest.DISABLED_ChildThatOpensADatabase", {{"TARGET", path("db")}});
  ASSERT_EQ(child.WaitForLine(), "open");
  EXPECT_CODE(target.Install(), "DATABASE_IN_USE");
  EXPECT_TRUE(fs::exists(path("db/CURRENT")));
}

TEST_F(RestoreTargetTest, DISABLED_ChildThatOpensADatabase) {
  rocksdb::Options options;
  options.create_if_missing = true;
  const std::string directory = getenv("TARGET");
  std::unique_ptr<rocksdb::DB> db;
  ASSERT_TRUE(OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::Open(options, directory, out)) {
                return rocksdb::DB::Open(options, directory, out);
              }).ok());
  ChildProcess::Say("open");
  ChildProcess::WaitForEnd();
}

// ---- Places that cannot be replaced as a whole

TEST_F(RestoreTargetTest, AMountPointIsRestoredIntoFileByFile) {
  ChildProcess child("RestoreTargetTest.DISABLED_ChildThatRestoresIntoMountPoints",
                     {{"SCRATCH", root_}, {"TSAN_OPTIONS", getenv("TSAN_OPTIONS") ? getenv("TSAN_OPTIONS") : ""}});
  const std::string line = child.WaitForLine();
  if (line == "no mounts") {
    GTEST_SKIP() << "mounting needs root, or a user namespace";
  }
  EXPECT_EQ(line, "restored");
  EXPECT_EQ(child.End(), 0);
}

TEST_F(RestoreTargetTest, DISABLED_ChildThatRestoresIntoMountPoints) {
  const std::string scratch = getenv("SCRATCH");
  fs::create_directories(scratch + "/elsewhere with space");
  for (const char* name : {"/tmpfs", "/bound dir"}) {
    fs::create_directories(scratch + name);
  }
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(is_root_ ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) {
    ChildProcess::Say("no mounts");
    return;
  }
  if (!is_root_) {  // an unmapped user cannot make files in the new mounts
    WriteFile("/proc/self/setgroups", "deny");
    WriteFile("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
    WriteFile("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
  }
  if (geteuid() != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", (scratch + "/tmpfs").c_str(), "tmpfs", 0, "size=16m") != 0 ||
      mount((scratch + "/elsewhere with space").c_str(), (scratch + "/bound dir").c_str(), nullptr, MS_BIND, nullptr) !=
          0) {
    ChildProcess::Say("no mounts");
    return;
  }
  for (const char* name : {"/tmpfs", "/bound dir"}) {
    SCOPED_TRACE(name);
    RestoreTarget::Options options;
    options.database_dir = scratch + name;
    const auto restore = [&] {
      RestoreTarget target(options);
      if (Error error = target.Prepare(LocalStorage(scratch + "/backups")); !error.ok()) {
        return error;
      }
      if (Error error = target.Stage(); !error.ok()) {
        return error;
      }
      FillStaged(target);
      return target.Install();
    };
    fs::create_directory(options.database_dir + "/lost+found");
    ASSERT_GOOD(restore()) << "empty but for what its file system made";
    fs::remove(options.database_dir + "/lost+found");
    EXPECT_EQ(FilesBelow(options.database_dir), New(false));
    EXPECT_CODE(restore(), "TARGET_EXISTS");
    WriteFile(options.database_dir + "/notes.txt", "mine");
    WriteFile(options.database_dir + "/000001.sst", "old");
    options.overwrite = true;
    ASSERT_GOOD(restore());
    auto expected = New(false);
    expected.insert("notes.txt");
    EXPECT_EQ(FilesBelow(options.database_dir), expected);
    RestoreTarget target(options);
    ASSERT_GOOD(target.Prepare(LocalStorage(scratch + "/backups")));
    if (name == std::string("/tmpfs")) {
      const Error error = target.CheckSpace(uint64_t{1} << 30);
      EXPECT_EQ(error.code(), "NO_SPACE");
      EXPECT_NE(error.message().find("1.07 GB"), std::string::npos) << error.message();
      EXPECT_GOOD(target.CheckSpace(1 << 20));
    }
  }
  ChildProcess::Say("restored");
}

TEST_F(RestoreTargetTest, FilesOfADeadRestoreInAMountPointDoNotCountAsFilesOfTheTarget) {
  // The repository is in the target, so files are moved one by one, as in a mount point. Without overwrite, the backups
  // in the target would be refused.
  MakeOld("db");
  fs::create_directories(path("db/backups"));
  fs::create_directories(path("db/.restoring-1-1/.rocksdb-backup-staged"));
  WriteFile(path("db/.restoring-1-1/CURRENT"), "half");
  fs::create_directories(path("db/.restoring-1-2.replaced"));
  WriteFile(path("db/.restoring-1-2.replaced/000009.sst"), "half");
  RestoreTarget target(To("db", true));
  ASSERT_GOOD(target.Prepare(LocalStorage(path("db/backups"))));
  ASSERT_GOOD(target.Stage());
  FillStaged(target);
  ASSERT_GOOD(target.Install());
  for (const auto& name : NamesIn(path("db"))) {
    EXPECT_EQ(name.find("restoring"), std::string::npos) << name;
  }
}

TEST_F(RestoreTargetTest, ATargetWhoseParentCannotBeWrittenIsRestoredIntoFileByFile) {
  if (is_root_) {
    GTEST_SKIP() << "root may write everywhere";
  }
  fs::create_directories(path("fixed/db"));
  ASSERT_EQ(chmod(path("fixed").c_str(), 0555), 0);
  const Error error = RestoreInto(To("fixed/db"));
  ASSERT_EQ(chmod(path("fixed").c_str(), 0755), 0);
  EXPECT_GOOD(error);
  EXPECT_EQ(FilesBelow(path("fixed/db")), New(false));
}

TEST_F(RestoreTargetTest, FreeSpaceIsCheckedWhereTheTargetWillBe) {
  RestoreTarget target(To("not/yet/there"));
  ASSERT_GOOD(Prepare(target));
  EXPECT_GOOD(target.CheckSpace(1));
  EXPECT_CODE(target.CheckSpace(UINT64_MAX), "NO_SPACE");
  EXPECT_EQ(NamesIn(root_), std::set<std::string>{"backups"});
}

}  // namespace
}  // namespace rocksdb_backup::test
