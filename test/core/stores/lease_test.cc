#include "core/stores/lease.h"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "backup_fixture.h"
#include "core/stores/object_storage.h"
#include "memory_object_store.h"

namespace rocksdb_backup::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr char kWriterKey[] = "rocksdb-backup.leases/writer";

class LeaseTest : public BackupTest {
 protected:
  std::shared_ptr<ObjectStorage> NewStorage() const { return std::make_shared<ObjectStorage>(store_, times_); }

  std::shared_ptr<BackupRepository> Open() {
    BackupRepository::Options options;
    options.settings.storage = NewStorage();
    return OpenRepository(std::move(options));
  }

  // A lease as a process of another machine writes it.
  static std::string Others(int renewal) {
    return "rocksdb-backup lease 1\nfaraway boot-1 pid:[1]\n77 1234\nits id\n" + std::to_string(renewal) + "\n";
  }

  // Replaces a lease's holder: what is left of a process of this machine that has ended.
  static std::string WithPid(std::string lease, const std::string& pid) {
    size_t line = lease.find('\n', lease.find('\n') + 1) + 1;
    return lease.replace(line, lease.find('\n', line) - line, pid + " 1");
  }

  const std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>();
  const LeaseTimes times_{.lifetime = milliseconds(900), .renewal = milliseconds(100)};
};

TEST_F(LeaseTest, ALeaseThatDoesNotChangeIsStaleAfterItsLifetimeAndNotBefore) {
  store_->PutDirectly(kWriterKey, Others(1));
  const auto begin = Clock::now();
  std::unique_ptr<WriterLock> lock;
  ASSERT_GOOD(NewStorage()->LockWriter(&lock));
  EXPECT_GE(Clock::now() - begin, times_.lifetime);
  EXPECT_GOOD(lock->StillHeld());
}

// The author of a store may take every 404 for "not found", also "no such container".
TEST_F(LeaseTest, APutThatIsNotFoundIsAnErrorAndIsNotRepeated) {
  std::atomic<int> puts{0};
  store_->SetHook([&](const StoreRequest& request) -> MemoryObjectStore::Verdict {
    if (request.kind != StoreRequest::Kind::kPut) {
      return {};
    }
    ++puts;
    return {.fault = MemoryObjectStore::Fault::kFails, .failure = StoreFailure::kNotFound};
  });
  std::unique_ptr<WriterLock> lock;
  EXPECT_CODE(NewStorage()->LockWriter(&lock), "STORE_NOT_FOUND");
  EXPECT_EQ(puts, 1);
}

TEST_F(LeaseTest, AStoreThatNeverTakesALeaseThatIsFreeIsNotAskedForEver) {
  for (const StoreFailure failure : {StoreFailure::kConditionFailed, StoreFailure::kNotFound}) {
    for (const bool is_stale : {false, true}) {
      std::unique_ptr<WriterLock> lock;
      store_->SetHook(nullptr);
      ASSERT_GOOD(NewStorage()->LockWriter(&lock));
      const std::string mine = store_->Contents().at(kWriterKey);
      lock.reset();
      if (is_stale) {
        store_->PutDirectly(kWriterKey, WithPid(mine, "4194305"));
      }
      std::atomic<int> puts{0};
      store_->SetHook([&](const StoreRequest& request) -> MemoryObjectStore::Verdict {
        if (request.kind != StoreRequest::Kind::kPut) {
          return {};
        }
        ++puts;
        return {.fault = MemoryObjectStore::Fault::kFails, .failure = failure};
      });
      EXPECT_TRUE(NewStorage()->LockWriter(&lock).code().starts_with("STORE_"));
      EXPECT_LE(puts, 20);
      EXPECT_EQ(lock, nullptr);
      store_->SetHook(nullptr);
      store_->DeleteDirectly(kWriterKey);
    }
  }
}

TEST_F(LeaseTest, AStopEndsTheTakingOfALeaseThatTheStoreNeverGives) {
  const auto operation = std::make_shared<Operation>();
  std::atomic<int> puts{0};
  store_->SetHook([&](const StoreRequest& request) -> MemoryObjectStore::Verdict {
    if (request.kind != StoreRequest::Kind::kPut) {
      return {};
    }
    if (++puts == 2) {
      operation->RequestStop();
    }
    return {.fault = MemoryObjectStore::Fault::kFails, .failure = StoreFailure::kConditionFailed};
  });
  std::unique_ptr<WriterLock> lock;
  EXPECT_FALSE(NewStorage()->ForOperation(operation)->LockWriter(&lock).ok());
  EXPECT_LE(puts, 3);
}

