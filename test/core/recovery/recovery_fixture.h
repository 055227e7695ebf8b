#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backup_fixture.h"
#include "core/backup/backup_create.h"
#include "core/recovery/recover.h"
#include "core/storage/local_storage.h"
#include "core/wal/archiver.h"

namespace rocksdb_backup::test {

using Contents = std::map<std::string, std::string>;

// A database that is archived to a repository, and recoveries from it.
class RecoveryTest : public ScratchTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    options_.archive = true;
    options_.family.family.compression = rocksdb::kNoCompression;
    options_.family.family.write_buffer_size = 64 << 10;  // many logs
    archiver_options_.max_delay = std::chrono::milliseconds(50);
    std::filesystem::create_directory(path("repository"));
    BackupRepository::Options options;
    options.settings.storage = NewStorage();
    ASSERT_GOOD(BackupRepository::Open(options, &repository_));
    ASSERT_TRUE(repository_->AddHandle());
  }
  void TearDown() override {
    Close();
    repository_->RemoveHandle({});
    repository_->WaitIfClosing();
    ScratchTest::TearDown();
  }

  virtual std::shared_ptr<Storage> NewStorage() { return std::make_shared<LocalStorage>(path("repository")); }

  void Open() {
    ASSERT_GOOD(Database::Open(path("db"), options_, &database_));
    ASSERT_TRUE(database_->AddHandle());
    ASSERT_GOOD(Archiver::Start(database_, repository_->settings().storage, archiver_options_, &archiver_));
  }
  void Close() {
    if (database_ != nullptr) {
      std::promise<Error> closed;
      database_->RemoveHandle([&closed](const Error& error) { closed.set_value(error); });
      EXPECT_GOOD(closed.get_future().get());
      database_ = nullptr;
      archiver_ = nullptr;
    }
  }

  void Archive() {
    Operation operation;
    ASSERT_GOOD(archiver_->Flush(operation));
  }

  // Makes a backup, and tells the archive.
  void MakeBase() {
    Archive();
    BackupDescription created;
    const uint64_t before = database_->db()->GetLatestSequenceNumber();
    CreateRequest request;
    request.source = {.db = database_->db(),
                      .path = database_->path(),
                      .wal_dir = database_->wal_dir(),
                      .needs_flush = false,
                      .start_flush = {}};
    const auto operation = NewOperation();
    ASSERT_GOOD(InTurn(*repository_, *operation, [&] { return repository_->Create(request, operation, &created); }));
    ASSERT_GOOD(
        archiver_->AddBase(archiver_->Status().timeline, {.sequence = created.last_sequence,
                                                          .has_all_to = before,
                                                          .backup_id = created.id,
                                                          .backup_time = static_cast<uint64_t>(created.timestamp)}));
  }

  void Put(const std::string& key, const std::string& value) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(batch.Put(key, value).ok());
    ASSERT_GOOD(database_->Write({}, &batch));
  }

  Error Plan(const RecoveryTarget& target, RecoveryPlan* plan) {
    std::vector<BackupDescription> backups;
    if (Error error = repository_->List(false, &backups); !error.ok()) {
      return error;
    }
    rocksdb_backup::Archive archive(repository_->settings().storage->archive_files(), repository_->directory());
    return PlanRecovery(archive, backups, target, plan);
  }

  Error RecoverTo(const RecoveryTarget& target, RecoveryResult* result, Contents* contents) {
    RecoveryPlan plan;
    if (Error error = Plan(target, &plan); !error.ok()) {
      return error;
    }
    rocksdb_backup::Archive archive(repository_->settings().storage->archive_files(), repository_->directory());
    RecoveryRequest request;
    request.options.family = options_.family;
    request.restore.database_dir = path("recovered");
    std::filesystem::remove_all(path("recovered"));
    if (Error error = Recover(repository_->settings(), archive, plan, request, NewOperation(), result); !error.ok()) {
      return error;
    }
    EXPECT_EQ(result->replayed.sequence, plan.sequence);
    *contents = ContentsAt(path("recovered"));
    return Error();
  }

  // Every family's keys, with the family's name before them.
  static Contents ContentsAt(const std::string& directory) {
    Contents contents;
    std::vector<std::string> names;
    EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, directory, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    std::unique_ptr<rocksdb::DB> db;
    EXPECT_TRUE(
        OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::OpenForReadOnly({}, directory, families, &handles, out)) {
          return rocksdb::DB::OpenForReadOnly({}, directory, families, &handles, out);
        }).ok());
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      const std::string prefix = handle->GetID() == 0 ? "" : handle->GetName() + "/";
      std::unique_ptr<rocksdb::Iterator> each(db->NewIterator({}, handle));
      for (each->SeekToFirst(); each->Valid(); each->Next()) {
        contents[prefix + each->key().ToString()] = each->value().ToString();
      }
      EXPECT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
    return contents;
  }

  DatabaseOptions options_;
  ArchiverOptions archiver_options_;
  std::shared_ptr<BackupRepository> repository_;
  std::shared_ptr<Database> database_;
  std::shared_ptr<Archiver> archiver_;
};

}  // namespace rocksdb_backup::test
