#include "core/base/resource.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace rocksdb_backup {
namespace {

// Counts what happened to a resource.
struct Story {
  std::atomic<int> stops{0};
  std::atomic<int> frees{0};
  std::atomic<int> leases{0};
  std::atomic<bool> used_after_free{false};
  std::promise<std::thread::id> freed_on;
};

class Thing : public Resource {
 public:
  Thing(std::shared_ptr<Story> story, Error result = {})
      : Resource("thing"), story_(std::move(story)), result_(std::move(result)) {}

  static std::shared_ptr<Thing> Make(std::shared_ptr<Story> story, Error result = {}) {
    auto thing = std::make_shared<Thing>(std::move(story), std::move(result));
    RegisterResource(thing);
    thing->AddHandle();
    return thing;
  }

 protected:
  void Stop() override { ++story_->stops; }
  Error Free() override {
    story_->used_after_free = story_->used_after_free || story_->leases != 0;
    ++story_->frees;
    story_->freed_on.set_value(std::this_thread::get_id());
    return result_;
  }

 private:
  const std::shared_ptr<Story> story_;
  const Error result_;
};

// A callback, and a way to wait for it.
struct Told {
  std::promise<Error> promise;
  Resource::Done Done() {
    return [this](const Error& error) { promise.set_value(error); };
  }
  Error Wait() { return promise.get_future().get(); }
};

TEST(ResourceTest, TheLastHandleClosesAndTheRestOnlyGo) {
  const auto story = std::make_shared<Story>();
  const auto thing = Thing::Make(story);
  ASSERT_TRUE(thing->AddHandle());
  Told first;
  thing->RemoveHandle(first.Done());
  EXPECT_TRUE(first.Wait().ok());
  EXPECT_EQ(story->stops, 0);
  EXPECT_TRUE(thing->Acquire());
  Told second;
  thing->RemoveHandle(second.Done());
  EXPECT_TRUE(second.Wait().ok());
  EXPECT_EQ(story->stops, 1);
  EXPECT_EQ(story->frees, 1);
  EXPECT_NE(story->freed_on.get_future().get(), std::this_thread::get_id());
}

TEST(ResourceTest, WhatIsClosingGivesNoLeaseAndNoHandleAndIsNotFound) {
  const auto story = std::make_shared<Story>();
  const auto thing = Thing::Make(story);
  const std::string token = thing->token();
  EXPECT_EQ(FindResource(token), thing);
  auto lease = thing->Acquire();
  ASSERT_TRUE(lease);
  Told told;
  thing->RemoveHandle(told.Done());
  EXPECT_EQ(story->stops, 1) << "what runs is asked to end before it is waited for";
  EXPECT_EQ(story->frees, 0);
  EXPECT_FALSE(thing->Acquire());
  EXPECT_FALSE(thing->AddHandle());
  EXPECT_EQ(FindResource(token), nullptr);
  lease.Release();
  EXPECT_TRUE(told.Wait().ok());
  EXPECT_EQ(story->frees, 1);
  EXPECT_FALSE(thing->Acquire());
  EXPECT_FALSE(thing->AddHandle());
}

TEST(ResourceTest, TheErrorOfFreeReachesTheCaller) {
  const auto thing = Thing::Make(std::make_shared<Story>(), Error("ROCKSDB_IO_ERROR", "closing failed"));
  Told told;
  thing->RemoveHandle(told.Done());
  EXPECT_EQ(told.Wait().code(), "ROCKSDB_IO_ERROR");
}

TEST(ResourceTest, ALeaseMovesAndIsReleasedOnce) {
  const auto story = std::make_shared<Story>();
  const auto thing = Thing::Make(story);
  auto first = thing->Acquire();
  Resource::Lease second = std::move(first);
  EXPECT_TRUE(second);
  first.Release();  // it has no lease any more
  Resource::Lease third;
  third = std::move(second);
  third = thing->Acquire();
  thing->RemoveHandle({});
  EXPECT_EQ(story->frees, 0);
  third.Release();
  third.Release();
  thing->WaitIfClosing();
  EXPECT_EQ(story->frees, 1);
}

TEST(ResourceTest, WaitingReturnsAtOnceWhileItIsOpenAndAfterTheEndWhenItCloses) {
  const auto story = std::make_shared<Story>();
  const auto thing = Thing::Make(story);
  thing->WaitIfClosing();
  auto lease = thing->Acquire();
  thing->RemoveHandle({});
  std::thread release([&] { lease.Release(); });
  thing->WaitIfClosing();
  EXPECT_EQ(story->frees, 1);
  thing->WaitIfClosing();
  release.join();
}

TEST(ResourceTest, AListenerOfTheClosingIsCalledOnceUnlessItIsRemoved) {
  const auto thing = Thing::Make(std::make_shared<Story>());
  int heard = 0;
  int dropped = 0;
  const auto watch = thing->WhenClosing([&] { ++heard; });
  thing->WhenClosing([&] { ++dropped; }).reset();
  EXPECT_EQ(heard, 0);
  thing->RemoveHandle({});
  thing->WaitIfClosing();
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(dropped, 0);
  int late = 0;
  const auto too_late = thing->WhenClosing([&] { ++late; });
  EXPECT_EQ(late, 1) << "whoever comes too late hears it at once";
}

TEST(ResourceTest, EachResourceHasItsOwnTokenAndAnUnknownTokenFindsNothing) {
  const auto one = Thing::Make(std::make_shared<Story>());
  const auto two = Thing::Make(std::make_shared<Story>());
  EXPECT_NE(one->token(), two->token());
  EXPECT_EQ(FindResource(two->token()), two);
  EXPECT_EQ(FindResource("thing-0-1"), nullptr);
  EXPECT_EQ(FindResource(""), nullptr);
  for (const auto& thing : {one, two}) {
    thing->RemoveHandle({});
    thing->WaitIfClosing();
  }
}

TEST(ResourceTest, AmongManyThreadsItIsStoppedAndFreedOnceAndNeverWhileLeased) {
  for (int round = 0; round < 20; ++round) {
    const auto story = std::make_shared<Story>();
    const auto thing = Thing::Make(story);
    const std::string token = thing->token();
    std::atomic<int> told{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    constexpr int kThreads = 6;
    for (int i = 0; i < kThreads; ++i) {
      ASSERT_TRUE(thing->AddHandle());
      threads.emplace_back([&, i] {
        while (!go) {
          std::this_thread::yield();
        }
        for (int n = 0; n < 50; ++n) {
          if (auto lease = thing->Acquire()) {
            ++story->leases;
            story->used_after_free = story->used_after_free || story->frees != 0;
            --story->leases;
          }
          if (const auto found = FindResource(token); found != nullptr && i % 2 == 0 && found->AddHandle()) {
            found->RemoveHandle({});
          }
        }
        thing->RemoveHandle([&](const Error&) { ++told; });
      });
    }
    go = true;
    thing->RemoveHandle([&](const Error&) { ++told; });
    for (auto& thread : threads) {
      thread.join();
    }
    thing->WaitIfClosing();
    EXPECT_EQ(story->stops, 1);
    EXPECT_EQ(story->frees, 1);
    EXPECT_FALSE(story->used_after_free);
    while (told < kThreads + 1) {
      std::this_thread::yield();
    }
    EXPECT_FALSE(thing->Acquire());
  }
}

}  // namespace
}  // namespace rocksdb_backup
