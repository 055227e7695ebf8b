#include "core/base/write_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "core/base/background.h"

namespace rocksdb_backup {
namespace {

// More than there are threads.
constexpr int kMany = kMaxBackgroundThreads + 8;

class WriteQueueTest : public testing::Test {
 protected:
  // Puts the first work into the queue. All others wait for it.
  void Occupy() {
    std::promise<void> begun;
    queue_->Run(
        [&begun, end = end_.get_future().share()] {
          begun.set_value();
          end.wait();
        },
        first_);
    begun.get_future().wait();
  }
  void Free() { end_.set_value(); }

  void WaitFor(int count) const {
    while (ran_ < count) {
      std::this_thread::yield();
    }
  }

  const std::shared_ptr<WriteQueue> queue_ = std::make_shared<WriteQueue>();
  Operation first_;
  std::promise<void> end_;
  std::atomic<int> ran_{0};
};

TEST_F(WriteQueueTest, WorksRunInTheOrderInWhichTheyCameAndNeverTwoAtOnce) {
  Operation operation;
  std::vector<int> order;
  std::atomic<int> running{0};
  for (int i = 0; i < 1000; ++i) {
    queue_->Run(
        [&, i] {
          EXPECT_EQ(++running, 1);
          order.push_back(i);
          --running;
          ++ran_;
        },
        operation);
  }
  WaitFor(1000);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(order[i], i);
  }
}

TEST_F(WriteQueueTest, WaitingWorkUsesNoThread) {
  Occupy();
  std::vector<std::unique_ptr<Operation>> operations;
  for (int i = 0; i < kMany; ++i) {
    queue_->Run([this] { ++ran_; }, *operations.emplace_back(std::make_unique<Operation>()));
  }
  std::promise<void> other;
  RunInBackground([&] { other.set_value(); });
  other.get_future().wait();
  EXPECT_EQ(ran_, 0);
  Free();
  WaitFor(kMany);
}

TEST_F(WriteQueueTest, StoppedWorkLeavesTheQueueAtOnceAndTheOthersKeepTheirOrder) {
  Occupy();
  std::vector<std::unique_ptr<Operation>> operations;
  std::mutex mutex;
  std::vector<int> order;
  for (int i = 0; i < kMany; ++i) {
    queue_->Run(
        [&, i] {
          const std::lock_guard lock(mutex);
          order.push_back(i);
          ++ran_;
        },
        *operations.emplace_back(std::make_unique<Operation>()));
  }
  for (int i = 1; i < kMany; i += 2) {
    EXPECT_TRUE(operations[i]->RequestStop());
    WaitFor((i + 1) / 2);  // while the first is still busy
  }
  Free();
  WaitFor(kMany);
  for (int i = 0; i < kMany / 2; ++i) {
    EXPECT_EQ(order[i], 2 * i + 1);
    EXPECT_EQ(order[kMany / 2 + i], 2 * i);
  }
}

TEST_F(WriteQueueTest, WorkStoppedBeforeItIsQueuedDoesNotWait) {
  Occupy();
  Operation stopped;
  stopped.RequestStop();
  queue_->Run([this] { ++ran_; }, stopped);
  WaitFor(1);
  Free();
}

TEST_F(WriteQueueTest, EachRunsOnceEvenIfAStopAndItsTurnComeTogether) {
  constexpr int kRounds = 300;
  constexpr int kWorks = 20;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::unique_ptr<Operation>> operations;
    operations.reserve(kWorks);
    for (int i = 0; i < kWorks; ++i) {
      operations.push_back(std::make_unique<Operation>());
    }
    std::vector<std::atomic<int>> runs(kWorks);
    std::atomic<int> ended{0};
    std::thread stopper([&] {
      std::minstd_rand random(static_cast<unsigned>(round) + 1);
      for (int i = 0; i < kWorks; ++i) {
        operations[random() % kWorks]->RequestStop();
      }
    });
    for (int i = 0; i < kWorks; ++i) {
      queue_->Run(
          [&, i] {
            ++runs[i];
            ++ended;
          },
          *operations[i]);
    }
    stopper.join();
    while (ended < kWorks) {
      std::this_thread::yield();
    }
    for (int i = 0; i < kWorks; ++i) {
      EXPECT_EQ(runs[i], 1);
    }
  }
}

TEST_F(WriteQueueTest, ItMayBeDestroyedWhileItsLastWorkRunsAndEachWorkIsDestroyedBeforeTheNextRuns) {
  auto queue = std::make_shared<WriteQueue>();
  Operation operation;
  std::promise<bool> next;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  std::promise<void> go;
  queue->Run([held = std::move(held), wait = go.get_future().share()] { wait.wait(); }, operation);
  queue->Run([&] { next.set_value(watched.expired()); }, operation);
  queue.reset();
  go.set_value();
  EXPECT_TRUE(next.get_future().get());
}

TEST_F(WriteQueueTest, ATurnThatIsKeptKeepsTheOthersWaitingAfterItsWorkHasReturned) {
  Operation operation;
  std::promise<WriteQueue::Turn> taken;
  queue_->Take([&taken](WriteQueue::Turn turn) { taken.set_value(std::move(turn)); }, operation);
  WriteQueue::Turn turn = taken.get_future().get();
  queue_->Run([this] { ++ran_; }, operation);
  // A second copy is the same turn.
  WriteQueue::Turn copy = turn;
  turn.reset();
  std::promise<void> other;
  RunInBackground([&] { other.set_value(); });
  other.get_future().wait();
  EXPECT_EQ(ran_, 0);
  copy.reset();
  WaitFor(1);
}

TEST_F(WriteQueueTest, StoppedWorkGetsNoTurn) {
  Occupy();
  Operation operation;
  std::promise<bool> has_turn;
  queue_->Take([&has_turn](const WriteQueue::Turn& turn) { has_turn.set_value(turn != nullptr); }, operation);
  operation.RequestStop();
  EXPECT_FALSE(has_turn.get_future().get());
  Free();
}

}  // namespace
}  // namespace rocksdb_backup
