// Every request of an operation fails, is refused, loses its answer or hangs, one after another. Whatever happens: a
// typed error or success, all older backups whole, nothing deleted that a backup has, and the next backup can be made.

#include <atomic>
#include <thread>

#include "backup_fixture.h"
#include "core/stores/object_storage.h"
#include "core/stores/store_layout.h"
#include "memory_object_store.h"

namespace rocksdb_backup::test {
namespace {

namespace fs = std::filesystem;
using StoreFault = MemoryObjectStore::Fault;
using StoreVerdict = MemoryObjectStore::Verdict;

// With conditional writes; or without, and with the promise that only one process writes.
class StoreFaults : public BackupTest, public ::testing::WithParamInterface<MemoryObjectStore::Conditions> {
 protected:
  // What is done while a request fails.
  struct Deed {
    const char* name;
    std::function<Error(BackupRepository&, const std::shared_ptr<Operation>&)> run;
    std::set<uint32_t> deletes = {};
  };

  void SetUp() override {
    BackupTest::SetUp();
    store_->conditions = GetParam();
    store_->only_writer = GetParam() != MemoryObjectStore::Conditions::kKept;
    Fill(20, 1000, "old");
    auto repository = Open();
    ASSERT_GOOD(Create(*repository));
    Fill(20, 1000, "new");
    Put(1, 20, "logged");
    ASSERT_GOOD(Create(*repository));
    CloseRepositories();
    Fill(20, 1000, "newer");
    prepared_ = store_->Contents();
  }

  std::shared_ptr<BackupRepository> Open() {
    BackupRepository::Options options;
    options.settings.storage = std::make_shared<ObjectStorage>(store_, times_);
    return OpenRepository(std::move(options));
  }

  std::vector<Deed> Deeds() {
    return {
        {"create",
         [this](BackupRepository& repository, const auto& operation) {
           BackupDescription created;
           return repository.Create(Request(), operation, &created);
         }},
        {"delete", [](BackupRepository& repository, const auto&) { return repository.Delete(1, false); }, {1}},
        {"purge", [](BackupRepository& repository, const auto&) { return repository.PurgeOld(1, false); }, {1}},
        {"collect", [](BackupRepository& repository, const auto&) { return repository.CollectGarbage(false); }},
        {"verify",
         [](BackupRepository& repository, const auto& operation) { return repository.Verify(2, true, operation); }},
        {"restore",
         [this](BackupRepository& repository, const auto& operation) {
           RestoreResult restored;
           return repository.Restore(RestoreTo(2, path("restored"), true), operation, &restored);
         }},
        {"list",
         [](BackupRepository& repository, const auto&) {
           std::vector<BackupDescription> backups;
           Error error = repository.List(true, &backups);
           EXPECT_TRUE(!error.ok() || backups.size() == 2);
           return error;
         }},
    };
  }

  void CheckAfterwards(const Deed& deed, const Error& error) {
    auto repository = Open();
    std::vector<BackupDescription> backups;
    ASSERT_GOOD(repository->List(false, &backups));
    std::set<uint32_t> there;
    for (const auto& backup : backups) {
      there.insert(backup.id);
      EXPECT_GOOD(repository->Verify(backup.id, true, NewOperation()));
    }
    for (const uint32_t id : {1U, 2U}) {
      EXPECT_TRUE(there.contains(id) || deed.deletes.contains(id)) << "backup " << id << " is gone";
      EXPECT_TRUE(!there.contains(id) || !deed.deletes.contains(id) || !error.ok()) << "not deleted";
    }
    std::vector<uint32_t> corrupt;
    ASSERT_GOOD(repository->CorruptIds(&corrupt));
    EXPECT_EQ(corrupt, std::vector<uint32_t>());
    BackupDescription created;
    ASSERT_GOOD(Create(*repository, &created));
    EXPECT_GOOD(repository->Verify(created.id, true, NewOperation()));
    ASSERT_GOOD(repository->CollectGarbage(false));
    std::vector<GarbageFile> garbage;
    ASSERT_GOOD(repository->ListGarbage(&garbage));
    EXPECT_TRUE(garbage.empty());
    for (uint32_t id = 1; id <= created.id; ++id) {
      if (there.contains(id)) {
        EXPECT_GOOD(repository->Verify(id, true, NewOperation()));
      }
    }
    CloseRepositories();
    fs::remove_all(path("restored"));
  }

