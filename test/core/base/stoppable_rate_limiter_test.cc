#include "core/base/stoppable_rate_limiter.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace rocksdb_backup {
namespace {

using Clock = std::chrono::steady_clock;
using rocksdb::Env;
using rocksdb::RateLimiter;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

std::shared_ptr<RateLimiter> Limiter(int64_t bytes_per_second) {
  return std::shared_ptr<RateLimiter>(rocksdb::NewGenericRateLimiter(bytes_per_second));
}

void Write(RateLimiter& limiter, int64_t bytes) {
  limiter.Request(bytes, Env::IO_LOW, nullptr, RateLimiter::OpType::kWrite);
}

TEST(StoppableRateLimiterTest, ItLimitsAndCountsLikeTheLimiterBehindIt) {
  const auto limiter = Limiter(1 << 20);
  StoppableRateLimiter stoppable(limiter, std::make_shared<Operation>());
  const auto start = Clock::now();
  Write(stoppable, 512 << 10);
  EXPECT_GE(Seconds(Clock::now() - start), 0.8 * 0.4) << "the first tenth of a second's bytes are free";
  EXPECT_EQ(stoppable.GetTotalBytesThrough(Env::IO_TOTAL), 512 << 10);
  EXPECT_EQ(stoppable.GetBytesPerSecond(), 1 << 20);
  EXPECT_GT(stoppable.GetTotalRequests(Env::IO_TOTAL), 0);
  EXPECT_TRUE(stoppable.IsRateLimited(RateLimiter::OpType::kWrite));
  EXPECT_FALSE(stoppable.IsRateLimited(RateLimiter::OpType::kRead));
  stoppable.SetBytesPerSecond(2 << 20);
  EXPECT_EQ(limiter->GetBytesPerSecond(), 2 << 20);
}

TEST(StoppableRateLimiterTest, WhatTheLimiterDoesNotLimitIsNotCounted) {
  const auto limiter = Limiter(10);
  StoppableRateLimiter stoppable(limiter, std::make_shared<Operation>());
  stoppable.Request(1 << 30, Env::IO_LOW, nullptr, RateLimiter::OpType::kRead);
  EXPECT_EQ(limiter->GetTotalBytesThrough(Env::IO_TOTAL), 0);
}

TEST(StoppableRateLimiterTest, ItsBurstsAreNeitherTinyNorHuge) {
  for (const int64_t speed : {int64_t{1}, int64_t{1000}, int64_t{1} << 40}) {
    StoppableRateLimiter stoppable(Limiter(speed), std::make_shared<Operation>());
    EXPECT_GE(stoppable.GetSingleBurstBytes(), 4 << 10) << speed;
    EXPECT_LE(stoppable.GetSingleBurstBytes(), 1 << 20) << speed;
  }
}

TEST(StoppableRateLimiterTest, AStopEndsTheWaitOfEveryThread) {
  const auto operation = std::make_shared<Operation>();
  StoppableRateLimiter stoppable(Limiter(100), operation);
  std::vector<std::thread> threads;
  std::atomic<int> waiting{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      ++waiting;
      Write(stoppable, 1 << 20);  // three hours
    });
  }
  while (waiting < 4 || stoppable.GetTotalRequests(Env::IO_TOTAL) == 0) {
    std::this_thread::yield();
  }
  operation->RequestStop();
  for (auto& thread : threads) {
    thread.join();
  }
  Write(stoppable, 1 << 20);
  EXPECT_LT(stoppable.GetTotalBytesThrough(Env::IO_TOTAL), 1000) << "nothing more goes through";
}

TEST(StoppableRateLimiterTest, AStopIsNotHeldUpByOthersWhoShareTheLimiter) {
  // One refill is much longer than a thread waits for a processor, so the test measures only the wait for bytes.
  constexpr int64_t kRefill = 300;
  const std::shared_ptr<RateLimiter> limiter(rocksdb::NewGenericRateLimiter(1000, kRefill * 1000));
  std::vector<std::shared_ptr<Operation>> operations;
  std::vector<std::unique_ptr<StoppableRateLimiter>> limiters;
  std::vector<std::thread> threads;
  std::array<int64_t, 6> through{};  // the bytes of all threads when each thread returned
  for (size_t i = 0; i < through.size(); ++i) {
    operations.push_back(std::make_shared<Operation>());
    limiters.push_back(std::make_unique<StoppableRateLimiter>(limiter, operations.back()));
    threads.emplace_back([&, i, own = limiters.back().get()] {
      Write(*own, 1 << 20);
      through[i] = limiter->GetTotalBytesThrough(Env::IO_TOTAL);
    });
  }
  while (limiter->GetTotalRequests(Env::IO_TOTAL) < 20) {
    std::this_thread::yield();
  }
  operations[0]->RequestStop();
  const int64_t before = limiter->GetTotalBytesThrough(Env::IO_TOTAL);
  threads[0].join();
  // It waits for two refills at most. With whole bursts it would wait for one burst of each thread: six refills.
  EXPECT_LT(through[0] - before, 5 * kRefill);
  for (const auto& operation : operations) {
    operation->RequestStop();
  }
  for (size_t i = 1; i < threads.size(); ++i) {
    threads[i].join();
  }
}

TEST(StoppableRateLimiterTest, ALimitRaisedMeanwhileHoldsFromThenOn) {
  const auto limiter = Limiter(1000);
  StoppableRateLimiter stoppable(limiter, std::make_shared<Operation>());
  std::thread writer([&] { Write(stoppable, 1 << 20); });  // a quarter of an hour
  while (limiter->GetTotalRequests(Env::IO_TOTAL) == 0) {
    std::this_thread::yield();
  }
  stoppable.SetBytesPerSecond(1 << 30);
  writer.join();
  EXPECT_EQ(limiter->GetTotalBytesThrough(Env::IO_TOTAL), 1 << 20);
}

TEST(StoppableRateLimiterTest, ARequestThatWaitsWhileTheLimitIsLoweredIsSmall) {
  const auto limiter = Limiter(4 << 20);
  const auto operation = std::make_shared<Operation>();
  StoppableRateLimiter stoppable(limiter, operation);
  std::thread writer([&] { Write(stoppable, 64 << 20); });
  while (limiter->GetTotalRequests(Env::IO_TOTAL) < 20) {
    std::this_thread::yield();
  }
  stoppable.SetBytesPerSecond(1 << 20);
  operation->RequestStop();
  const int64_t before = limiter->GetTotalBytesThrough(Env::IO_TOTAL);
  writer.join();
  // The request is a small part of a burst. A whole burst of the old limit would take four refills now.
  EXPECT_LE(limiter->GetTotalBytesThrough(Env::IO_TOTAL) - before, 64 << 10);
}

}  // namespace
}  // namespace rocksdb_backup
