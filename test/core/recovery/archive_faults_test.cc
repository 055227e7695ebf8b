// Every request of an archiver fails, is refused, or loses its answer, one after another. Whatever happens, everything
// is in the archive in the end, in one timeline: nothing was lost, so nothing may look as if it were.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "core/stores/object_storage.h"
#include "memory_object_store.h"
#include "recovery/recovery_fixture.h"

namespace rocksdb_backup::test {
namespace {

using ArchiveFault = MemoryObjectStore::Fault;
using ArchiveVerdict = MemoryObjectStore::Verdict;

class ArchiveFaults : public RecoveryTest, public ::testing::WithParamInterface<ArchiveVerdict> {
 protected:
  void SetUp() override {
    RecoveryTest::SetUp();
    archiver_options_.max_delay = std::chrono::milliseconds(5);
    archiver_options_.first_retry = std::chrono::milliseconds(2);
  }
  std::shared_ptr<Storage> NewStorage() override {
    return std::make_shared<ObjectStorage>(
        store_, LeaseTimes{.lifetime = std::chrono::milliseconds(3000), .renewal = std::chrono::milliseconds(1000)});
  }

  // The nth request from now on meets the fault; those after it are served.
  void FailNth(int nth) {
    const auto left = std::make_shared<std::atomic<int>>(nth);
    store_->SetHook([left](const StoreRequest&) { return --*left == 0 ? GetParam() : ArchiveVerdict(); });
    met_ = [left] { return *left <= 0; };
  }

  void FlushInTheEnd() {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    Error error;
    do {
      Operation operation;
      error = archiver_->Flush(operation);
    } while (!error.ok() && std::chrono::steady_clock::now() < give_up);
    ASSERT_GOOD(error);
  }

  const std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>();
  std::function<bool()> met_;
};

TEST_P(ArchiveFaults, NothingIsLost) {
  Contents expected;
  Open();
  FlushInTheEnd();
  MakeBase();
  Close();
  int written = 0;
  for (int nth = 1;; ++nth) {
    SCOPED_TRACE(nth);
    FailNth(nth);
    Open();
    for (int i = 0; i < 4; ++i) {
      const std::string key = std::to_string(++written);
      Put(key, "value");
      expected[key] = "value";
      FlushInTheEnd();
    }
    const bool met = met_();
    store_->SetHook({});
    ASSERT_EQ(archiver_->Status().timeline, 1U) << TextOf(archiver_->Status().reason);
    Close();
    if (!met) {
      ASSERT_GT(nth, 8) << "there are more requests than that";
      break;
    }
  }
  RecoveryResult result;
  Contents contents;
  ASSERT_GOOD(RecoverTo({}, &result, &contents));
  EXPECT_EQ(contents, expected);
  for (int i = 1; i < written; i += 7) {
    ASSERT_GOOD(
        RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = static_cast<uint64_t>(i)}, &result, &contents));
    EXPECT_EQ(contents.size(), static_cast<size_t>(i));
  }
}

TEST_P(ArchiveFaults, AStoreThatFailsForAWhileLosesNothing) {
  Contents expected;
  Open();
  FlushInTheEnd();
  MakeBase();
  store_->SetHook([](const StoreRequest&) { return GetParam(); });
  for (int i = 0; i < 300; ++i) {
    Put(std::to_string(i), std::string(1000, 'x'));
    expected[std::to_string(i)] = std::string(1000, 'x');
  }
  ASSERT_GOOD(database_->Flush(nullptr));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LT(archiver_->Status().archived_sequence, 300U);
  store_->SetHook({});
  FlushInTheEnd();
  ASSERT_EQ(archiver_->Status().timeline, 1U);
  RecoveryResult result;
  Contents contents;
  ASSERT_GOOD(RecoverTo({}, &result, &contents));
  EXPECT_EQ(contents, expected);
}

INSTANTIATE_TEST_SUITE_P(All, ArchiveFaults,
                         ::testing::Values(ArchiveVerdict{ArchiveFault::kFails, StoreFailure::kBusy},
                                           ArchiveVerdict{ArchiveFault::kFails, StoreFailure::kDenied},
                                           ArchiveVerdict{ArchiveFault::kFails, StoreFailure::kRefused},
                                           ArchiveVerdict{ArchiveFault::kLosesAnswer, StoreFailure::kBusy}));

class ArchiveBacklog : public ArchiveFaults {};

TEST_P(ArchiveBacklog, BeyondItsLimitLogsAreGivenUpAndATimelineBeginsThatSaysSo) {
  archiver_options_.max_backlog_bytes = 200'000;
  archiver_options_.segment_bytes = 20'000;  // more than one segment is not read ahead
  Open();
  FlushInTheEnd();
  MakeBase();
  store_->SetHook([](const StoreRequest&) { return GetParam(); });
  for (int i = 0; i < 1000; ++i) {
    Put(std::to_string(i), std::string(1000, 'x'));
  }
  ASSERT_GOOD(database_->Flush(nullptr));
  const auto kept = [this] {
    uint64_t bytes = 0;
    std::error_code gone;
    for (const std::string& name : NamesIn(path("db/archive"))) {
      const uint64_t size = std::filesystem::file_size(path("db/archive/" + name), gone);
      bytes += gone ? 0 : size;
    }
    return bytes;
  };
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while ((archiver_->Status().logs_given_up == 0 || kept() > archiver_options_.max_backlog_bytes) &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_GT(archiver_->Status().logs_given_up, 0U);
  EXPECT_LE(kept(), archiver_options_.max_backlog_bytes);
  store_->SetHook({});
  FlushInTheEnd();
  EXPECT_EQ(archiver_->Status().timeline, 2U);
  EXPECT_EQ(archiver_->Status().reason, TimelineReason::kGap);
  EXPECT_TRUE(archiver_->Status().needs_base);
  MakeBase();
  RecoveryResult result;
  Contents contents;
  ASSERT_GOOD(RecoverTo({}, &result, &contents));
  EXPECT_EQ(contents.size(), 1000U);
}

INSTANTIATE_TEST_SUITE_P(All, ArchiveBacklog,
                         ::testing::Values(ArchiveVerdict{ArchiveFault::kFails, StoreFailure::kBusy}));

class ArchiveThatHangs : public ArchiveFaults {};

TEST_P(ArchiveThatHangs, TheDatabaseIsClosedAllTheSameAndTheRestIsArchivedTheNextTime) {
  archiver_options_.close_patience = std::chrono::milliseconds(200);
  Open();
  FlushInTheEnd();
  MakeBase();
  store_->SetHook([](const StoreRequest&) { return ArchiveVerdict{.hangs = true}; });
  Put("key", "value");
  const auto begun = std::chrono::steady_clock::now();
  Close();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  store_->SetHook({});
  Open();
  FlushInTheEnd();
  EXPECT_EQ(archiver_->Status().timeline, 1U);
  RecoveryResult result;
  Contents contents;
  ASSERT_GOOD(RecoverTo({}, &result, &contents));
  EXPECT_EQ(contents, (Contents{{"key", "value"}}));
}

INSTANTIATE_TEST_SUITE_P(All, ArchiveThatHangs, ::testing::Values(ArchiveVerdict()));

}  // namespace
}  // namespace rocksdb_backup::test
