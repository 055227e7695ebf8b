#include "core/storage/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "backup_fixture.h"
#include "child_process.h"
#include "system_calls.h"

namespace rocksdb_backup::test {
namespace {

class DirectoryLockTest : public ScratchTest {
 protected:
  Error Writer(DirectoryLock* lock) const { return DirectoryLock::AcquireWriter(root_, lock); }
  Error Reader(uint32_t id, DirectoryLock* lock) const { return DirectoryLock::AcquireReader(root_, id, true, lock); }
};

TEST_F(DirectoryLockTest, OneWriterAtATimeAlsoWithinOneThread) {
  DirectoryLock first;
  ASSERT_GOOD(Writer(&first));
  DirectoryLock second;
  const Error error = Writer(&second);
  EXPECT_EQ(error.code(), "BACKUP_LOCKED");
  EXPECT_NE(error.message().find(root_), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("process " + std::to_string(getpid())), std::string::npos) << error.message();
  first.Release();
  EXPECT_GOOD(Writer(&second));
}

TEST_F(DirectoryLockTest, TheStateLockExcludesOtherStateLocksAndNoWriter) {
  DirectoryLock state;
  ASSERT_GOOD(DirectoryLock::AcquireState(root_, &state));
  DirectoryLock other;
  EXPECT_CODE(DirectoryLock::AcquireState(root_, &other), "STATE_LOCKED");
  DirectoryLock writer;
  EXPECT_GOOD(Writer(&writer));
  DirectoryLock reader;
  EXPECT_GOOD(Reader(UINT32_MAX, &reader));
  state.Release();
  EXPECT_GOOD(DirectoryLock::AcquireState(root_, &other));
}

TEST_F(DirectoryLockTest, WhoWorksThereIsToldWithoutALock) {
  using What = RepositoryUse::What;
  const auto uses = [&] { return DirectoryLock::UsesOf(root_, {1, 2, 3}); };
  EXPECT_TRUE(uses().empty());
  EXPECT_FALSE(std::filesystem::exists(path(kLockFileName))) << "to look makes no file";
  DirectoryLock reader;
  DirectoryLock writer;
  DirectoryLock state;
  ASSERT_GOOD(Reader(2, &reader));
  ASSERT_EQ(uses().size(), 1U);
  EXPECT_EQ(uses()[0].what, What::kReading);
  EXPECT_EQ(uses()[0].backup_id, 2U);
  ASSERT_GOOD(Writer(&writer));
  ASSERT_GOOD(DirectoryLock::AcquireState(root_, &state));
  ASSERT_GOOD(writer.ExcludeReaders(3));
  const auto all = uses();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].what, What::kWriting);
  EXPECT_NE(all[0].holder.find("process " + std::to_string(getpid())), std::string::npos) << all[0].holder;
  EXPECT_EQ(all[1].what, What::kState);
  EXPECT_EQ(all[2].what, What::kReading);
  EXPECT_EQ(all[3].what, What::kDeleting);
  EXPECT_EQ(all[3].backup_id, 3U);
  reader.Release();
  writer.Release();
  state.Release();
  EXPECT_TRUE(uses().empty());
}

TEST_F(DirectoryLockTest, TheLockIsTheSameByAnyPathToTheDirectory) {
  std::filesystem::create_directory(path("real"));
  std::filesystem::create_directory_symlink(path("real"), path("link"));
  DirectoryLock first;
  DirectoryLock second;
  ASSERT_GOOD(DirectoryLock::AcquireWriter(path("real"), &first));
  EXPECT_CODE(DirectoryLock::AcquireWriter(path("link"), &second), "BACKUP_LOCKED");
}

TEST_F(DirectoryLockTest, ReadersKeepTheirBackupFromBeingDeletedAndNoOther) {
  DirectoryLock one;
  DirectoryLock also_one;
  DirectoryLock largest;
  ASSERT_GOOD(Reader(1, &one));
  ASSERT_GOOD(Reader(1, &also_one));
  ASSERT_GOOD(Reader(UINT32_MAX, &largest));
  DirectoryLock writer;
  ASSERT_GOOD(Writer(&writer));
  EXPECT_CODE(writer.ExcludeReaders(1), "BACKUP_IN_USE");
  EXPECT_GOOD(writer.ExcludeReaders(2));
  EXPECT_CODE(writer.ExcludeReaders(UINT32_MAX), "BACKUP_IN_USE");
  DirectoryLock late;
  EXPECT_CODE(Reader(2, &late), "BACKUP_IN_USE");
  one.Release();
  EXPECT_CODE(writer.ExcludeReaders(1), "BACKUP_IN_USE");
  also_one.Release();
  EXPECT_GOOD(writer.ExcludeReaders(1));
  writer.Release();
  EXPECT_GOOD(Reader(2, &late));
}

