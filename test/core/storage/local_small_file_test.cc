#include "core/storage/local_small_file.h"

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "backup_fixture.h"
#include "core/base/paths.h"
#include "core/storage/local_storage.h"
#include "system_calls.h"

namespace rocksdb_backup::test {
namespace {

// Watches the system calls that replace or read one small file.
class SmallFileCalls : public CallWatcher {
 public:
  explicit SmallFileCalls(const std::string& below) { WatchCalls(below, this); }
  ~SmallFileCalls() override { WatchCalls("", nullptr); }
  SmallFileCalls(const SmallFileCalls&) = delete;
  SmallFileCalls& operator=(const SmallFileCalls&) = delete;

  Verdict Before(const Call& call) override {
    if (NameOf(call.path).starts_with(kLockFileName)) {
      return {};
    }
    const Verdict verdict = decide ? decide(call) : Verdict();
    if (verdict.error == 0) {
      done.push_back(std::string(kCallNames[static_cast<int>(call.kind)]) + " " +
                     NameOf(call.other.empty() ? call.path : call.other));
    }
    return verdict;
  }

  std::function<Verdict(const Call&)> decide;
  std::vector<std::string> done;
};

class LocalSmallFileTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    if (!CanWatchCalls()) {
      GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
    }
    std::string version;
    ASSERT_GOOD(storage().ReplaceSmall("state", std::nullopt, kOld, &version));
  }

  Storage& storage() {
    if (storage_ == nullptr) {
      storage_ = std::make_unique<LocalStorage>(root_);
    }
    return *storage_;
  }
  std::string Text() {
    std::optional<SmallFile> file;
    EXPECT_GOOD(storage().ReadSmall("state", &file));
    return file ? file->text : "";
  }
  Error Replace(const std::string& text) {
    std::string version;
    return storage().ReplaceSmall("state", kAnyVersion, text, &version);
  }

  const std::string kOld = std::string(5000, 'o');
  const std::string kNew = std::string(7000, 'n');
  std::unique_ptr<Storage> storage_;
};

// A disk or a network returns a part of the file and then reports its end.
TEST_F(LocalSmallFileTest, APartOfAFileIsNotTakenForTheFile) {
  for (const int pieces : {0, 1, 3}) {
    SmallFileCalls calls(root_);
    int left = pieces;
    calls.decide = [&left](const Call& call) {
      return call.kind != CallKind::kRead ? Verdict() : left-- > 0 ? Verdict{.half = true} : Verdict{.end = true};
    };
    std::optional<SmallFile> file;
    const Error error = storage().ReadSmall("state", &file);
    EXPECT_CODE(error, "STATE_UNREADABLE");
    EXPECT_EQ(file, std::nullopt);
    EXPECT_NE(error.message().find(" of its 5000 bytes could be read"), std::string::npos) << error.message();
  }
}

TEST_F(LocalSmallFileTest, AFileThatComesAndGoesInPiecesIsWhole) {
  SmallFileCalls calls(root_);
  calls.decide = [](const Call& call) {
    return Verdict{.half = call.kind == CallKind::kRead || call.kind == CallKind::kWrite};
  };
  EXPECT_GOOD(Replace(kNew));
  EXPECT_EQ(Text(), kNew);
}

TEST_F(LocalSmallFileTest, ItIsOnTheDiskBeforeItTakesThePlaceOfTheOldOneAndThenItsNameIs) {
  SmallFileCalls calls(root_);
  EXPECT_GOOD(Replace(kNew));
  std::erase_if(calls.done, [](const std::string& call) {
    return !call.starts_with("write") && !call.starts_with("sync") && !call.starts_with("rename");
  });
  EXPECT_EQ(calls.done,
            (std::vector<std::string>{"write state.tmp", "sync state.tmp", "rename state", "sync " + NameOf(root_)}));
}

TEST_F(LocalSmallFileTest, AFullDiskIsReportedAndLeavesTheOldFile) {
  for (const CallKind kind : {CallKind::kOpenWrite, CallKind::kWrite, CallKind::kSync, CallKind::kRename}) {
    SmallFileCalls calls(root_);
    calls.decide = [kind](const Call& call) { return Verdict{.error = call.kind == kind ? ENOSPC : 0}; };
    const Error error = Replace(kNew);
    EXPECT_CODE(error, "STATE_UNWRITABLE");
    EXPECT_EQ(error.subcode(), "NO_SPACE") << static_cast<int>(kind) << error.message();
    calls.decide = {};
    EXPECT_EQ(Text(), kOld);
    EXPECT_FALSE(std::filesystem::exists(path("state.tmp")));
  }
}

