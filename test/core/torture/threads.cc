// Eight threads run all operations at once, on two repositories of one directory and on two databases.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "backup_fixture.h"
#include "core/base/background.h"
#include "core/database/database.h"
#include "torture/chance.h"

namespace rocksdb_backup::test {
namespace {

constexpr int kThreads = 8;
constexpr size_t kPlaces = 2;

// An object that all threads use. Any thread may close it and open it again.
template <class Object>
class Slot {
 public:
  std::shared_ptr<Object> Get() {
    const std::lock_guard lock(mutex_);
    return object_;
  }
  void Set(std::shared_ptr<Object> object) {
    object->AddHandle();
    const std::lock_guard lock(mutex_);
    object_ = std::move(object);
  }
  std::shared_ptr<Object> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(object_, nullptr);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<Object> object_;
};

class Threads : public ScratchTest {
 protected:
  Error OpenRepository(size_t place) {
    BackupRepository::Options options;
    options.settings.storage = std::make_shared<LocalStorage>(path("backups"));
    options.settings.engine.max_background_operations = 2;
    std::shared_ptr<BackupRepository> repository;
    Error error = BackupRepository::Open(std::move(options), &repository);
    if (error.ok()) {
      repositories_[place].Set(std::move(repository));
    }
    return error;
  }

  Error OpenDatabase(size_t place) {
    DatabaseOptions options;
    options.db.create_if_missing = true;
    std::shared_ptr<Database> database;
    Error error = Database::Open(path("db" + std::to_string(place)), options, &database);
    if (error.ok()) {
      databases_[place].Set(std::move(database));
    }
    return error;
  }

  template <class Object>
  static void Close(const std::shared_ptr<Object>& object) {
    if (object != nullptr) {
      object->RemoveHandle({});
      object->WaitIfClosing();
    }
  }

  // Counts a result, and reports an error that is not allowed.
  void Report(const std::string& what, const Error& error, const std::set<std::string>& allowed) {
    ++done_[what + (error.ok() ? "" : " " + error.code())];
    if (!error.ok() && !allowed.contains(error.code())) {
      ADD_FAILURE() << what << " ends as it may, and not with " << error.code() << ": " << error.message();
    }
  }

  // Counters for all threads.
  class Counts {
   public:
    std::atomic<int>& operator[](const std::string& what) {
      const std::lock_guard lock(mutex_);
      return counts_[what];
    }
    std::string Text() {
      std::string text;
      for (const auto& [what, count] : counts_) {
        text += (text.empty() ? "" : ", ") + what + " " + std::to_string(count);
      }
      return text;
    }

   private:
    std::mutex mutex_;
    std::map<std::string, std::atomic<int>> counts_;
  };

  void Create(const std::shared_ptr<BackupRepository>& repository, Chance& chance) {
    const auto database = databases_[chance.Below(kPlaces)].Get();
    const auto lease = database != nullptr ? database->Acquire() : Resource::Lease();
    if (!lease) {
      return;
    }
    CreateRequest request;
    request.source.db = database->db();
    request.source.path = database->path();
    request.source.wal_dir = database->wal_dir();
    request.allow_other_database = true;
    if (chance.OneIn(2)) {
      request.flush_before_backup = true;
      request.source.start_flush = [&] { database->StartFlush(); };
    }
    const auto operation = NewOperation([](const Progress&) {});
    const BackupRepository::Tracked tracked(repository, BackupRepository::Kind::kCreate, operation);
    const auto stop = database->WhenClosing([operation] { operation->RequestStop(); });
    BackupDescription created;
    Report("create", InTurn(*repository, *operation, [&] { return repository->Create(request, operation, &created); }),
           {"BACKUP_LOCKED", "BACKUP_STOPPED"});
  }

  uint32_t AnyId(BackupRepository& repository, Chance& chance) {
    std::vector<BackupDescription> listed;
    Report("list", repository.List(chance.OneIn(2), &listed), {});
    return listed.empty() ? 1 : listed[chance.Below(listed.size())].id;
  }