TEST_F(DirectoryLockTest, ALockMovesAndIsReleasedWithWhatHoldsIt) {
  DirectoryLock outer;
  {
    DirectoryLock inner;
    ASSERT_GOOD(Writer(&inner));
    outer = std::move(inner);
    DirectoryLock third(std::move(outer));
    outer = std::move(third);
  }
  DirectoryLock other;
  EXPECT_CODE(Writer(&other), "BACKUP_LOCKED");
  outer = DirectoryLock();
  EXPECT_GOOD(Writer(&other));
}

TEST_F(DirectoryLockTest, TakingAnotherLockReleasesTheFirst) {
  std::filesystem::create_directory(path("a"));
  std::filesystem::create_directory(path("b"));
  DirectoryLock lock;
  ASSERT_GOOD(DirectoryLock::AcquireWriter(path("a"), &lock));
  ASSERT_GOOD(DirectoryLock::AcquireWriter(path("b"), &lock));
  DirectoryLock other;
  EXPECT_GOOD(DirectoryLock::AcquireWriter(path("a"), &other));
}

TEST_F(DirectoryLockTest, AReaderThatMayWriteNothingMakesNoFile) {
  DirectoryLock lock;
  ASSERT_GOOD(DirectoryLock::AcquireReader(root_, 1, false, &lock));
  EXPECT_TRUE(NamesIn(root_).empty());
  DirectoryLock writer;
  ASSERT_GOOD(Writer(&writer));
  EXPECT_GOOD(writer.ExcludeReaders(1)) << "it had nothing to lock";
  writer.Release();
  ASSERT_GOOD(DirectoryLock::AcquireReader(root_, 1, false, &lock));
  ASSERT_GOOD(Writer(&writer));
  EXPECT_CODE(writer.ExcludeReaders(1), "BACKUP_IN_USE");
}

TEST_F(DirectoryLockTest, AWriterInAMissingDirectoryGetsAnError) {
  DirectoryLock lock;
  const Error error = DirectoryLock::AcquireWriter(path("missing"), &lock);
  EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR");
  EXPECT_NE(error.message().find(path("missing/rocksdb-backup.lock")), std::string::npos) << error.message();
  EXPECT_GOOD(DirectoryLock::AcquireReader(path("missing"), 1, true, &lock)) << "the engine says what is missing";
}

TEST_F(DirectoryLockTest, OneOfManyThreadsHasTheLockAtATime) {
  std::atomic<int> holders{0};
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) {
        DirectoryLock lock;
        if (Writer(&lock).ok()) {
          EXPECT_EQ(++holders, 1);
          ++taken;
          --holders;
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_GT(taken, 0);
}

TEST_F(DirectoryLockTest, ALockOfAnotherProcessHoldsAndIsFreeWhenItIsKilled) {
  for (const char* mode : {"writer", "reader"}) {
    ChildProcess child("DirectoryLockTest.DISABLED_ChildThatHoldsALock", {{"LOCK_DIR", root_}, {"LOCK_MODE", mode}});
    ASSERT_EQ(child.WaitForLine(), "locked");
    DirectoryLock lock;
    if (mode == std::string("writer")) {
      EXPECT_CODE(Writer(&lock), "BACKUP_LOCKED");
      EXPECT_CODE(Reader(7, &lock), "BACKUP_IN_USE");
      child.Kill();
      EXPECT_GOOD(Writer(&lock));
      EXPECT_GOOD(Reader(7, &lock));
    } else {
      ASSERT_GOOD(Writer(&lock));
      EXPECT_CODE(lock.ExcludeReaders(7), "BACKUP_IN_USE");
      child.Kill();
      EXPECT_GOOD(lock.ExcludeReaders(7));
    }
  }
}

TEST_F(DirectoryLockTest, DISABLED_ChildThatHoldsALock) {
  const char* directory = getenv("LOCK_DIR");
  ASSERT_NE(directory, nullptr);
  DirectoryLock lock;
  if (getenv("LOCK_MODE") == std::string("writer")) {
    ASSERT_GOOD(DirectoryLock::AcquireWriter(directory, &lock));
    ASSERT_GOOD(lock.ExcludeReaders(7));
  } else {
    ASSERT_GOOD(DirectoryLock::AcquireReader(directory, 7, true, &lock));
  }
  ChildProcess::Say("locked");
  ChildProcess::WaitForEnd();
}

TEST_F(DirectoryLockTest, AProgramStartedWhileItIsHeldDoesNotInheritIt) {
  DirectoryLock lock;
  ASSERT_GOOD(Writer(&lock));
  ChildProcess child("DirectoryLockTest.DISABLED_ChildThatWaits", {});
  ASSERT_EQ(child.WaitForLine(), "here");
  lock.Release();
  EXPECT_GOOD(Writer(&lock));
}

TEST_F(DirectoryLockTest, DISABLED_ChildThatWaits) {
  ChildProcess::Say("here");
  ChildProcess::WaitForEnd();
}

TEST_F(DirectoryLockTest, AForkThatHasNotRunItsProgramYetDoesNotKeepIt) {
  DirectoryLock lock;
  ASSERT_GOOD(Writer(&lock));
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(gate[1]);
    char byte;
    while (read(gate[0], &byte, 1) > 0) {
    }
    _exit(0);
  }
  close(gate[0]);
  lock.Release();
  EXPECT_GOOD(Writer(&lock));
  close(gate[1]);
  waitpid(child, nullptr, 0);
}

