#include "core/directory_lock.h"

#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "backup_fixture.h"
#include "child_process.h"

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

TEST_F(DirectoryLockTest, WhoChangesTheStateKeepsOthersFromThatAndNobodyFromWritingBackups) {
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

TEST_F(DirectoryLockTest, TheLockIsTheDirectorysByWhateverPath) {
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

TEST_F(DirectoryLockTest, TakingAnotherLockGivesTheFirstBack) {
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

TEST_F(DirectoryLockTest, AWriterInADirectoryThatIsNotThereIsToldSo) {
  DirectoryLock lock;
  const Error error = DirectoryLock::AcquireWriter(path("missing"), &lock);
  EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR");
  EXPECT_NE(error.message().find(path("missing/rocksdb-backup.lock")), std::string::npos) << error.message();
  EXPECT_GOOD(DirectoryLock::AcquireReader(path("missing"), 1, true, &lock)) << "the engine says what is missing";
}

TEST_F(DirectoryLockTest, OfManyThreadsOneAtATimeHasTheLock) {
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

}  // namespace
}  // namespace rocksdb_backup::test
