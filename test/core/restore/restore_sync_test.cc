// The order of a restore's syncs: after a power cut, the old database or the new one is there.

#include <algorithm>
#include <mutex>

#include "backup_fixture.h"
#include "system_calls.h"

namespace rocksdb_backup::test {
namespace {

namespace fs = std::filesystem;

// Knows what a power cut would lose: files written and not synced since, and directories whose names changed since
// their last sync.
class PowerWatcher : public CallWatcher {
 public:
  // Called before each rename.
  using BeforeRename = std::function<void(const Call&, PowerWatcher&)>;
  explicit PowerWatcher(BeforeRename before_rename = {}) : before_rename_(std::move(before_rename)) {}

  Verdict Before(const Call& call) override {
    if (call.kind == CallKind::kRename && before_rename_) {
      before_rename_(call, *this);
    }
    return {};
  }
  void After(const Call& call) override {
    const std::lock_guard lock(mutex_);
    switch (call.kind) {
      case CallKind::kOpenWrite:
        if (call.creates) {
          unsynced_.insert(call.path);
          unsynced_.insert(ParentOf(call.path));
        }
        break;
      case CallKind::kWrite:
        unsynced_.insert(call.path);
        break;
      case CallKind::kSync:
        ++syncs_;
        unsynced_.erase(call.path);
        break;
      case CallKind::kRename:
        if (unsynced_.erase(call.path) != 0) {
          unsynced_.insert(call.other);
        }
        unsynced_.insert(ParentOf(call.path));
        unsynced_.insert(ParentOf(call.other));
        renames_.push_back(call);
        break;
      case CallKind::kDelete:
        unsynced_.erase(call.path);  // a power cut may lose the delete
        break;
      case CallKind::kLink:
        unsynced_.insert(ParentOf(call.other));
        break;
      default:
        break;
    }
  }

  // The unsynced paths of a directory and below it.
  std::set<std::string> Unsynced(const std::string& directory) {
    const std::lock_guard lock(mutex_);
    std::set<std::string> below;
    for (const auto& path : unsynced_) {
      if (path == directory || IsInside(path, directory)) {
        below.insert(path);
      }
    }
    return below;
  }
  int syncs() const { return syncs_; }
  const std::vector<Call>& renames() const { return renames_; }

 private:
  const BeforeRename before_rename_;
  std::mutex mutex_;
  std::set<std::string> unsynced_;
  std::vector<Call> renames_;
  std::atomic<int> syncs_{0};
};

class RestoreSyncTest : public MadeBackupTest {
 protected:
  void SetUp() override {
    MadeBackupTest::SetUp();
    if (!CanWatchCalls()) {
      GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
    }
    CloseDatabase();
  }

  Error RestoreWatched(BackupRepository& repository, const RestoreRequest& request, PowerWatcher* watcher) {
    RestoreResult restored;
    WatchCalls(root_, watcher);
    Error error = repository.Restore(request, NewOperation(), &restored);
    WatchCalls("", nullptr);
    return error;
  }
};

TEST_F(RestoreSyncTest, AllFilesAndNamesAreOnTheDiskBeforeTheyTakeTheTargetsPlace) {
  for (const bool over : {false, true}) {
    for (const RestoreMode mode : {RestoreMode::kPurgeAllFiles, RestoreMode::kKeepLatestDbSessionIdFiles}) {
      int placed = 0;
      PowerWatcher watcher([&](const Call& call, PowerWatcher& power) {
        if (call.other == path(over ? "db" : "new")) {
          ++placed;
          EXPECT_EQ(power.Unsynced(call.path), std::set<std::string>());
        }
      });
      if (over) {
        WriteFile(path("db/LOCK"), "");  // the restore locks it, and would make it
      }
      auto request = RestoreTo(1, path(over ? "db" : "new"), over);
      request.mode = mode;
      ASSERT_GOOD(RestoreWatched(*repository_, request, &watcher));
      EXPECT_EQ(placed, 1);
      EXPECT_EQ(watcher.Unsynced(path(over ? "db" : "new")), std::set<std::string>());
      EXPECT_EQ(watcher.Unsynced(root_).count(root_), 0U) << "and then that it is there";
      fs::remove_all(path("new"));
    }
  }
}

// The user has a folder in the target, so files are moved one by one.
TEST_F(RestoreSyncTest, FileByFileTheDirectoryIsSyncedWithCurrentOutAndBeforeItComesInAndAfter) {
  fs::create_directory(path("db/folder"));
  for (const bool keep : {false, true}) {
    bool is_out = false;
    bool is_in = false;
    int moved_out = 0;
    PowerWatcher watcher([&](const Call& call, PowerWatcher& power) {
      if (call.path == path("db/CURRENT")) {
        is_out = true;
      } else if (call.other == path("db/CURRENT")) {
        is_in = true;
        EXPECT_EQ(power.Unsynced(path("db")).count(path("db")), 0U) << "all that it needs is there";
        for (const auto& name : NamesIn(path("db"))) {
          if (!name.starts_with('.')) {
            EXPECT_EQ(power.Unsynced(path("db/" + name)).count(path("db/" + name)), 0U) << name;
          }
        }
      } else if (is_out && !is_in && ParentOf(call.path) == path("db") && moved_out++ == 0) {
        EXPECT_EQ(power.Unsynced(path("db")).count(path("db")), 0U) << "CURRENT is out before " << call.path;
      }
    });
    auto request = RestoreTo(1, path("db"), true);
    request.keep_old = keep;
    ASSERT_GOOD(RestoreWatched(*repository_, request, &watcher));
    EXPECT_TRUE(is_out && is_in);
    EXPECT_GT(moved_out, 0);
    EXPECT_EQ(watcher.Unsynced(path("db")).count(path("db")), 0U) << "CURRENT is in";
    EXPECT_EQ(ContentsOf(path("db")), contents_);
    if (keep) {
      for (const auto& name : NamesIn(root_)) {
        if (name.starts_with("db.replaced-")) {
          EXPECT_EQ(watcher.Unsynced(path(name)), std::set<std::string>());
        }
      }
    }
  }
}

TEST_F(RestoreSyncTest, WithoutSyncNothingIsSyncedIfNothingCanBeLost) {
  auto options = OptionsFor("backups");
  options.settings.engine.sync = false;
  auto repository = OpenRepository(std::move(options));
  {
    PowerWatcher watcher;
    ASSERT_GOOD(RestoreWatched(*repository, RestoreTo(1, path("new")), &watcher));
    EXPECT_EQ(watcher.syncs(), 0);
    EXPECT_FALSE(watcher.Unsynced(path("new")).empty()) << "so it is seen";
    EXPECT_EQ(ContentsOf(path("new")), contents_);
  }
  {
    auto request = RestoreTo(1, path("db"), true);
    request.keep_old = true;
    request.keep_log_files = true;
    PowerWatcher watcher;
    ASSERT_GOOD(RestoreWatched(*repository, request, &watcher));
    EXPECT_EQ(watcher.syncs(), 0) << "the old database is still there";
  }
  {
    PowerWatcher watcher([&](const Call& call, PowerWatcher& power) {
      if (call.other == path("db")) {
        EXPECT_EQ(power.Unsynced(call.path), std::set<std::string>()) << "the old database is removed";
      }
    });
    ASSERT_GOOD(RestoreWatched(*repository, RestoreTo(1, path("db"), true), &watcher));
    EXPECT_GT(watcher.syncs(), 0);
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