// ---- Files that go away

TEST_F(DirectoryLockTest, ALockWhoseFileWasRemovedOrReplacedIsLost) {
  for (const char* name : {kLockFileName, kOtherLockFileName}) {
    DirectoryLock lock;
    ASSERT_GOOD(Writer(&lock));
    EXPECT_GOOD(lock.StillHeld());
    std::filesystem::remove(path(name));
    const Error removed = lock.StillHeld();
    EXPECT_EQ(removed.code(), "LOCK_LOST") << name;
    EXPECT_NE(removed.message().find(path(name)), std::string::npos) << removed.message();
    WriteFile(path(name), "");
    EXPECT_CODE(lock.StillHeld(), "LOCK_LOST") << "another file";
    lock.Release();
    ASSERT_GOOD(Writer(&lock)) << "the one that is there is locked now";
    EXPECT_GOOD(lock.StillHeld());
  }
}

TEST_F(DirectoryLockTest, ALockIsLostWithItsDirectory) {
  std::filesystem::create_directory(path("a"));
  DirectoryLock lock;
  ASSERT_GOOD(DirectoryLock::AcquireWriter(path("a"), &lock));
  std::filesystem::rename(path("a"), path("b"));
  EXPECT_CODE(lock.StillHeld(), "LOCK_LOST");
  std::filesystem::create_directory(path("a"));
  EXPECT_CODE(lock.StillHeld(), "LOCK_LOST");
  for (const char* name : {kLockFileName, kOtherLockFileName}) {
    std::filesystem::rename(path("b/") + name, path("a/") + name);
  }
  EXPECT_CODE(lock.StillHeld(), "LOCK_LOST") << "the same files in another directory";
  std::filesystem::remove_all(path("a"));
  std::filesystem::rename(path("b"), path("a"));
  EXPECT_CODE(lock.StillHeld(), "LOCK_LOST") << "the same directory without the files";
}

// If the disk fails to answer once, the lock is not lost, and the error contains the disk's answer.
TEST_F(DirectoryLockTest, ALockThatCannotBeLookedAtIsNotLost) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  class Fails : public CallWatcher {
   public:
    explicit Fails(std::string file) : path(std::move(file)) {}
    Verdict Before(const Call& call) override {
      return {.error = call.kind == CallKind::kStat && call.path == path ? EIO : 0};
    }
    const std::string path;
  };
  DirectoryLock lock;
  ASSERT_GOOD(Writer(&lock));
  for (const std::string& file : {root_, path(kLockFileName), path(kOtherLockFileName)}) {
    Fails watcher(file);
    WatchCalls(root_, &watcher);
    const Error error = lock.StillHeld();
    WatchCalls("", nullptr);
    EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
    EXPECT_NE(error.message().find(file + " is still"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("Input/output error"), std::string::npos) << error.message();
    EXPECT_GOOD(lock.StillHeld());
  }
}