TEST_F(LocalSmallFileTest, ANameThatAPowerCutMayLoseIsReported) {
  SmallFileCalls calls(root_);
  calls.decide = [this](const Call& call) {
    return Verdict{.error = call.kind == CallKind::kSync && call.path == root_ ? EIO : 0};
  };
  EXPECT_CODE(Replace(kNew), "STATE_NOT_DURABLE");
  EXPECT_EQ(Text(), kNew);
}

// Each call fails once with each possible error of a disk.
TEST_F(LocalSmallFileTest, AfterAnyFailureTheFileIsTheOldOneOrTheNewAndTheErrorSaysWhich) {
  int failed = 0;
  for (const int number : {EIO, ENOSPC, EACCES}) {
    for (int nth = 1;; ++nth) {
      ASSERT_GOOD(Replace(kOld));
      SmallFileCalls calls(root_);
      int left = nth;
      bool fired = false;
      calls.decide = [&](const Call&) {
        fired = fired || left == 1;
        return Verdict{.error = left-- == 1 ? number : 0};
      };
      const Error error = Replace(kNew);
      calls.decide = {};
      const std::string text = Text();
      if (error.ok() || error.code() == "STATE_NOT_DURABLE") {
        EXPECT_EQ(text, kNew) << nth;
      } else {
        ++failed;
        EXPECT_EQ(text, kOld) << nth << error.code();
        EXPECT_NE(error.message().find(root_), std::string::npos) << error.message();
      }
      if (!fired) {
        break;
      }
    }
  }
  EXPECT_GT(failed, 10);
}

TEST_F(LocalSmallFileTest, OnlyAPlainFileIsReadAndWhatLiesInTheWayOfTheNewOneIsNotWrittenTo) {
  std::filesystem::create_symlink(path("elsewhere"), path("state.tmp"));
  WriteFile(path("elsewhere"), "mine");
  EXPECT_GOOD(Replace(kNew));
  EXPECT_EQ(ReadFile(path("elsewhere")), "mine");
  EXPECT_EQ(Text(), kNew);
  std::filesystem::create_directory(path("directory"));
  std::optional<SmallFile> file;
  const Error error = storage().ReadSmall("directory", &file);
  EXPECT_CODE(error, "STATE_UNREADABLE");
  EXPECT_EQ(error.advice(), "moveAwayNoState");
}

// The disk that it leads to may only be away. If it counted as missing, pinned backups would be deleted.
TEST_F(LocalSmallFileTest, ALinkThatLeadsNowhereIsNotAMissingFile) {
  std::filesystem::rename(path("state"), path("elsewhere"));
  std::filesystem::create_symlink(path("elsewhere"), path("state"));
  EXPECT_EQ(Text(), kOld);
  std::filesystem::rename(path("elsewhere"), path("away"));
  std::optional<SmallFile> file;
  const Error away = storage().ReadSmall("state", &file);
  EXPECT_CODE(away, "STATE_UNREADABLE");
  EXPECT_EQ(away.advice(), "mendLink");
  std::string version;
  EXPECT_CODE(storage().ReplaceSmall("state", std::nullopt, kNew, &version), "STATE_UNWRITABLE");
  std::filesystem::rename(path("away"), path("elsewhere"));
  EXPECT_EQ(Text(), kOld);
  ASSERT_GOOD(storage().ReadSmall("state", &file));
  for (const std::string& current : {std::string(kAnyVersion), file->version}) {
    const Error error = storage().ReplaceSmall("state", current, kNew, &version);
    EXPECT_CODE(error, "STATE_UNWRITABLE");
    EXPECT_EQ(error.advice(), "moveHere");
  }
  EXPECT_TRUE(std::filesystem::is_symlink(path("state")));
  EXPECT_EQ(ReadFile(path("elsewhere")), kOld);
}

}  // namespace
}  // namespace rocksdb_backup::test