  void One(const std::shared_ptr<BackupRepository>& repository, Chance& chance, const std::string& target) {
    const std::set<std::string> kGone = {"BACKUP_NOT_FOUND", "BACKUP_IN_USE"};
    const std::set<std::string> kHeld = {"BACKUP_NOT_FOUND", "BACKUP_IN_USE", "BACKUP_LOCKED"};
    switch (chance.Below(12)) {
      case 0:
      case 1:
      case 2:
        Create(repository, chance);
        break;
      case 3:
        ++done_[repository->StopBackup() ? "stop" : "stop of nothing"];
        break;
      case 4:
        (void)AnyId(*repository, chance);
        break;
      case 5:
      case 6: {
        const auto operation = NewOperation([](const Progress&) {});
        const BackupRepository::Tracked tracked(repository, BackupRepository::Kind::kOther, operation);
        std::set<std::string> allowed = kGone;
        allowed.insert("VERIFY_STOPPED");
        Report("verify", repository->Verify(AnyId(*repository, chance), chance.OneIn(2), operation), allowed);
        break;
      }
      case 7: {
        const auto operation = NewOperation([](const Progress&) {});
        const BackupRepository::Tracked tracked(repository, BackupRepository::Kind::kOther, operation);
        RestoreRequest request;
        request.allow_other_database = true;  // the directory has backups of both databases
        request.backup_id = chance.OneIn(2) ? 0 : AnyId(*repository, chance);
        request.database_dir = target;
        request.overwrite = true;
        RestoreResult restored;
        std::set<std::string> allowed = kGone;
        allowed.insert("RESTORE_STOPPED");
        Report("restore", repository->Restore(request, operation, &restored), allowed);
        break;
      }
      case 8:
        Report("delete", InTurn(*repository, [&] { return repository->Delete(AnyId(*repository, chance), false); }),
               kHeld);
        break;
      case 9:
        Report("purge", InTurn(*repository, [&] { return repository->PurgeOld(3, false); }), kHeld);
        break;
      case 10: {
        OpenedBackup opened;
        Error error = repository->OpenBackup(AnyId(*repository, chance), &opened);
        Report("open a backup", error, kGone);
        if (error.ok()) {
          std::shared_ptr<Database> database;
          Report("read a backup",
                 Database::OpenThrough(opened.env->GetFileSystem(), opened.keep_alive, opened.path,
                                       Database::ToReadBackup(), &database),
                 {});
          if (database != nullptr) {
            database->AddHandle();
            Close(database);
          }
        }
        break;
      }
      default:
        std::vector<uint32_t> corrupt;
        Report("list damaged", repository->CorruptIds(&corrupt), {});
        EXPECT_TRUE(corrupt.empty()) << JoinIds(corrupt) << " are whole";
    }
  }

  void Write(Chance& chance) {
    const auto database = databases_[chance.Below(kPlaces)].Get();
    const auto lease = database != nullptr ? database->Acquire() : Resource::Lease();
    if (lease) {
      rocksdb::WriteBatch batch;
      for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(batch.Put(std::to_string(chance.Below(1000)), std::string(200, 'v')).ok());
      }
      Report("write", database->Write(rocksdb::WriteOptions(), &batch), {});
      if (chance.OneIn(4)) {
        Report("flush", database->Flush(nullptr), {});
      }
    }
  }

  // One thread closes the object while the others use it. Running work ends or is stopped. New work waits for the new
  // object.
  template <class Open, class Object>
  void Reopen(std::array<Slot<Object>, kPlaces>& slots, Chance& chance, Open open, const std::string& what) {
    const size_t place = chance.Below(kPlaces);
    const auto taken = slots[place].Take();
    if (taken == nullptr) {
      return;  // another thread reopens it
    }
    Close(taken);
    Report(what, open(place), {});
  }

  void Thread(int number, uint64_t rounds) {
    Chance chance(static_cast<uint64_t>(number) + 1);
    for (uint64_t round = 0; round < rounds; ++round) {
      if (chance.OneIn(15)) {
        Reopen(
            repositories_, chance, [this](size_t place) { return OpenRepository(place); }, "reopen");
      } else if (chance.OneIn(20)) {
        Reopen(
            databases_, chance, [this](size_t place) { return OpenDatabase(place); }, "reopen a database");
      } else if (chance.OneIn(4)) {
        Write(chance);
      } else if (const auto repository = repositories_[chance.Below(kPlaces)].Get(); repository != nullptr) {
        if (const auto lease = repository->Acquire()) {
          One(repository, chance, path("target" + std::to_string(number)));
        }
      }
    }
  }

  std::array<Slot<BackupRepository>, kPlaces> repositories_;
  std::array<Slot<Database>, kPlaces> databases_;
  Counts done_;
};

TEST_F(Threads, CreateStopListVerifyRestoreDeleteCloseAndOpenAtOnce) {
  for (size_t place = 0; place < kPlaces; ++place) {
    ASSERT_GOOD(OpenRepository(place));
    ASSERT_GOOD(OpenDatabase(place));
  }
  const uint64_t rounds = Rounds(60, 1000);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i, rounds] { Thread(i, rounds); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  const auto repository = repositories_[0].Get();
  std::vector<BackupDescription> listed;
  EXPECT_GOOD(repository->List(true, &listed));
  for (const auto& backup : listed) {
    EXPECT_GOOD(repository->Verify(backup.id, true, NewOperation()));
  }
  std::vector<uint32_t> corrupt;
  EXPECT_GOOD(repository->CorruptIds(&corrupt));
  EXPECT_TRUE(corrupt.empty());
  // Stopped operations leave no file, and nothing holds a lock.
  EXPECT_GOOD(repository->CollectGarbage(false));
  for (const auto& slot : {&repositories_[0], &repositories_[1]}) {
    Close(slot->Take());
  }
  for (const auto& slot : {&databases_[0], &databases_[1]}) {
    Close(slot->Take());
  }
  Figure("operations", done_.Text());
  Figure("backups at the end", std::to_string(listed.size()) + ", each verified with checksum");
}

}  // namespace
}  // namespace rocksdb_backup::test