TEST_F(LeaseTest, ALeaseThatIsRenewedIsLiveWhateverItsHoldersClockSays) {
  std::atomic<bool> end{false};
  std::thread holder([&] {
    for (int renewal = 1; !end; ++renewal) {
      store_->PutDirectly(kWriterKey, Others(renewal));
      std::this_thread::sleep_for(times_.renewal);
    }
  });
  std::this_thread::sleep_for(times_.renewal / 2);
  std::unique_ptr<WriterLock> lock;
  const auto begin = Clock::now();
  const Error error = NewStorage()->LockWriter(&lock);
  EXPECT_CODE(error, "BACKUP_LOCKED");
  EXPECT_NE(error.message().find("process 77 on faraway"), std::string::npos) << error.message();
  EXPECT_LT(Clock::now() - begin, times_.lifetime) << "one renewal is enough to know";
  end = true;
  holder.join();
}

TEST_F(LeaseTest, TheLeaseOfAProcessOfThisMachineThatHasEndedIsFreeAtOnce) {
  std::unique_ptr<WriterLock> lock;
  ASSERT_GOOD(NewStorage()->LockWriter(&lock));
  const std::string mine = store_->Contents().at(kWriterKey);
  lock.reset();
  store_->PutDirectly(kWriterKey, WithPid(mine, "4194305"));  // no process can have this number
  const auto begin = Clock::now();
  ASSERT_GOOD(NewStorage()->LockWriter(&lock));
  EXPECT_LT(Clock::now() - begin, times_.lifetime / 2);
  // That process 1 began at another time: its number was given again.
  lock.reset();
  store_->PutDirectly(kWriterKey, WithPid(mine, "1"));
  ASSERT_GOOD(NewStorage()->LockWriter(&lock));
}

// docs/stores.md has what that comes to in an hour.
TEST_F(LeaseTest, ALeaseCostsOnePutForEachRenewal) {
  EXPECT_EQ(std::chrono::hours(1) / LeaseTimes().renewal, 180);
  std::map<StoreRequest::Kind, int> counts;
  std::mutex mutex;
  store_->SetHook([&](const StoreRequest& request) -> MemoryObjectStore::Verdict {
    const std::lock_guard guard(mutex);
    EXPECT_TRUE(request.kind == StoreRequest::Kind::kDelete || request.key == kWriterKey) << request.key;
    ++counts[request.kind];
    return {};
  });
  const auto puts = [&] {
    const std::lock_guard guard(mutex);
    return counts[StoreRequest::Kind::kPut];
  };
  const auto begin = Clock::now();
  std::unique_ptr<WriterLock> lock;
  ASSERT_GOOD(NewStorage()->LockWriter(&lock));
  EXPECT_EQ(puts(), 1);
  while (puts() < 5) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_GE(Clock::now() - begin, 4 * times_.renewal) << "not more often";
  EXPECT_EQ(counts.size(), 1U) << "and nothing else";
  lock.reset();
  store_->SetHook(nullptr);
  EXPECT_EQ(counts[StoreRequest::Kind::kDelete], 1);
}

TEST_F(LeaseTest, AHolderWithoutAnAnswerGivesUpBeforeOthersTakeOver) {
  std::unique_ptr<WriterLock> lock;
  ASSERT_GOOD(NewStorage()->LockWriter(&lock));
  store_->SetHook([](const StoreRequest&) { return MemoryObjectStore::Verdict{.hangs = true}; });
  const auto begin = Clock::now();
  while (lock->StillHeld().ok() && Clock::now() - begin < times_.lifetime * 2) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_CODE(lock->StillHeld(), "LOCK_LOST");
  EXPECT_LT(Clock::now() - begin, times_.lifetime);
  EXPECT_GT(Clock::now() - begin, times_.lifetime / 3);
}

// As Ceph 16 in a versioned bucket.
TEST_F(LeaseTest, AStoreThatRefusesAConditionThatHoldsIsCalledThat) {
  for (int i = 0; i < 3; ++i) {
    Fill(20, 1000, "round" + std::to_string(i));
    ASSERT_GOOD(Create(*Open()));
  }
  const auto whole = store_->Contents();
  for (const bool purge : {false, true}) {
    store_->SetContents(whole);
    const auto repository = Open();
    store_->SetHook([](const StoreRequest& request) -> MemoryObjectStore::Verdict {
      const bool renews = request.kind == StoreRequest::Kind::kPut && !request.if_match.empty();
      return {.fault = renews ? MemoryObjectStore::Fault::kFails : MemoryObjectStore::Fault::kNone,
              .failure = StoreFailure::kConditionFailed};
    });
    const Error error = purge ? repository->PurgeOld(1, false) : repository->Delete(1, false);
    store_->SetHook(nullptr);
    EXPECT_CODE(error, "LOCK_LOST");
    EXPECT_EQ(error.advice(), "singleWriter");
    EXPECT_NE(error.message().find("does not replace it on the condition that it is unchanged"), std::string::npos)
        << error.message();
    EXPECT_TRUE(store_->Contents().contains("meta/1"));
    CloseRepositories();
  }
}

