// Repositories whose owner has promised that only one process writes there, in stores with and without conditional
// writes.

#include <atomic>
#include <thread>

#include "backup_fixture.h"
#include "core/stores/conditional_put.h"
#include "core/stores/object_storage.h"
#include "core/stores/store_layout.h"
#include "memory_object_store.h"

namespace rocksdb_backup::test {
namespace {

using Conditions = MemoryObjectStore::Conditions;
using PutVerdict = MemoryObjectStore::Verdict;
using Kind = StoreRequest::Kind;

constexpr char kLease[] = "rocksdb-backup.leases/writer";
// A lease as a process of another machine writes it.
constexpr char kOthersLease[] = "rocksdb-backup lease 1\nfaraway boot-1 pid:[1]\n77 1234\nits id\n1\n";

class SingleWriter : public BackupTest {
 protected:
  std::shared_ptr<BackupRepository> Open() {
    BackupRepository::Options options;
    options.settings.storage = std::make_shared<ObjectStorage>(store_, times_);
    return OpenRepository(std::move(options));
  }

  StoreAnswer Put(const std::string& key, const std::string& text, const std::string& if_match = "") {
    return Ask(*store_,
               {.kind = Kind::kPut,
                .key = key,
                .bytes = std::make_shared<const std::string>(text),
                .if_absent = if_match.empty(),
                .if_match = if_match},
               [] { return std::nullopt; });
  }

  // Calls `act` before the first request of the kind for the key.
  void Before(Kind kind, const std::string& key, std::function<void()> act) {
    store_->SetHook([=, done = std::make_shared<std::atomic<bool>>()](const StoreRequest& request) {
      if (request.kind == kind && request.key.starts_with(key) && !done->exchange(true)) {
        act();
      }
      return PutVerdict();
    });
  }

