#include "core/restore/backup_restore.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "backup_fixture.h"
#include "fault_fs.h"

namespace rocksdb_backup::test {
namespace {

class BackupRestoreTest : public MadeBackupTest {};

// ---- Damage

enum class Damage { kRemoved, kTruncated, kExtended, kChanged };

void Do(Damage damage, const std::string& file) {
  switch (damage) {
    case Damage::kRemoved:
      files::remove(file);
      break;
    case Damage::kTruncated:
      files::resize_file(file, files::file_size(file) - 1);
      break;
    case Damage::kExtended:
      files::resize_file(file, files::file_size(file) + 1);
      break;
    case Damage::kChanged: {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(static_cast<std::streamoff>(files::file_size(file) / 2));
      const char byte = static_cast<char>(stream.get() ^ 1);
      stream.seekp(static_cast<std::streamoff>(files::file_size(file) / 2));
      stream.put(byte);
      break;
    }
  }
}

struct DamageCase {
  const char* name;
  Damage damage;
  const char* ending;   // of the damaged file's name
  bool seen_by_a_list;  // a list reports the backup as corrupt
  bool seen_by_sizes;   // a verify without checksums finds the damage
};

class DamagedTest : public BackupRestoreTest, public ::testing::WithParamInterface<DamageCase> {};

TEST_P(DamagedTest, IsFoundByVerifyAndNeverRestored) {
  const DamageCase& damaged = GetParam();
  const std::string file = FileOf(*repository_, 1, damaged.ending);
  Do(damaged.damage, file);
  EXPECT_EQ(CorruptIds(*repository_), damaged.seen_by_a_list ? std::vector<uint32_t>{1} : std::vector<uint32_t>{});
  const Error thorough = Verify(*repository_, 1, true);
  EXPECT_EQ(thorough.code(), "BACKUP_CORRUPT") << thorough.message();
  EXPECT_NE(thorough.message().find(NameOf(file)), std::string::npos) << thorough.message();
  EXPECT_CODE(Verify(*repository_, 1, false), damaged.seen_by_sizes ? "BACKUP_CORRUPT" : "");

  const Error restore = Restore(*repository_, RestoreTo(1, path("target")));
  EXPECT_FALSE(restore.ok());
  EXPECT_TRUE(restore.code() == "BACKUP_CORRUPT" || restore.code() == "ROCKSDB_CORRUPTION") << restore.message();
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"})) << "nothing is left of it";

  CloseDatabase();
  EXPECT_FALSE(Restore(*repository_, RestoreTo(1, path("db"), true)).ok());
  EXPECT_EQ(ContentsOf(path("db")), contents_) << "what was there is as it was";
}

INSTANTIATE_TEST_SUITE_P(Files, DamagedTest,
                         ::testing::Values(DamageCase{"SharedRemoved", Damage::kRemoved, ".sst", true, true},
                                           DamageCase{"SharedTruncated", Damage::kTruncated, ".sst", false, true},
                                           DamageCase{"SharedExtended", Damage::kExtended, ".sst", false, true},
                                           DamageCase{"SharedChanged", Damage::kChanged, ".sst", false, false},
                                           DamageCase{"PrivateRemoved", Damage::kRemoved, "CURRENT", true, true},
                                           DamageCase{"PrivateTruncated", Damage::kTruncated, ".log", false, true},
                                           DamageCase{"PrivateExtended", Damage::kExtended, ".log", false, true},
                                           DamageCase{"PrivateChanged", Damage::kChanged, ".log", false, false}),
                         [](const auto& info) { return info.param.name; });

TEST_F(BackupRestoreTest, ADamagedMetaIsACorruptBackupAndTheOthersStayUsable) {
  Fill(5, 100, "b");
  ASSERT_GOOD(Create(*repository_));
  const std::string meta = path("backups/meta/1");
  const std::string healthy = ReadFile(meta);
  for (const Damage damage : {Damage::kTruncated, Damage::kRemoved}) {
    Do(damage, meta);
    if (damage == Damage::kTruncated) {
      files::resize_file(meta, healthy.size() / 2);
      EXPECT_EQ(CorruptIds(*repository_), std::vector<uint32_t>{1});
      EXPECT_CODE(Verify(*repository_, 1), "BACKUP_CORRUPT");
    } else {
      EXPECT_CODE(Verify(*repository_, 1), "BACKUP_NOT_FOUND");
    }
    EXPECT_EQ(Ids(*repository_), std::vector<uint32_t>{2});
    EXPECT_EQ(Restored(*repository_, 0), ContentsOf(db_.get()));
    WriteFile(meta, healthy);
  }
  EXPECT_EQ(Restored(*repository_, 1), contents_);
}

TEST_F(BackupRestoreTest, TheLatestIsTheLatestThatIsUsable) {
  Fill(5, 100, "b");
  ASSERT_GOOD(Create(*repository_));
  WriteFile(path("backups/meta/2"), "garbage");
  BackupDescription restored;
  ASSERT_GOOD(Restore(*repository_, RestoreTo(0, path("target")), &restored));
  EXPECT_EQ(restored.id, 1U);
  WriteFile(path("backups/meta/1"), "garbage");
  const Error error = Restore(*repository_, RestoreTo(0, path("other")));
  EXPECT_EQ(error.code(), "BACKUP_CORRUPT");
  EXPECT_NE(error.message().find("1 and 2"), std::string::npos) << error.message();
}

TEST_F(BackupRestoreTest, ABackupThatIsNotThereIsNeitherVerifiedNorRestored) {
  for (const uint32_t id : {2U, 4294967294U}) {
    EXPECT_CODE(Verify(*repository_, id), "BACKUP_NOT_FOUND");
    EXPECT_CODE(Restore(*repository_, RestoreTo(id, path("target"))), "BACKUP_NOT_FOUND");
  }
  EXPECT_CODE(Verify(*repository_, 0), "BACKUP_NOT_FOUND");
  ASSERT_GOOD(repository_->Delete(1, false));
  EXPECT_CODE(Restore(*repository_, RestoreTo(0, path("target"))), "BACKUP_NOT_FOUND");
  EXPECT_FALSE(files::exists(path("target")));
}

// ---- Progress, stops, speed

TEST_F(BackupRestoreTest, ProgressOfVerifyAndRestoreIsExact) {
  Fill(50, 50000, "big");
  ASSERT_GOOD(Create(*repository_));
  for (const uint32_t id : {1U, 2U}) {
    BackupDescription backup;
    ASSERT_GOOD(repository_->Describe(id, false, &backup));
    for (const bool verify : {true, false}) {
      std::vector<Progress> events;
      const auto operation = NewOperation([&](const Progress& event) { events.push_back(event); });
      RestoreResult restored;
      if (verify) {
        ASSERT_GOOD(repository_->Verify(id, true, operation));
      } else {
        ASSERT_GOOD(repository_->Restore(RestoreTo(id, path("r" + std::to_string(id))), operation, &restored));
        EXPECT_EQ(restored.backup.id, id);
        EXPECT_EQ(restored.backup.size, backup.size);
      }
      EXPECT_EQ(events.front().phase, verify ? Phase::kVerify : Phase::kRestore);
      EXPECT_EQ(events.front().bytes_done, 0U);
      EXPECT_EQ(events.front().bytes_total, backup.size);
      EXPECT_EQ(events.front().files_total, backup.number_files);
      EXPECT_EQ(events.back().bytes_done, backup.size);
      EXPECT_EQ(events.back().bytes_total, backup.size);
      EXPECT_EQ(events.back().files_done, backup.number_files);
      for (size_t i = 1; i < events.size(); ++i) {
        EXPECT_GE(events[i].bytes_done, events[i - 1].bytes_done);
      }
    }
  }
}

TEST_F(BackupRestoreTest, AVerifyWithoutChecksumsReadsNothing) {
  const auto operation = NewOperation();
  ASSERT_GOOD(repository_->Verify(1, false, operation));
  EXPECT_EQ(operation->bytes_done(), 0U);
}

// A stop at every operation on the storage, for verify and restore.
class StopReadingTest : public BackupRestoreTest, public ::testing::WithParamInterface<bool> {
 protected:
  Error Run(BackupRepository& repository, const std::shared_ptr<Operation>& operation) {
    RestoreResult restored;
    return GetParam() ? repository.Verify(1, true, operation)
                      : repository.Restore(RestoreTo(1, path("target"), true), operation, &restored);
  }
};

TEST_P(StopReadingTest, AtAnyOperationTellsTheTruthAndLeavesTheTargetAsItWas) {
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  files::create_directory(path("target"));
  const std::string old = "MANIFEST-000001\n";
  const auto make_old = [&] {
    WriteFile(path("target/CURRENT"), old);
    WriteFile(path("target/MANIFEST-000001"), "the old database");
  };
  make_old();
  storage->Count();
  ASSERT_GOOD(Run(*repository, NewOperation()));
  const int operations = storage->total();
  int stops = 0;
  for (int nth = 1; nth <= operations; ++nth) {
    make_old();
    const auto operation = NewOperation();
    std::atomic<int> left{nth};
    std::atomic<bool> promised{false};
    storage->SetHook([&](FaultFileSystem::Kind, const std::string&) {
      if (--left == 0) {
        promised = operation->RequestStop();
      }
      return rocksdb::IOStatus::OK();
    });
    const Error error = Run(*repository, operation);
    EXPECT_EQ(error.code(), !promised    ? ""
                            : GetParam() ? "VERIFY_STOPPED"
                                         : "RESTORE_STOPPED")
        << nth << ": " << error.message();
    if (!error.ok()) {
      ++stops;
      EXPECT_EQ(ReadFile(path("target/CURRENT")), old);
    }
    EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups", "target"}));
  }
  storage->Heal();
  EXPECT_GT(stops, 10);
  EXPECT_GOOD(Run(*repository, NewOperation()));
}

TEST_P(StopReadingTest, InEachPhaseIsAStop) {
  for (const Phase phase : {Phase::kVerify, Phase::kRestore, Phase::kCommit}) {
    std::shared_ptr<Operation> operation;
    bool promised = false;
    operation =
        NewOperation([&](const Progress& event) { promised |= event.phase == phase && operation->RequestStop(); });
    const Error error = Run(*repository_, operation);
    EXPECT_EQ(promised, phase == Phase::kVerify ? GetParam() : !GetParam());
    EXPECT_EQ(error.code(), !promised ? "" : GetParam() ? "VERIFY_STOPPED" : "RESTORE_STOPPED") << error.message();
    EXPECT_EQ(files::exists(path("target")), !GetParam() && error.ok());
    files::remove_all(path("target"));
  }
}

TEST_P(StopReadingTest, AtAKilobyteASecondTakesLessThanASecond) {
  Fill(100, 10000, "more");
  ASSERT_GOOD(Create(*repository_));
  auto options = OptionsFor("backups");
  const auto limiter = std::shared_ptr<rocksdb::RateLimiter>(
      rocksdb::NewGenericRateLimiter(1000, 100 * 1000, 10, rocksdb::RateLimiter::Mode::kAllIo));
  options.settings.backup_limiter = limiter;   // limits a verify
  options.settings.restore_limiter = limiter;  // limits a restore
  auto repository = OpenRepository(std::move(options));
  const auto operation = NewOperation();
  Error error;
  std::thread thread([&] { error = Run(*repository, operation); });
  while (limiter->GetTotalRequests(rocksdb::Env::IO_TOTAL) < 3) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(operation->RequestStop());
  const int64_t before = limiter->GetTotalBytesThrough(rocksdb::Env::IO_TOTAL);
  thread.join();
  EXPECT_EQ(error.code(), GetParam() ? "VERIFY_STOPPED" : "RESTORE_STOPPED");
  EXPECT_LT(limiter->GetTotalBytesThrough(rocksdb::Env::IO_TOTAL) - before, 500) << "bytes are milliseconds here";
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

TEST_P(StopReadingTest, AtAnyMomentEndsAsRequestStopPromised) {
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  storage->Count();
  ASSERT_GOOD(Run(*repository, NewOperation()));
  const int operations = storage->total();
  int stops = 0;
  for (const int moment : MomentsToStop(100, operations, 3)) {
    const auto operation = NewOperation();
    Error error;
    const bool promised = StopMeanwhile(*storage, *operation, moment, [&] { error = Run(*repository, operation); });
    EXPECT_EQ(error.code(), !promised ? "" : GetParam() ? "VERIFY_STOPPED" : "RESTORE_STOPPED") << error.message();
    stops += promised ? 1 : 0;
    if (!GetParam()) {
      EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups", "target"}));
    }
  }
  EXPECT_GT(stops, 0);
  EXPECT_LT(stops, 100);
  if (!GetParam()) {
    EXPECT_EQ(ContentsOf(path("target")), contents_);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, StopReadingTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Verify" : "Restore"; });

TEST_F(BackupRestoreTest, ARestoresRateLimitHolds) {
  Fill(10, 40000, "more");
  ASSERT_GOOD(Create(*repository_));
  auto options = OptionsFor("backups");
  options.settings.restore_limiter.reset(rocksdb::NewGenericRateLimiter(1 << 20));
  auto repository = OpenRepository(std::move(options));
  const auto start = std::chrono::steady_clock::now();
  BackupDescription restored;
  ASSERT_GOOD(Restore(*repository, RestoreTo(2, path("target")), &restored));
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_GE(elapsed, 0.8 * (static_cast<double>(restored.size) / (1 << 20) - 0.1));
}

TEST_F(BackupRestoreTest, AFailedRestoreDoesNotCopyTheRestFirst) {
  for (int i = 0; i < 30; ++i) {
    Fill(1, 10000, "t" + std::to_string(i) + "-");
  }
  ASSERT_GOOD(Create(*repository_));
  const auto storage = std::make_shared<FaultFileSystem>();
  auto options = OptionsFor("backups");
  options.settings.storage = Through(path("backups"), storage);
  options.settings.engine.max_background_operations = 1;
  options.settings.restore_limiter.reset(rocksdb::NewGenericRateLimiter(10000));  // all files take half a minute
  auto repository = OpenRepository(std::move(options));
  // The process looks up once which program wrote a backup. A failure of that lookup does not fail the restore.
  BackupDescription described;
  ASSERT_GOOD(repository->Describe(2, true, &described));
  std::atomic<bool> once{false};
  storage->SetHook([&](FaultFileSystem::Kind kind, const std::string& file) {
    // A failed read of these two files fails nothing, or fails before the copying begins.
    const bool copied = file.find("/meta/") == std::string::npos && file.find("/rocksdb-backup.") == std::string::npos;
    return kind == FaultFileSystem::kRead && copied && !once.exchange(true)
               ? rocksdb::IOStatus::IOError("injected", file)
               : rocksdb::IOStatus::OK();
  });
  const auto operation = NewOperation();
  RestoreResult restored;
  EXPECT_CODE(repository->Restore(RestoreTo(2, path("target")), operation, &restored), "ROCKSDB_IO_ERROR");
  EXPECT_LT(operation->bytes_done(), 100000U);
  EXPECT_FALSE(operation->RequestStop()) << "it failed, and was not stopped";
  EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"}));
}

// ---- Storage that fails

class FailingReadTest : public BackupRestoreTest, public ::testing::WithParamInterface<FaultFileSystem::Kind> {};

TEST_P(FailingReadTest, IsATypedErrorThatNamesTheDirectoryAndLeavesTheTarget) {
  const FaultFileSystem::Kind kind = GetParam();
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  for (const bool verify : {true, false}) {
    const auto run = [&] {
      return verify ? Verify(*repository, 1) : Restore(*repository, RestoreTo(1, path("target")));
    };
    // The first run does what a process does only once. All further runs make the same calls.
    ASSERT_GOOD(run());
    files::remove_all(path("target"));
    storage->Count();
    ASSERT_GOOD(run());
    const int times = storage->count(kind);
    storage->Heal();
    int failures = 0;
    for (int nth = 1; nth <= times; ++nth) {
      files::remove_all(path("target"));
      storage->FailNth(kind, nth);
      const Error error = run();
      EXPECT_TRUE(storage->failed());
      storage->Heal();
      if (!error.ok()) {
        ++failures;
        EXPECT_TRUE(error.code() == "ROCKSDB_IO_ERROR" || error.code() == "BACKUP_CORRUPT") << error.message();
        EXPECT_NE(error.message().find(path("backups")), std::string::npos) << error.message();
        EXPECT_EQ(NamesIn(root_), (std::set<std::string>{"db", "backups"})) << nth;
      }
    }
    EXPECT_GT(times, 0);
    if (kind == FaultFileSystem::kOpenRead || kind == FaultFileSystem::kRead) {
      EXPECT_GT(failures, 0) << "looking at the directory is tried again, reading files is not";
    }
    files::remove_all(path("target"));
    ASSERT_GOOD(run());
  }
}

INSTANTIATE_TEST_SUITE_P(Of, FailingReadTest,
                         ::testing::Values(FaultFileSystem::kOpenRead, FaultFileSystem::kRead, FaultFileSystem::kList,
                                           FaultFileSystem::kExists),
                         [](const auto& info) { return "Kind" + std::to_string(info.param); });

TEST_F(BackupRestoreTest, FilesThatAreMissingOrMayNotBeReadAreNamed) {
  NEEDS_FILES();
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  Fill(5, 100, "a");
  ASSERT_GOOD(Create(*repository));
  const std::string table = FileOf(*repository, 1, ".sst");
  const std::vector<std::string> named = {"shared_checksum/" + NameOf(table)};
  storage->SetHook([&](FaultFileSystem::Kind kind, const std::string& path) {
    return kind == FaultFileSystem::kOpenRead && CleanPath(path) == CleanPath(table)
               ? rocksdb::IOStatus::IOError("cannot read " + path, "Permission denied")
               : rocksdb::IOStatus::OK();
  });
  Error error = Restore(*repository, RestoreTo(1, path("target")));
  EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
  EXPECT_EQ(error.damaged_files(), named) << error.message();
  EXPECT_EQ(error.advice(), "allowAccess");
  storage->Heal();
  files::remove(table);
  OpenedBackup opened;
  for (const Error& missing : {Restore(*repository, RestoreTo(1, path("target"))), repository->OpenBackup(1, &opened),
                               Verify(*repository, 1)}) {
    EXPECT_CODE(missing, "BACKUP_CORRUPT");
    EXPECT_EQ(missing.damaged_files(), named) << missing.message();
    EXPECT_EQ(missing.advice(), "useAnotherBackup");
  }
}

TEST_F(BackupRestoreTest, WhatCannotBeListedIsNotCalledMissing) {
  const auto storage = std::make_shared<FaultFileSystem>();
  auto repository = OpenRepositoryOn(storage);
  for (const char* why : {"Input/output error", "Permission denied"}) {
    std::atomic<int> listed{0};
    storage->SetHook([&](FaultFileSystem::Kind kind, const std::string& path) {
      // The open lists it once before the verify does.
      return kind == FaultFileSystem::kList && CleanPath(path).ends_with("/private/1") && ++listed > 1
                 ? rocksdb::IOStatus::IOError(path, why)
                 : rocksdb::IOStatus::OK();
    });
    const Error error = Verify(*repository, 1);
    storage->Heal();
    EXPECT_GT(listed, 1);
    EXPECT_CODE(error, "ROCKSDB_IO_ERROR");
    EXPECT_NE(error.message().find("private/1"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find(why), std::string::npos) << error.message();
  }
  EXPECT_GOOD(Verify(*repository, 1));
}

}  // namespace
}  // namespace rocksdb_backup::test
