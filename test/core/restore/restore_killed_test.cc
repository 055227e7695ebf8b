#include <sys/wait.h>
#include <unistd.h>

#include "backup_fixture.h"
#include "core/restore/restore_leftovers.h"
#include "core/restore/restore_target.h"
#include "core/storage/local_storage.h"
#include "system_calls.h"

namespace rocksdb_backup::test {
namespace {

namespace fs = std::filesystem;

// The process ends right before its n-th rename or delete.
class EndsBefore : public CallWatcher {
 public:
  explicit EndsBefore(int nth) : left_(nth) {}
  Verdict Before(const Call& call) override {
    if ((call.kind == CallKind::kRename || call.kind == CallKind::kDelete) && --left_ == 0) {
      _exit(kKilled);
    }
    return {};
  }
  static constexpr int kKilled = 9;

 private:
  int left_;
};

// A restore over a database is killed at every step, and then done again.
class KilledRestoreTest : public ScratchTest {
 protected:
  struct Case {
    bool one_by_one;    // somebody's folder in the target: files are moved one by one
    std::string logs;   // of the database, in it
    bool second_keeps;  // the second restore has keep_old, too
  };

  void SetUp() override {
    ScratchTest::SetUp();
    if (!CanWatchCalls()) {
      GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
    }
    fs::create_directory(path("backups"));
  }

  void MakeOld(const Case& one) const {
    fs::create_directories(path("db/archive"));
    fs::create_directories(path(one.logs));
    for (const char* file :
         {"db/MANIFEST-000001", "db/000002.sst", "db/000008.sst", "db/LOCK", "db/IDENTITY", "db/archive/000001.log"}) {
      WriteFile(path(file), "old");
    }
    WriteFile(path(one.logs + "/000003.log"), "old");
    WriteFile(path("db/CURRENT"), "MANIFEST-000001\n");
    WriteFile(path("db/notes.txt"), "mine");
    if (one.one_by_one) {
      fs::create_directories(path("db/folder"));
      WriteFile(path("db/folder/000009.sst"), "mine");
    }
  }

  std::set<std::string> OldFiles(const Case& one) const {
    std::set<std::string> files = {"MANIFEST-000001", "000002.sst", "000008.sst",         "LOCK",
                                   "IDENTITY",        "archive",    "archive/000001.log", "CURRENT"};
    if (one.logs == "db") {
      files.insert("000003.log");
    } else {
      files.merge(std::set<std::string>{"wal", "wal/000003.log"});
    }
    return files;
  }

  Error Restore(const Case& one, bool keep_old, std::string* kept) const {
    RestoreTarget::Options options;
    options.database_dir = path("db");
    options.wal_dir = path(one.logs);
    options.overwrite = true;
    options.keep_old = keep_old;
    RestoreTarget target(options);
    if (Error error = target.Prepare(LocalStorage(path("backups"))); !error.ok()) {
      return error;
    }
    if (Error error = target.Stage(); !error.ok()) {
      return error;
    }
    for (const char* name : {"MANIFEST-000009", "000008.sst", "OPTIONS-000010"}) {
      WriteFile(target.staged_database_dir() + "/" + name, "new");
    }
    WriteFile(target.staged_database_dir() + "/CURRENT", "MANIFEST-000009\n");
    WriteFile(target.staged_wal_dir() + "/000007.log", "new");
    Error error = target.Install();
    *kept = target.kept();
    return error;
  }

  // True if the restore was killed. False if it ended before its n-th step.
  bool KillAtStep(const Case& one, int step) const {
    const pid_t child = fork();
    if (child == 0) {
      EndsBefore ends(step);
      WatchCalls(root_, &ends);
      std::string kept;
      _exit(Restore(one, true, &kept).ok() ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EndsBefore::kKilled));
    return WIFEXITED(status) && WEXITSTATUS(status) == EndsBefore::kKilled;
  }

  // The directories beside the target and in it that hold files of the old database.
  std::vector<std::string> PlacesOfOld() const {
    std::set<std::string> places;
    for (const auto& file : FilesBelow(root_)) {
      const std::string full = path(file);
      if (fs::is_regular_file(full) && (ReadFile(full) == "old" || ReadFile(full) == "MANIFEST-000001\n")) {
        places.insert(file.substr(0, file.find('/')));
      }
    }
    return {places.begin(), places.end()};
  }

  void CheckAfterwards(const Case& one, bool kept) const {
    // The new database is whole, and nobody's file is lost.
    EXPECT_EQ(ReadFile(path("db/CURRENT")), "MANIFEST-000009\n");
    EXPECT_EQ(ReadFile(path("db/000008.sst")), "new");
    EXPECT_EQ(ReadFile(path(one.logs + "/000007.log")), "new");
    EXPECT_EQ(ReadFile(path("db/notes.txt")), "mine");
    EXPECT_EQ(fs::exists(path("db/folder/000009.sst")), one.one_by_one);
    EXPECT_FALSE(fs::exists(path("db/000002.sst")));
    for (const auto& name : FilesBelow(root_)) {
      EXPECT_EQ(name.find(".restoring-"), std::string::npos) << name;
    }
    // The old one is whole, in one place.
    const auto places = PlacesOfOld();
    if (!kept && places.empty()) {
      return;
    }
    ASSERT_EQ(places.size(), 1U) << ::testing::PrintToString(places);
    EXPECT_TRUE(places[0].starts_with("db.replaced-")) << places[0];
    EXPECT_EQ(FilesBelow(path(places[0])), OldFiles(one));
    EXPECT_EQ(ReadFile(path(places[0] + "/CURRENT")), "MANIFEST-000001\n");
    EXPECT_EQ(ReadFile(path(places[0] + "/000008.sst")), "old");
  }
};

TEST_F(KilledRestoreTest, TheOldDatabaseThatItWasToKeepIsWholeInOnePlace) {
  for (const bool one_by_one : {true, false}) {
    for (const char* logs : {"db", "db/wal"}) {
      for (const bool second_keeps : {true, false}) {
        const Case one{one_by_one, logs, second_keeps};
        for (int step = 1;; ++step) {
          SCOPED_TRACE(std::string(one_by_one ? "one by one" : "whole") + ", logs in " + logs +
                       (second_keeps ? ", kept again" : "") + ", killed before step " + std::to_string(step));
          MakeOld(one);
          const bool killed = KillAtStep(one, step);
          // A restore that had not begun yet has promised nothing to the next one.
          const bool begun = ReadFile(path("db/CURRENT")) != "MANIFEST-000001\n";
          if (killed) {
            std::string kept;
            ASSERT_GOOD(Restore(one, second_keeps, &kept));
          }
          CheckAfterwards(one, second_keeps || begun);
          for (const auto& name : NamesIn(root_)) {
            if (name != "backups") {
              fs::remove_all(path(name));
            }
          }
          if (!killed) {
            EXPECT_GT(step, 3);
            break;
          }
          if (HasFailure()) {
            return;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