  const std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>();
  LeaseTimes times_{.lifetime = std::chrono::milliseconds(3000), .renewal = std::chrono::milliseconds(1000)};
};

TEST_F(SingleWriter, WithoutThePromiseAStoreWithoutConditionsIsRefusedAndTheErrorSaysWhatToDo) {
  for (const auto conditions : {Conditions::kRefused, Conditions::kIgnored}) {
    store_->conditions = conditions;
    const Error error = ObjectStorage(store_, times_).MakeReady();
    EXPECT_CODE(error, "STORE_REFUSED");
    EXPECT_EQ(error.advice(), "singleWriter");
    EXPECT_TRUE(store_->Contents().empty());
  }
}

TEST_F(SingleWriter, AnOpenWithoutThePromiseIsRefusedAndHarmsNothing) {
  for (const auto conditions : {Conditions::kRefused, Conditions::kIgnored}) {
    store_->conditions = conditions;
    store_->only_writer = true;
    store_->SetContents({});
    ASSERT_GOOD(Create(*Open()));
    const auto before = store_->Contents();
    store_->only_writer = false;
    EXPECT_CODE(ObjectStorage(store_, times_).MakeReady(), "STORE_REFUSED");
    EXPECT_EQ(store_->Contents().size(), before.size());
    store_->only_writer = true;
    EXPECT_GOOD(Open()->Verify(1, true, NewOperation()));
    CloseRepositories();
  }
}

TEST_F(SingleWriter, EveryOperationWorksInAStoreWithoutConditions) {
  store_->only_writer = true;
  for (const auto conditions : {Conditions::kRefused, Conditions::kIgnored}) {
    for (const bool has_uploads : {true, false}) {
      store_->conditions = conditions;
      store_->has_uploads = has_uploads;
      store_->SetContents({});
      const auto repository = Open();
      for (int i = 1; i <= 3; ++i) {
        Fill(100, 1000, "round" + std::to_string(i) + "-");
        BackupDescription created;
        ASSERT_GOOD(Create(*repository, &created));
        EXPECT_EQ(created.id, static_cast<uint32_t>(i));
      }
      EXPECT_GOOD(repository->Verify(2, true, NewOperation()));
      RestoreResult restored;
      ASSERT_GOOD(repository->Restore(RestoreTo(3, path("restored"), true), NewOperation(), &restored));
      EXPECT_GOOD(repository->Delete(1, false));
      ASSERT_GOOD(repository->PurgeOld(1, false));
      EXPECT_GOOD(repository->CollectGarbage(false));
      EXPECT_GOOD(Open()->Verify(3, true, NewOperation()));
      ASSERT_GOOD(repository->Delete(3, false));
      ASSERT_EQ(store_->Contents().size(), 1U);
      EXPECT_TRUE(store_->Contents().contains(kRepositoryMark));
      CloseRepositories();
    }
  }
}

TEST_F(SingleWriter, WhereTheStoreHasConditionsTheyAreUsed) {
  store_->only_writer = true;
  std::atomic<int> conditional{0};
  store_->SetHook([&](const StoreRequest& request) {
    conditional += request.kind == Kind::kPut && (request.if_absent || !request.if_match.empty()) ? 1 : 0;
    return PutVerdict();
  });
  const std::string etag = Put("state", "one").etag;
  EXPECT_EQ(Put("state", "other").failure, StoreFailure::kConditionFailed);
  EXPECT_TRUE(Put("state", "two", etag).ok());
  EXPECT_EQ(Put("state", "three", etag).failure, StoreFailure::kConditionFailed);
  EXPECT_EQ(conditional, 2) << "of those whose conditions hold";
  // Another process writes after the look: the store's own condition finds it.
  Before(Kind::kPut, "state", [&] { store_->PutDirectly("state", "theirs"); });
  const std::string now = Ask(*store_, {.kind = Kind::kGet, .key = "state"}, [] { return std::nullopt; }).etag;
  EXPECT_EQ(Put("state", "mine", now).failure, StoreFailure::kConditionFailed);
  EXPECT_EQ(store_->Contents().at("state"), "theirs");
}

TEST_F(SingleWriter, AStoreThatRefusedAConditionIsNotAskedForItAgain) {
  store_->only_writer = true;
  store_->conditions = Conditions::kRefused;
  EXPECT_TRUE(Put("a", "one").ok());
  std::atomic<int> puts{0};
  store_->SetHook([&](const StoreRequest& request) {
    puts += request.kind == Kind::kPut ? 1 : 0;
    return PutVerdict();
  });
  EXPECT_TRUE(Put("b", "two").ok());
  EXPECT_EQ(puts, 1);
  // What the store refuses for another reason is no sign that it has no conditions.
  store_->conditions = Conditions::kKept;
  store_->refuses_if_absent() = false;
  store_->SetHook([](const StoreRequest& request) {
    return request.kind == Kind::kPut ? PutVerdict{MemoryObjectStore::Fault::kFails, StoreFailure::kRefused}
                                      : PutVerdict();
  });
  EXPECT_EQ(Put("c", "three").failure, StoreFailure::kRefused);
  EXPECT_FALSE(store_->refuses_if_absent());
}

// Such as a store that takes no ETag as its own list has it.
TEST_F(SingleWriter, AConditionThatTheStoreSaysFailsAlthoughItHoldsIsLeftOut) {
  store_->only_writer = true;
  const std::string etag = Put("state", "one").etag;
  store_->SetHook([](const StoreRequest& request) {
    return request.kind == Kind::kPut && !request.if_match.empty()
               ? PutVerdict{MemoryObjectStore::Fault::kFails, StoreFailure::kConditionFailed}
               : PutVerdict();
  });
  const StoreAnswer put = Put("state", "two", etag);
  EXPECT_TRUE(put.ok());
  EXPECT_EQ(store_->Contents().at("state"), "two");
  EXPECT_TRUE(Put("state", "three", put.etag).ok());
}

// A retry after a lost answer finds what it has put itself. Stores without metadata cannot say whose it is.
TEST_F(SingleWriter, APutThatFailsBecauseItSucceededBeforeIsASuccess) {
  store_->only_writer = true;
  Before(Kind::kPut, "state", [&] { store_->PutDirectly("state", "mine"); });
  EXPECT_TRUE(Put("state", "mine").ok());
  store_->SetHook(nullptr);
  EXPECT_EQ(Put("state", "mine").failure, StoreFailure::kConditionFailed);
}

TEST_F(SingleWriter, AnotherProcessThatPutsInBetweenIsNoticed) {
  store_->only_writer = true;
  store_->conditions = Conditions::kIgnored;
  std::atomic<int> gets{0};
  store_->SetHook([&](const StoreRequest& request) {
    if (request.kind == Kind::kGet && ++gets == 2) {  // after the look and the put
      store_->PutDirectly("state", "theirs");
    }
    return PutVerdict();
  });
  EXPECT_EQ(Put("state", "mine").failure, StoreFailure::kConditionFailed);
  EXPECT_EQ(store_->Contents().at("state"), "theirs");
}

TEST_F(SingleWriter, OfManyThreadsOneWins) {
  store_->only_writer = true;
  store_->conditions = Conditions::kIgnored;
  // All have looked before the first one puts, and each reads before the next one puts.
  std::atomic<int> puts{0};
  store_->SetHook([&](const StoreRequest& request) {
    if (request.kind == Kind::kPut) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5) * (1 + puts++ % 4));
    }
    return PutVerdict();
  });
  for (int round = 0; round < 10; ++round) {
    const std::string key = "round" + std::to_string(round);
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] { winners += Put(key, "of thread " + std::to_string(t)).ok() ? 1 : 0; });
    }
    for (auto& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(winners, 1);
  }
}

TEST_F(SingleWriter, ASecondWriterIsNoticedAndMakesNoBackup) {
  store_->only_writer = true;
  store_->conditions = Conditions::kIgnored;
  Fill(20, 1000, "a");
  ASSERT_GOOD(Create(*Open()));
  // The other process holds the lease, and is at work.
  std::atomic<bool> end{false};
  std::thread holder([&] {
    for (int renewal = 1; !end; ++renewal) {
      store_->PutDirectly(kLease, kOthersLease + std::to_string(renewal));
      std::this_thread::sleep_for(times_.renewal / 10);
    }
  });
  std::this_thread::sleep_for(times_.renewal / 5);
  EXPECT_CODE(Create(*Open()), "BACKUP_LOCKED");
  end = true;
  holder.join();
  store_->DeleteDirectly(kLease);
  // Both began within the same moment: the other one has put its lease over ours.
  Fill(20, 1000, "b");
  Before(Kind::kPut, "private/", [&] { store_->PutDirectly(kLease, kOthersLease); });
  EXPECT_CODE(Create(*Open()), "LOCK_LOST");
  store_->SetHook(nullptr);
  EXPECT_FALSE(store_->Contents().contains("meta/2"));
  EXPECT_EQ(store_->Contents().at(kLease), kOthersLease) << "the other one goes on";
}

}  // namespace
}  // namespace rocksdb_backup::test
