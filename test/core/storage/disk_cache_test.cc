#include "core/storage/disk_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "backup_fixture.h"
#include "child_process.h"
#include "system_calls.h"

namespace rocksdb_backup::test {
namespace {

constexpr uint64_t kBound = uint64_t{16} << 20;
constexpr uint64_t kSixteenth = kBound / 16;
constexpr size_t kBlock = size_t{256} << 10;

std::string BlockOf(const std::string& id) {
  std::string block;
  while (block.size() < kBlock) {
    block += id + " ";
  }
  block.resize(kBlock);
  return block;
}

// The space that the files of a directory take, in whole pages.
uint64_t BytesIn(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    struct stat found = {};
    if (stat(entry.path().c_str(), &found) == 0) {
      bytes += (static_cast<uint64_t>(found.st_size) + 4095) / 4096 * 4096;
    }
  }
  return bytes;
}

void SetAge(const std::string& path, int seconds) {
  timespec times[2] = {};
  times[0].tv_sec = times[1].tv_sec = time(nullptr) - seconds;
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

class DiskCacheTest : public ScratchTest {
 protected:
  std::string directory() const { return path("over/cache"); }
  DiskCache NewCache() const { return DiskCache({directory(), kBound}); }

  // Writes a block, and returns the path of its file.
  std::string Write(DiskCache& cache, const std::string& id) {
    const std::set<std::string> before = NamesIn(directory());
    cache.Write(id, BlockOf(id));
    for (const std::string& name : NamesIn(directory())) {
      if (!before.contains(name)) {
        return directory() + "/" + name;
      }
    }
    ADD_FAILURE() << "nothing was written: " << cache.statistics().problem;
    return "";
  }
};

TEST_F(DiskCacheTest, AnotherProcessReadsWhatWasWritten) {
  DiskCache writer = NewCache();
  EXPECT_EQ(writer.Read("one"), std::nullopt);
  const std::string file = Write(writer, "one");
  DiskCache reader = NewCache();
  EXPECT_TRUE(reader.Has("one"));
  EXPECT_FALSE(reader.Has("two"));
  EXPECT_EQ(reader.Read("one"), BlockOf("one"));
  EXPECT_EQ(reader.Read("two"), std::nullopt);
  const auto statistics = reader.statistics();
  EXPECT_EQ(statistics.hits, 1U);
  EXPECT_EQ(statistics.misses, 0U);
  EXPECT_EQ(writer.statistics().misses, 1U) << "what is read elsewhere is counted, however often it was asked for here";
  EXPECT_EQ(statistics.bytes_read, kBlock);
  EXPECT_EQ(statistics.problem, "");

  struct stat found = {};
  ASSERT_EQ(stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
  for (const std::string& made : {path("over"), directory()}) {
    ASSERT_EQ(stat(made.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0700U);
  }
}

TEST_F(DiskCacheTest, CachesOfAProcessShareTheBoundAndCountForThemselves) {
  DiskCache one = NewCache();
  DiskCache two = NewCache();
  for (int i = 0; i < 200; ++i) {
    DiskCache& cache = i % 2 == 0 ? one : two;
    cache.Write(std::to_string(i), BlockOf(std::to_string(i)));
    ASSERT_LE(BytesIn(directory()), kBound) << i;
  }
  EXPECT_TRUE(one.Read("199"));
  EXPECT_EQ(one.statistics().bytes_written, 100 * kBlock);
  EXPECT_EQ(one.statistics().hits, 1U);
  EXPECT_EQ(two.statistics().hits, 0U);
}

// Two ids whose names have the same hash.
TEST_F(DiskCacheTest, ABlockOfAnotherIdIsNotTaken) {
  DiskCache cache = NewCache();
  const std::string one = Write(cache, "one");
  const std::string two = Write(cache, "two");
  fs::copy_file(one, two, fs::copy_options::overwrite_existing);
  EXPECT_EQ(cache.Read("two"), std::nullopt);
  EXPECT_EQ(cache.statistics().damaged, 0U);
  cache.Write("two", BlockOf("two"));
  EXPECT_EQ(cache.Read("two"), BlockOf("two"));
  EXPECT_EQ(cache.Read("one"), BlockOf("one"));
}

TEST_F(DiskCacheTest, DamageIsFoundAndTheBlockIsReplaced) {
  DiskCache cache = NewCache();
  const std::string file = Write(cache, "one");
  const std::string good = ReadFile(file);
  std::vector<std::string> damaged = {"",
                                      good.substr(0, 1),
                                      good.substr(0, 23),
                                      good.substr(0, good.size() - 1),
                                      good + "x",
                                      std::string(good.size(), '\0')};
  // Each byte of the head and of the id, and some of the block.
  for (size_t at = 0; at < good.size(); at += at < 64 ? 1 : 9973) {
    damaged.push_back(good);
    damaged.back()[at] = static_cast<char>(damaged.back()[at] ^ 1);
  }
  uint64_t found = 0;
  for (const std::string& text : damaged) {
    WriteFile(file, text);
    EXPECT_EQ(cache.Read("one"), std::nullopt);
    EXPECT_EQ(cache.statistics().damaged, ++found);
    EXPECT_FALSE(fs::exists(file));
    cache.Write("one", BlockOf("one"));
    EXPECT_EQ(cache.Read("one"), BlockOf("one"));
  }
}

TEST_F(DiskCacheTest, TheBoundHoldsAndTheOldestGo) {
  DiskCache cache = NewCache();
  const int blocks = 3 * static_cast<int>(kBound / kBlock);
  int age = 2 * blocks;
  for (int i = 0; i < blocks; ++i) {
    SetAge(Write(cache, std::to_string(i)), 1000 + age--);
    ASSERT_LE(BytesIn(directory()), kBound) << i;
    EXPECT_EQ(cache.Read("0"), BlockOf("0")) << "what is used stays";
  }
  EXPECT_GE(BytesIn(directory()), kBound - 3 * kSixteenth);
  bool there = false;
  for (int i = 1; i < blocks; ++i) {
    EXPECT_TRUE(!there || cache.Has(std::to_string(i))) << i << " is gone, and an older one is there";
    there |= cache.Has(std::to_string(i));
  }
}

TEST_F(DiskCacheTest, ABlockThatWouldTakeMoreThanASixteenthIsNotKept) {
  DiskCache cache = NewCache();
  cache.Write("one", std::string(kSixteenth, 'x'));
  EXPECT_EQ(NamesIn(directory()), std::set<std::string>());
}

TEST_F(DiskCacheTest, WhatKilledProcessesLeftIsRemovedAndWhatIsNotOursStays) {
  DiskCache cache = NewCache();
  const std::string left = directory() + "/0123456789abcdef.tmp";
  const std::string young = directory() + "/0123456789abcde0.tmp";
  const std::vector<std::string> others = {"notes.tmp", "notes.block", "0123456789ABCDEF.tmp", "0123456789abcdef"};
  for (const std::string& file : {left, young}) {
    WriteFile(file, "half");
  }
  for (const std::string& name : others) {
    WriteFile(directory() + "/" + name, "mine");
    SetAge(directory() + "/" + name, 1'000'000);
  }
  SetAge(left, 2 * 3600);
  cache.Write("one", BlockOf("one"));
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(young));
  for (int i = 0; i < 100; ++i) {
    cache.Write(std::to_string(i), BlockOf(std::to_string(i)));
  }
  for (const std::string& name : others) {
    EXPECT_EQ(ReadFile(directory() + "/" + name), "mine");
  }
}

TEST_F(DiskCacheTest, ADirectoryThatOthersMayChangeIsNotUsed) {
  std::string file;
  {
    DiskCache cache = NewCache();
    file = Write(cache, "one");
  }
  for (const mode_t mode : {0770, 0707, 0722}) {
    ASSERT_EQ(chmod(directory().c_str(), mode), 0);
    DiskCache cache = NewCache();
    EXPECT_EQ(cache.Read("one"), std::nullopt);
    cache.Write("two", BlockOf("two"));
    EXPECT_EQ(NamesIn(directory()).size(), 1U);
    EXPECT_NE(cache.statistics().problem.find("other users may write there"), std::string::npos);
  }
  ASSERT_EQ(chmod(directory().c_str(), 0755), 0);
  EXPECT_EQ(NewCache().Read("one"), BlockOf("one"));
  if (geteuid() == 0) {
    ASSERT_EQ(chown(directory().c_str(), 65534, 65534), 0);
    DiskCache cache = NewCache();
    EXPECT_EQ(cache.Read("one"), std::nullopt);
    EXPECT_NE(cache.statistics().problem.find("belongs to another user"), std::string::npos);
  }
}

TEST_F(DiskCacheTest, ADirectoryThatCannotBeMadeIsTold) {
  WriteFile(path("over"), "a file");
  DiskCache cache = NewCache();
  cache.Write("one", BlockOf("one"));
  EXPECT_EQ(cache.Read("one"), std::nullopt);
  EXPECT_NE(cache.statistics().problem.find("Not a directory"), std::string::npos) << cache.statistics().problem;
}

TEST_F(DiskCacheTest, WhoOpensItHearsWhatIsWrongNow) {
  {
    DiskCache cache = NewCache();
    (void)Write(cache, "one");
  }
  ASSERT_EQ(chmod(directory().c_str(), 0777), 0);
  const DiskCache still_open = NewCache();
  std::filesystem::remove_all(directory());
  WriteFile(directory(), "a file");
  EXPECT_NE(NewCache().statistics().problem.find("Not a directory"), std::string::npos);
  std::filesystem::remove(directory());
  DiskCache cache = NewCache();
  EXPECT_EQ(cache.statistics().problem, "");
}

// Fails every call of one kind with one errno.
class FailingCalls : public CallWatcher {
 public:
  FailingCalls(const std::string& below, CallKind kind, int error) : kind_(kind), error_(error) {
    WatchCalls(below, this);
  }
  ~FailingCalls() override { WatchCalls("", nullptr); }
  FailingCalls(const FailingCalls&) = delete;
  FailingCalls& operator=(const FailingCalls&) = delete;
  Verdict Before(const Call& call) override {
    failed_ |= call.kind == kind_;
    return {.error = call.kind == kind_ ? error_ : 0};
  }
  bool failed() const { return failed_; }

 private:
  const CallKind kind_;
  const int error_;
  bool failed_ = false;
};

TEST_F(DiskCacheTest, AFailingDiskIsToldAndLeavesNoGarbage) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  for (const auto& [kind, error] : std::vector<std::pair<CallKind, int>>{{CallKind::kOpenWrite, EACCES},
                                                                         {CallKind::kOpenWrite, EDQUOT},
                                                                         {CallKind::kWrite, ENOSPC},
                                                                         {CallKind::kClose, EIO},
                                                                         {CallKind::kRename, EIO},
                                                                         {CallKind::kList, EIO}}) {
    SCOPED_TRACE(kCallNames[static_cast<int>(kind)]);
    fs::remove_all(directory());
    DiskCache cache = NewCache();
    {
      const FailingCalls failing(directory(), kind, error);
      cache.Write("one", BlockOf("one"));
      EXPECT_TRUE(failing.failed());
    }
    EXPECT_EQ(cache.Read("one"), std::nullopt);
    EXPECT_NE(cache.statistics().problem.find(std::generic_category().message(error)), std::string::npos)
        << cache.statistics().problem;
    EXPECT_EQ(NamesIn(directory()), std::set<std::string>());
  }
}

TEST_F(DiskCacheTest, ADiskThatCannotBeReadIsAMiss) {
  if (!CanWatchCalls()) {
    GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
  }
  DiskCache cache = NewCache();
  for (const CallKind kind : {CallKind::kOpenRead, CallKind::kRead}) {
    cache.Write("one", BlockOf("one"));
    const FailingCalls failing(directory(), kind, EIO);
    EXPECT_EQ(cache.Read("one"), std::nullopt);
    EXPECT_TRUE(failing.failed());
  }
}

// The other side of the tests below: writes blocks to a cache, and reads them, until its input ends.
TEST_F(DiskCacheTest, DISABLED_UseACache) {
  DiskCache cache({getenv("TEST_CACHE"), kBound});
  const std::string name = getenv("TEST_NAME");
  std::atomic<bool> ended{false};
  std::thread end([&] {
    ChildProcess::WaitForEnd();
    ended = true;
  });
  for (int i = 0; !ended; ++i) {
    const std::string own = name + std::to_string(i);
    cache.Write(own, BlockOf(own));
    const std::string shared = std::to_string(i % 20);
    if (const auto read = cache.Read(shared)) {
      EXPECT_EQ(*read, BlockOf(shared));
    } else {
      cache.Write(shared, BlockOf(shared));
    }
    if (i == 200) {
      ChildProcess::Say("written");
    }
  }
  end.join();
  EXPECT_EQ(cache.statistics().damaged, 0U);
  EXPECT_EQ(cache.statistics().problem, "");
}

TEST_F(DiskCacheTest, TheBoundHoldsForTwoProcessesAndAKilledOneLeavesNothingForLong) {
  const auto child = [&](const std::string& name) {
    return ChildProcess("DiskCacheTest.DISABLED_UseACache", {{"TEST_CACHE", directory()}, {"TEST_NAME", name}});
  };
  uint64_t most = 0;
  std::atomic<bool> ended{false};
  std::thread looking([&] {
    while (!ended) {
      most = std::max(most, BytesIn(directory()));
    }
  });
  {
    auto first = child("first ");
    auto second = child("second ");
    EXPECT_EQ(first.WaitForLine(), "written");
    EXPECT_EQ(second.WaitForLine(), "written");
    first.Kill();
    EXPECT_EQ(second.End(), 0);
  }
  ended = true;
  looking.join();
  EXPECT_GT(most, kBound / 2);
  EXPECT_LE(most, kBound + kSixteenth);
  for (const std::string& name : NamesIn(directory())) {
    SetAge(directory() + "/" + name, 2 * 3600);
  }
  DiskCache cache = NewCache();
  cache.Write("one", BlockOf("one"));
  for (const std::string& name : NamesIn(directory())) {
    EXPECT_TRUE(name.ends_with(".block")) << name;
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
