// From writes to an archive, and back to any moment of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "backup_fixture.h"
#include "core/backup/backup_create.h"
#include "core/recovery/recover.h"
#include "core/storage/local_storage.h"
#include "core/wal/archiver.h"
#include "rocksdb/utilities/write_batch_with_index.h"

namespace rocksdb_backup::test {
namespace {

using Contents = std::map<std::string, std::string>;

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
    options.settings.storage = std::make_shared<LocalStorage>(path("repository"));
    ASSERT_GOOD(BackupRepository::Open(options, &repository_));
    ASSERT_TRUE(repository_->AddHandle());
  }
  void TearDown() override {
    Close();
    repository_->RemoveHandle({});
    repository_->WaitIfClosing();
    ScratchTest::TearDown();
  }

  void Open() {
    ASSERT_GOOD(Database::Open(path("db"), options_, &database_));
    ASSERT_TRUE(database_->AddHandle());
    ASSERT_GOOD(
        Archiver::Start(database_, repository_->settings().storage, archiver_options_, {}, &archiver_));
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
    CreateRequest request;
    request.source = {.db = database_->db(),
                      .path = database_->path(),
                      .wal_dir = database_->wal_dir(),
                      .needs_flush = false,
                      .start_flush = {}};
    const auto operation = NewOperation();
    ASSERT_GOOD(InTurn(*repository_, *operation, [&] { return repository_->Create(request, operation, &created); }));
    ASSERT_GOOD(archiver_->AddBase(archiver_->Status().timeline,
                                   {created.last_sequence, created.id, static_cast<uint64_t>(created.timestamp)}));
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
    EXPECT_TRUE(OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::OpenForReadOnly({}, directory, families, &handles,
                                                                                      out)) {
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

TEST_F(RecoveryTest, EverySequenceNumberCanBeRecovered) {
  Open();
  Put("before", "the base");
  MakeBase();
  std::vector<Contents> states{{{"before", "the base"}}};
  const uint64_t base = database_->db()->GetLatestSequenceNumber();
  for (int i = 0; i < 40; ++i) {
    Put("key" + std::to_string(i % 7), "value" + std::to_string(i));
    states.push_back(states.back());
    states.back()["key" + std::to_string(i % 7)] = "value" + std::to_string(i);
    if (i % 10 == 3) {
      Archive();
    }
    if (i == 20) {
      MakeBase();
    }
  }
  Archive();
  for (size_t i = 0; i < states.size(); ++i) {
    SCOPED_TRACE(i);
    RecoveryResult result;
    Contents contents;
    const Error error =
        RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = base + i}, &result, &contents);
    ASSERT_GOOD(error);
    EXPECT_EQ(contents, states[i]);
    EXPECT_EQ(result.restored.backup.id, i < 21 ? 1U : 2U);
  }
  RecoveryResult result;
  Contents contents;
  ASSERT_GOOD(RecoverTo({}, &result, &contents));
  EXPECT_EQ(contents, states.back());
  EXPECT_CODE(RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = base - 1}, &result, &contents),
              "TARGET_BEFORE_WINDOW");
  EXPECT_CODE(RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = base + 41}, &result, &contents),
              "TARGET_AFTER_WINDOW");
}

}  // namespace
}  // namespace rocksdb_backup::test