  // Runs the deed with a fault at its n-th request, for each n. `verdict` is the fault.
  void WithEachRequest(const Deed& deed, const std::string& what, const StoreVerdict& verdict) {
    for (int nth = 1;; ++nth) {
      SCOPED_TRACE(std::string(deed.name) + ", request " + std::to_string(nth) + " " + what);
      store_->SetContents(prepared_);
      auto repository = Open();
      std::atomic<int> seen{0};
      std::atomic<bool> ends{false};
      const auto operation = NewOperation();
      store_->SetHook([&](const StoreRequest& request) -> StoreVerdict {
        if (request.kind == StoreRequest::Kind::kPut && request.key == kRepositoryMark) {
          return {};
        }
        return ++seen == nth ? verdict : StoreVerdict();
      });
      const Error error = deed.run(*repository, operation);
      store_->SetHook(nullptr);
      if (!error.ok()) {
        EXPECT_NE(error.code(), "ROCKSDB_NOT_FOUND") << error.message();
        EXPECT_NE(error.message(), "");
      }
      CloseRepositories();
      CheckAfterwards(deed, error);
      if (HasFailure() || seen < nth) {
        break;
      }
    }
  }

  const std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>();
  LeaseTimes times_{.lifetime = std::chrono::milliseconds(6000), .renewal = std::chrono::milliseconds(2000)};
  std::map<std::string, std::string> prepared_;
};

TEST_P(StoreFaults, ARequestThatFails) {
  for (const Deed& deed : Deeds()) {
    WithEachRequest(deed, "fails", {StoreFault::kFails, StoreFailure::kBusy});
  }
}

TEST_P(StoreFaults, ARequestThatIsDenied) {
  for (const Deed& deed : Deeds()) {
    WithEachRequest(deed, "is denied", {StoreFault::kFails, StoreFailure::kDenied});
  }
}

TEST_P(StoreFaults, ARequestWhoseAnswerIsLost) {
  for (const Deed& deed : Deeds()) {
    WithEachRequest(deed, "loses its answer", {StoreFault::kLosesAnswer});
  }
}

// A server that hangs: whoever stops the operation waits less than a second.
TEST_P(StoreFaults, ARequestThatHangsIsGivenUpWhenTheOperationStops) {
  times_ = {.lifetime = std::chrono::milliseconds(1500), .renewal = std::chrono::milliseconds(500)};
  // Each takes a second. An only writer sends more requests, of the same kinds.
  const int step = GetParam() == MemoryObjectStore::Conditions::kKept ? 1 : 4;
  for (const Deed& deed : Deeds()) {
    const std::string name = deed.name;
    if (name != "create" && name != "restore" && name != "verify") {
      continue;  // they take no operation
    }
    for (int nth = 1;; nth += step) {
      SCOPED_TRACE(name + ", request " + std::to_string(nth) + " and those after it hang");
      store_->SetContents(prepared_);
      auto repository = Open();
      std::atomic<int> seen{0};
      std::atomic<bool> hangs{false};
      const auto operation = NewOperation();
      store_->SetHook([&](const StoreRequest&) -> StoreVerdict {
        if (++seen >= nth) {
          hangs = true;
          return {.hangs = true};
        }
        return {};
      });
      std::chrono::steady_clock::time_point stopped;
      std::atomic<bool> done{false};
      std::atomic<bool> refused{false};  // the backup is being committed: it ends when its lease does
      std::thread stopper([&] {
        while (!hangs && !done) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        stopped = std::chrono::steady_clock::now();
        refused = !operation->RequestStop();
      });
      const Error error = deed.run(*repository, operation);
      const auto ended = std::chrono::steady_clock::now();
      done = true;
      stopper.join();
      store_->SetHook(nullptr);
      CloseRepositories();
      if (!hangs) {
        break;
      }
      EXPECT_LT(ended - stopped, refused ? std::chrono::seconds(20) : std::chrono::seconds(1));
      CheckAfterwards(deed, error);
      if (HasFailure()) {
        break;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, StoreFaults, ::testing::Values(MemoryObjectStore::Conditions::kKept, MemoryObjectStore::Conditions::kIgnored),
    [](const auto& info) {
      return std::string(info.param == MemoryObjectStore::Conditions::kKept ? "Conditions" : "OnlyWriter");
    });

}  // namespace
}  // namespace rocksdb_backup::test
