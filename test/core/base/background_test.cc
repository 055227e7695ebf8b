#include "core/base/background.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "backup_fixture.h"
#include "child_process.h"

namespace rocksdb_backup {
namespace {

TEST(BackgroundTest, WorkRunsOnAnotherThread) {
  std::promise<std::thread::id> ran;
  RunInBackground([&] { ran.set_value(std::this_thread::get_id()); });
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

TEST(BackgroundTest, AtMostTheLimitRunsAtOnceAndTheRestWaitsInOrder) {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    int running = 0;
    int most = 0;
    int ended = 0;
    bool open = false;
    std::vector<int> order;
  } gate;
  constexpr int kWork = kMaxBackgroundThreads + 8;
  for (int i = 0; i < kWork; ++i) {
    RunInBackground([&gate, i] {
      std::unique_lock lock(gate.mutex);
      gate.order.push_back(i);
      gate.most = std::max(gate.most, ++gate.running);
      gate.changed.notify_all();
      gate.changed.wait(lock, [&] { return gate.open; });
      --gate.running;
      ++gate.ended;
      gate.changed.notify_all();
    });
  }
  std::unique_lock lock(gate.mutex);
  gate.changed.wait(lock, [&] { return gate.running == kMaxBackgroundThreads; });
  std::vector<int> first = gate.order;
  std::sort(first.begin(), first.end());
  for (int i = 0; i < kMaxBackgroundThreads; ++i) {
    EXPECT_EQ(first[i], i) << "the first come runs first";
  }
  gate.open = true;
  gate.changed.notify_all();
  gate.changed.wait(lock, [&] { return gate.ended == kWork; });
  EXPECT_EQ(gate.most, kMaxBackgroundThreads);
}

TEST(BackgroundTest, WhatWorkCapturedDiesWithIt) {
  std::promise<void> died;
  std::shared_ptr<void> captured(nullptr, [&](void*) { died.set_value(); });
  RunInBackground([captured] {});
  captured.reset();
  died.get_future().get();
}

TEST(BackgroundTest, WorkMayAddWork) {
  std::promise<void> done;
  RunInBackground([&] { RunInBackground([&] { done.set_value(); }); });
  done.get_future().get();
}

TEST(BackgroundTest, IfNoThreadCanStartTheWorkIsStillDone) {
#if ROCKSDB_BACKUP_SANITIZED
  GTEST_SKIP() << "a sanitizer needs the address space that this takes away";
#endif
  test::ChildProcess child("BackgroundTest.DISABLED_ChildThatGetsNoThread", {});
  EXPECT_EQ(child.WaitForLine(), "ran here");
  EXPECT_EQ(child.End(), 0);
}

TEST(BackgroundTest, DISABLED_ChildThatGetsNoThread) {
  const rlimit none = {16 << 20, 16 << 20};  // less than the process uses already, so no thread gets a stack
  ASSERT_EQ(setrlimit(RLIMIT_AS, &none), 0);
  std::thread::id ran_on;
  RunInBackground([&] { ran_on = std::this_thread::get_id(); });
  test::ChildProcess::Say(ran_on == std::this_thread::get_id() ? "ran here" : "did not run here");
}

}  // namespace
}  // namespace rocksdb_backup