TEST_F(DirectoryLockTest, ALostStateLockIsNoticedToo) {
  DirectoryLock lock;
  ASSERT_GOOD(DirectoryLock::AcquireState(root_, &lock));
  EXPECT_GOOD(lock.StillHeld());
  std::filesystem::remove(path(kLockFileName));
  EXPECT_CODE(lock.StillHeld(), "LOCK_LOST");
}

TEST_F(DirectoryLockTest, AReaderIsSeenByItsBackupWhenTheLockFileIsGone) {
  std::filesystem::create_directory(path("meta"));
  WriteFile(path("meta/1"), "");
  WriteFile(path("meta/2"), "");
  for (const bool may_create : {true, false}) {
    DirectoryLock reader;
    ASSERT_GOOD(DirectoryLock::AcquireReader(root_, 1, may_create, &reader));
    std::filesystem::remove(path(kLockFileName));
    EXPECT_GOOD(reader.StillHeld()) << "what it reads is there";
    DirectoryLock writer;
    ASSERT_GOOD(Writer(&writer));
    EXPECT_CODE(writer.ExcludeReaders(1), "BACKUP_IN_USE");
    EXPECT_GOOD(writer.ExcludeReaders(2));
    reader.Release();
    EXPECT_GOOD(writer.ExcludeReaders(1));
    EXPECT_CODE(DirectoryLock::AcquireReader(root_, 1, may_create, &reader), "BACKUP_IN_USE");
    writer.Release();
    std::filesystem::remove(path(kLockFileName));
  }
}

TEST_F(DirectoryLockTest, AReaderKnowsWhenItsBackupIsAnother) {
  std::filesystem::create_directory(path("meta"));
  WriteFile(path("meta/1"), "");
  DirectoryLock reader;
  ASSERT_GOOD(Reader(1, &reader));
  std::filesystem::rename(path("meta/1"), path("meta/old"));
  EXPECT_CODE(reader.StillHeld(), "LOCK_LOST");
  WriteFile(path("meta/1"), "");
  EXPECT_CODE(reader.StillHeld(), "LOCK_LOST");
}

TEST_F(DirectoryLockTest, ManyBackupsAreExcludedWithoutAFileOpenForEach) {
  std::filesystem::create_directory(path("meta"));
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  DirectoryLock writer;
  ASSERT_GOOD(Writer(&writer));
  const auto before = open_files();
  for (uint32_t id = 1; id <= 100; ++id) {
    WriteFile(MetaPath(root_, id), "");
    ASSERT_GOOD(writer.ExcludeReaders(id));
  }
  EXPECT_EQ(open_files(), before);
}

// ---- Other programs

// Holds the lock of another program.
class Neighbour {
 public:
  Neighbour(const std::string& directory, int mode)
      : fd_(open((directory + "/" + kOtherLockFileName).c_str(), O_RDWR | O_CREAT, 0666)) {
    held_ = flock(fd_, mode | LOCK_NB) == 0;
  }
  ~Neighbour() { close(fd_); }
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;
  bool held() const { return held_; }

 private:
  int fd_;
  bool held_;
};

TEST_F(DirectoryLockTest, AWriterAndAnotherProgramThatWritesOrRestoresKeepEachOtherOut) {
  DirectoryLock writer;
  for (const int mode : {LOCK_EX, LOCK_SH}) {
    {
      const Neighbour other(root_, mode);
      ASSERT_TRUE(other.held());
      const Error error = Writer(&writer);
      EXPECT_EQ(error.code(), "BACKUP_LOCKED");
      EXPECT_NE(error.message().find(path(kOtherLockFileName)), std::string::npos) << error.message();
    }
    ASSERT_GOOD(Writer(&writer));
    EXPECT_FALSE(Neighbour(root_, mode).held());
    writer.Release();
    EXPECT_TRUE(Neighbour(root_, mode).held());
  }
}

TEST_F(DirectoryLockTest, ARestoreKeepsOutOtherProgramsThatWriteAndNotThoseThatRestore) {
  DirectoryLock reader;
  ASSERT_GOOD(Reader(1, &reader));
  ASSERT_GOOD(reader.KeepOtherProgramsOut(true));
  EXPECT_TRUE(Neighbour(root_, LOCK_SH).held());
  EXPECT_FALSE(Neighbour(root_, LOCK_EX).held());
  reader.Release();
  const Neighbour writer(root_, LOCK_EX);
  ASSERT_TRUE(writer.held());
  ASSERT_GOOD(Reader(1, &reader)) << "what only reads is not kept out";
  EXPECT_CODE(reader.KeepOtherProgramsOut(true), "BACKUP_LOCKED");
}

