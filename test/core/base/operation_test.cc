#include "core/base/operation.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace rocksdb_backup {
namespace {

TEST(OperationTest, AStopBeforeTheCommitWins) {
  Operation operation;
  EXPECT_FALSE(operation.stopped());
  EXPECT_TRUE(operation.RequestStop());
  EXPECT_TRUE(operation.RequestStop()) << "it will end as stopped, whoever asks again";
  EXPECT_TRUE(operation.stopped());
  EXPECT_TRUE(operation.ended());
  EXPECT_FALSE(operation.Commit());
  EXPECT_FALSE(operation.Fail());
}

TEST(OperationTest, AStopAfterTheCommitIsRefused) {
  Operation operation;
  EXPECT_TRUE(operation.Commit());
  EXPECT_TRUE(operation.Commit());
  EXPECT_FALSE(operation.RequestStop());
  EXPECT_FALSE(operation.stopped());
  EXPECT_FALSE(operation.ended()) << "what follows the commit still moves data";
  EXPECT_TRUE(operation.Fail()) << "a failure after the commit is no stop";
  EXPECT_FALSE(operation.ended());
}

TEST(OperationTest, AStopAfterAFailureIsRefused) {
  Operation operation;
  EXPECT_TRUE(operation.Fail());
  EXPECT_TRUE(operation.Fail());
  EXPECT_TRUE(operation.ended());
  EXPECT_FALSE(operation.stopped());
  EXPECT_FALSE(operation.RequestStop());
}

TEST(OperationTest, ExactlyOneOfAStopACommitAndAFailureWins) {
  for (int round = 0; round < 500; ++round) {
    Operation operation;
    std::barrier start(3);
    bool stopped = false;
    bool committed = false;
    bool failed = false;
    std::thread stop([&] {
      start.arrive_and_wait();
      stopped = operation.RequestStop();
    });
    std::thread commit([&] {
      start.arrive_and_wait();
      committed = operation.Commit();
    });
    std::thread fail([&] {
      start.arrive_and_wait();
      failed = operation.Fail();
    });
    stop.join();
    commit.join();
    fail.join();
    EXPECT_EQ(stopped, operation.stopped());
    EXPECT_EQ(stopped, !failed) << "what failed of itself was not stopped";
    EXPECT_FALSE(stopped && committed);
    EXPECT_TRUE(stopped || committed || failed);
  }
}

TEST(OperationTest, ProgressBeginsAtZeroAndEndsAtAll) {
  std::vector<Progress> events;
  Operation operation([&](const Progress& event) { events.push_back(event); });
  operation.Begin(Phase::kCopy, 100, 2);
  operation.AddBytes("/backup/private/1/CURRENT", 60);
  operation.AddFile("/backup/private/1/CURRENT");
  operation.SetPhase(Phase::kCommit);
  operation.SetPhase(Phase::kCommit);
  operation.Finish();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].bytes_done, 0U);
  EXPECT_EQ(events[0].bytes_total, 100U);
  EXPECT_EQ(events[0].files_total, 2U);
  EXPECT_LT(events[0].seconds_left, 0) << "not known yet";
  EXPECT_EQ(events[1].phase, Phase::kCommit);
  EXPECT_EQ(events[1].bytes_done, 60U);
  EXPECT_EQ(events[1].bytes_total, 100U);
  EXPECT_EQ(events[2].bytes_done, 60U);
  EXPECT_EQ(events[2].bytes_total, 60U) << "what was not needed after all is not missing at the end";
  EXPECT_EQ(events[2].files_done, 1U);
  EXPECT_EQ(events[2].files_total, 1U);
}

TEST(OperationTest, TotalsFollowTheEngineAndAreNeverLessThanWhatIsDone) {
  std::vector<Progress> events;
  Operation operation([&](const Progress& event) { events.push_back(event); });
  operation.Begin(Phase::kCopy, 100, 2);
  operation.AdjustTotals(-100, -2);
  operation.AddBytes("log", 7);
  operation.AddFile("log");
  operation.SetPhase(Phase::kCommit);
  EXPECT_EQ(events.back().bytes_total, 7U);
  EXPECT_EQ(events.back().files_total, 1U);
  operation.AdjustTotals(50, 3);
  operation.SetPhase(Phase::kCopy);
  EXPECT_EQ(events.back().bytes_total, 50U);
  EXPECT_EQ(events.back().files_total, 3U);
}

TEST(OperationTest, NoEventComesBeforeTheBeginning) {
  int events = 0;
  Operation operation([&](const Progress&) { ++events; });
  operation.AddBytes("x", 1);
  operation.AddFile("x");
  EXPECT_EQ(events, 0);
}

TEST(OperationTest, AnOperationWithoutASinkStillCounts) {
  Operation operation;
  operation.Begin(Phase::kVerify, 10, 1);
  operation.AddBytes("x", 10);
  operation.AddFile("x");
  operation.Finish();
  EXPECT_EQ(operation.bytes_done(), 10U);
}

TEST(OperationTest, EventsOfManyThreadsComeOneByOneRisingAndAtMostTwentyASecond) {
  using Clock = std::chrono::steady_clock;
  std::vector<Progress> events;
  std::vector<Clock::time_point> times;
  std::atomic<int> inside{0};
  Operation operation([&](const Progress& event) {
    EXPECT_EQ(++inside, 1) << "one call at a time";
    events.push_back(event);
    times.push_back(Clock::now());
    --inside;
  });
  constexpr int kThreads = 4;
  const auto start = Clock::now();
  operation.Begin(Phase::kCopy, 0, kThreads);
  const auto end = Clock::now() + std::chrono::milliseconds(300);
  std::atomic<uint64_t> added{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, name = "/dir/file" + std::to_string(i)] {
      do {  // at least once, even if this thread starts late
        operation.AddBytes(name, 3);
        added += 3;
      } while (Clock::now() < end);
      operation.AddFile(name);
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  operation.Finish();
  ASSERT_GE(events.size(), 3U) << "at least one between the first and the last";
  for (size_t i = 1; i < events.size(); ++i) {
    EXPECT_GE(events[i].bytes_done, events[i - 1].bytes_done);
    EXPECT_LE(events[i].bytes_done, events[i].bytes_total);
    if (i + 1 < events.size()) {
      EXPECT_EQ(events[i].file.rfind("file", 0), 0U) << "named as in its directory";
      EXPECT_GT(events[i].bytes_per_second, 0);
    }
  }
  // Begin and Finish always send an event. All others are at least the interval apart.
  EXPECT_LE(events.size() - 2, static_cast<size_t>((times.back() - start) / std::chrono::milliseconds(50)));
  EXPECT_EQ(events.back().bytes_done, added.load());
  EXPECT_EQ(events.back().files_done, static_cast<uint32_t>(kThreads));
}

}  // namespace
}  // namespace rocksdb_backup