TEST_F(LeaseTest, ALeaseThatIsTakenOverDuringADeleteIsLost) {
  Fill(20, 1000, "a");
  ASSERT_GOOD(Create(*Open()));
  const auto repository = Open();
  std::atomic<bool> done{false};
  store_->SetHook([&](const StoreRequest& request) -> MemoryObjectStore::Verdict {
    if (request.kind == StoreRequest::Kind::kList && !done.exchange(true)) {
      store_->PutDirectly(kWriterKey, "rocksdb-backup lease 1\nfaraway boot-1 pid:[1]\n77 1234\nits id\n1\n\n");
    }
    return {};
  });
  const Error error = repository->Delete(1, false);
  EXPECT_CODE(error, "LOCK_LOST");
  EXPECT_TRUE(error.advice().empty());
  EXPECT_NE(error.message().find("another process took it over"), std::string::npos) << error.message();
  EXPECT_TRUE(store_->Contents().contains("meta/1"));
}

TEST_F(LeaseTest, ARenewalThatFailsBecauseItSucceededBeforeIsASuccess) {
  std::unique_ptr<WriterLock> lock;
  ASSERT_GOOD(NewStorage()->LockWriter(&lock));
  std::atomic<int> lost{0};
  store_->SetHook([&](const StoreRequest& request) -> MemoryObjectStore::Verdict {
    if (request.kind == StoreRequest::Kind::kPut && !request.if_match.empty()) {
      ++lost;
      store_->PutDirectly(request.key, std::string(request.data()));
      return {.fault = MemoryObjectStore::Fault::kFails, .failure = StoreFailure::kConditionFailed};
    }
    return {};
  });
  std::this_thread::sleep_for(times_.lifetime);
  EXPECT_GOOD(lock->StillHeld());
  EXPECT_GT(lost, 1);
}

// A process sleeps at any request of a create, for so long that another one takes over and makes a backup.
TEST_F(LeaseTest, AWriterThatWakesUpAfterItsLeaseIsTooLateAndHarmsNothing) {
  Fill(20, 1000, "a");
  ASSERT_GOOD(Create(*Open()));
  const auto prepared = store_->Contents();
  Fill(20, 1000, "b");
  for (int nth = 2;; ++nth) {  // the first takes the lease
    SCOPED_TRACE("asleep at request " + std::to_string(nth));
    store_->SetContents(prepared);
    auto sleeper = Open();
    auto other = Open();
    BackupDescription others;
    std::atomic<int> seen{0};
    std::atomic<bool> asleep{false};
    store_->SetHook([&](const StoreRequest& request) -> MemoryObjectStore::Verdict {
      if (request.key.starts_with("rocksdb-backup.leases/")) {
        return {};
      }
      if (++seen == nth && !asleep.exchange(true)) {
        // The other one has found the lease unchanged for its whole lifetime.
        store_->DeleteDirectly(kWriterKey);
        EXPECT_GOOD(Create(*other, &others));
        std::this_thread::sleep_for(times_.renewal * 2);  // the sleeper has not, but its lease has run out
      }
      return {};
    });
    BackupDescription created;
    const Error error = Create(*sleeper, &created);
    store_->SetHook(nullptr);
    const bool was_asleep = asleep;
    if (was_asleep) {
      EXPECT_TRUE(error.ok() ? created.id != others.id : !error.code().empty());
      std::vector<BackupDescription> backups;
      ASSERT_GOOD(other->List(false, &backups));
      std::set<uint32_t> ids;
      for (const auto& backup : backups) {
        ids.insert(backup.id);
        EXPECT_GOOD(other->Verify(backup.id, true, NewOperation()));
      }
      EXPECT_TRUE(ids.contains(1) && ids.contains(others.id));
      EXPECT_TRUE(!error.ok() || ids.contains(created.id));
    }
    CloseRepositories();
    if (!was_asleep || HasFailure()) {
      break;
    }
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