TEST_F(DirectoryLockTest, OurOwnWritersAndRestoresDoNotKeepEachOtherOut) {
  DirectoryLock reader;
  DirectoryLock writer;
  ASSERT_GOOD(Reader(1, &reader));
  ASSERT_GOOD(reader.KeepOtherProgramsOut(true));
  ASSERT_GOOD(Writer(&writer)) << "beside a restore";
  DirectoryLock second;
  ASSERT_GOOD(Reader(1, &second));
  EXPECT_GOOD(second.KeepOtherProgramsOut(true)) << "beside both";
  EXPECT_FALSE(Neighbour(root_, LOCK_EX).held());
  reader.Release();
  second.Release();
  EXPECT_FALSE(Neighbour(root_, LOCK_EX).held()) << "the writer is there";
  writer.Release();
  ASSERT_GOOD(Writer(&writer));
  ASSERT_GOOD(Reader(1, &reader));
  EXPECT_GOOD(reader.KeepOtherProgramsOut(true)) << "beside a writer that was there first";
}

TEST_F(DirectoryLockTest, ARestoreThatMayMakeNoFileLocksTheOneThatIsThere) {
  DirectoryLock reader;
  ASSERT_GOOD(DirectoryLock::AcquireReader(root_, 1, false, &reader));
  ASSERT_GOOD(reader.KeepOtherProgramsOut(false));
  EXPECT_TRUE(NamesIn(root_).empty());
  WriteFile(path(kOtherLockFileName), "");
  ASSERT_GOOD(reader.KeepOtherProgramsOut(false));
  EXPECT_FALSE(Neighbour(root_, LOCK_EX).held());
}

TEST_F(DirectoryLockTest, AnErrorSaysWhyTheLockFileOfOtherProgramsCannotBeMade) {
  if (!CanWatchCalls()) {
    GTEST_SKIP();
  }
  class CannotMake : public CallWatcher {
   public:
    Verdict Before(const Call& call) override {
      return {.error = call.kind == CallKind::kOpenWrite && NameOf(call.path) == kOtherLockFileName ? EIO : 0};
    }
  };
  CannotMake watcher;
  WatchCalls(root_, &watcher);
  DirectoryLock writer;
  const Error error = Writer(&writer);
  WatchCalls("", nullptr);
  EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
  EXPECT_NE(error.message().find(std::strerror(EIO)), std::string::npos) << error.message();
}

TEST_F(DirectoryLockTest, OnlyAFileSystemWithoutLocksIsUsedWithoutThem) {
  if (!CanWatchCalls()) {
    GTEST_SKIP();
  }
  class CannotLock : public CallWatcher {
   public:
    CannotLock(std::string file, int error) : file_(std::move(file)), error_(error) {}
    Verdict Before(const Call& call) override {
      return {.error = call.kind == CallKind::kLock && call.path == file_ ? error_ : 0};
    }

   private:
    const std::string file_;
    const int error_;
  };
  std::filesystem::create_directory(path("meta"));
  std::ofstream(path("meta/1")) << "meta";
  for (const std::string& file : {path(kOtherLockFileName), path("meta/1")}) {
    for (const int number : {EIO, ENOTSUP}) {
      CannotLock watcher(file, number);
      WatchCalls(root_, &watcher);
      DirectoryLock writer;
      Error error = Writer(&writer);
      if (error.ok()) {
        error = writer.ExcludeReaders(1);
      }
      WatchCalls("", nullptr);
      EXPECT_EQ(error.code(), number == EIO ? "ROCKSDB_IO_ERROR" : "") << file << ": " << error.message();
      EXPECT_EQ(error.message().find(file + ": " + std::strerror(EIO)) != std::string::npos, number == EIO)
          << error.message();
    }
  }
}

// Locks are released in an order in which no other writer or restore of ours looks like another program.
TEST_F(DirectoryLockTest, WritersAndRestoresAreNeverTakenForAnotherProgram) {
  std::atomic<bool> done{false};
  std::thread restores([&] {
    while (!done) {
      DirectoryLock reader;
      EXPECT_GOOD(Reader(1, &reader));
      EXPECT_GOOD(reader.KeepOtherProgramsOut(true));
    }
  });
  for (int i = 0; i < 2000; ++i) {
    DirectoryLock writer;
    EXPECT_GOOD(Writer(&writer));
  }
  done = true;
  restores.join();
}

}  // namespace
}  // namespace rocksdb_backup::test
