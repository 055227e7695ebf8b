// The power fails at any moment of creates, deletes, purges and restores, with sync on.

#include "torture/power.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "backup_fixture.h"

namespace rocksdb_backup::test {
namespace {

namespace fs = std::filesystem;
using Contents = std::map<std::string, std::string>;
using Loss = PowerDisk::Loss;

constexpr const char* kLossNames[] = {"nothing unsynced survives", "anything unsynced survives",
                                      "unsynced names survive in order"};

class Power : public BackupTest {
 protected:
  struct Known {
    Contents contents;
    bool deleting = false;  // a delete began, so it may be gone
  };

  void SetUp() override {
    if (!CanWatchCalls()) {
      GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
    }
    BackupTest::SetUp();
    fs::create_directories(path("disk/backups"));
  }

  void Open() { repository_ = OpenRepository(OptionsFor("disk/backups")); }
  void Close() {
    repository_.reset();
    CloseRepositories();
  }

  // Does some operations, until the power fails.
  void Work(PowerDisk& disk, Chance& chance) {
    // Two states may have tables of the same name. Only the values differ.
    const int steps = 1 + static_cast<int>(chance.Below(4));
    for (int i = 0; i < steps && !disk.is_cut(); ++i) {
      switch (chance.Below(8)) {
        case 0:
        case 1:
        case 2:
          CreateOne();
          break;
        case 3:
          if (!known_.empty()) {
            Remove({std::next(known_.begin(), static_cast<long>(chance.Below(known_.size())))->first});
          }
          break;
        case 4:
          Purge(1 + chance.Below(3));
          break;
        default:
          RestoreOne(chance);
      }
    }
  }

  void CreateOne() {
    Put(4, 150, "key" + std::to_string(++puts_ % 20) + "-");
    if (puts_ % 3 == 0) {
      ASSERT_TRUE(db_->Flush(rocksdb::FlushOptions()).ok());
    }
    doing_ = "create";
    begun_ = ContentsOf(db_.get());
    BackupDescription created;
    const Error error = Create(*repository_, &created);
    if (error.ok()) {
      known_[created.id] = {*begun_, false};
      begun_.reset();
      ++created_;
    }
  }

  void Remove(const std::set<uint32_t>& ids) {
    for (const uint32_t id : ids) {
      doing_ = "delete " + std::to_string(id);
      known_[id].deleting = true;
      if (repository_->Delete(id, false).ok()) {
        known_.erase(id);
        ++deleted_;
      }
    }
  }

  void Purge(size_t keep) {
    doing_ = "purge";
    std::vector<uint32_t> going;
    for (const auto& [id, backup] : known_) {
      if (going.size() + keep < known_.size()) {
        going.push_back(id);
      }
    }
    for (const uint32_t id : going) {
      known_[id].deleting = true;
    }
    if (repository_->PurgeOld(static_cast<uint32_t>(keep), false).ok()) {
      for (const uint32_t id : going) {
        known_.erase(id);
      }
    }
  }

  RestoreRequest RequestFor(uint32_t id) const {
    RestoreRequest request = RestoreTo(id, path("disk/targets/target"), true);
    if (wal_apart_) {
      request.wal_dir = path("disk/targets/logs");
    }
    return request;
  }

  void RestoreOne(Chance& chance) {
    if (known_.empty()) {
      return;
    }
    const auto chosen = std::next(known_.begin(), static_cast<long>(chance.Below(known_.size())));
    doing_ = "restore " + std::to_string(chosen->first);
    restoring_ = chosen->second.contents;
    if (Restore(*repository_, RequestFor(chosen->first)).ok()) {
      target_ = *restoring_;
      restoring_.reset();
      ++restored_;
    }
  }

  // Makes a target for a restore. With a user's folder in it, files are moved one by one. With a wal_dir, there are two
  // target directories.
  void PrepareTarget(Chance& chance) {
    fs::remove_all(path("disk/targets"));
    fs::create_directories(path("disk/targets"));
    target_.reset();
    restoring_.reset();
    wal_apart_ = chance.OneIn(3);
    if (!known_.empty() && !chance.OneIn(3)) {
      const auto chosen = known_.begin();
      ASSERT_GOOD(Restore(*repository_, RequestFor(chosen->first)));
      target_ = chosen->second.contents;
      if (chance.OneIn(2)) {
        fs::create_directories(path("disk/targets/target/folder"));
        WriteFile(path("disk/targets/target/folder/notes.txt"), "mine");
      }
    }
  }

  // The contents of a target, if it opens.
  std::optional<Contents> Opened(const std::string& target, const std::string& wal_dir) {
    rocksdb::Options options;
    options.wal_dir = wal_dir;
    std::unique_ptr<rocksdb::DB> db;
    const rocksdb::Status status =
        OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::OpenForReadOnly(options, target, out)) {
          return rocksdb::DB::OpenForReadOnly(options, target, out);
        });
    return status.ok() ? std::optional(ContentsOf(db.get())) : std::nullopt;
  }

  void CheckTarget() {
    const std::string target = path("disk/targets/target");
    if (!fs::exists(target + "/CURRENT")) {
      EXPECT_FALSE(target_.has_value() && !restoring_.has_value()) << "a restore that was reported is there";
      return;
    }
    const std::optional<Contents> seen = Opened(target, wal_apart_ ? path("disk/targets/logs") : "");
    if (!restoring_.has_value()) {
      EXPECT_TRUE(seen.has_value()) << "a restore that was reported opens";
    }
    if (seen.has_value()) {
      EXPECT_TRUE(seen == target_ || (restoring_.has_value() && seen == restoring_))
          << "a target that opens is complete: " << seen->size() << " keys, and not " << (target_ ? target_->size() : 0)
          << " or " << (restoring_ ? restoring_->size() : 0);
    }
  }

  void CheckBackups() {
    std::vector<uint32_t> corrupt;
    EXPECT_GOOD(repository_->CorruptIds(&corrupt));
    EXPECT_TRUE(corrupt.empty()) << JoinIds(corrupt) << " are whole or gone";
    const std::vector<uint32_t> listed = Ids(*repository_);
    for (const auto& [id, backup] : known_) {
      if (!backup.deleting) {
        EXPECT_TRUE(std::find(listed.begin(), listed.end(), id) != listed.end())
            << "backup " << id << ", which was reported, is listed";
      }
    }
    std::map<uint32_t, Known> now;
    for (const uint32_t id : listed) {
      EXPECT_GOOD(Verify(*repository_, id));
      const auto known = known_.find(id);
      const std::string target = path("checked");
      EXPECT_GOOD(Restore(*repository_, RestoreTo(id, target)));
      const Contents seen = ContentsOf(target);
      fs::remove_all(target);
      EXPECT_TRUE((known != known_.end() && seen == known->second.contents) || (begun_ && seen == *begun_))
          << "backup " << id << " holds what the database held";
      now[id] = {seen, false};
    }
    known_ = now;
    begun_.reset();
  }

  std::shared_ptr<BackupRepository> repository_;
  std::map<uint32_t, Known> known_;
  std::optional<Contents> begun_;  // what the unfinished backup contains
  std::optional<Contents> target_;
  std::optional<Contents> restoring_;
  bool wal_apart_ = false;
  std::string doing_;
  int puts_ = 0;
  int created_ = 0;
  int deleted_ = 0;
  int restored_ = 0;
};

TEST_F(Power, WhatWasReportedIsThereWhenThePowerIsBack) {
  PowerDisk disk(path("disk"));
  const uint64_t rounds = Rounds(250, 4000);
  Chance chance;
  uint64_t usual = 200;
  int cuts = 0;
  Open();
  for (uint64_t round = 0; round < rounds; ++round) {
    PrepareTarget(chance);
    if (known_.size() > 5) {
      ASSERT_GOOD(repository_->PurgeOld(2, false));
      while (known_.size() > 2) {
        known_.erase(known_.begin());
      }
    }
    disk.Start(chance.OneIn(10) ? 0 : 1 + chance.Below(usual));
    Work(disk, chance);
    if (!disk.is_cut()) {
      usual = std::max<uint64_t>(50, disk.changes());
    }
    cuts += disk.is_cut() ? 1 : 0;
    const auto loss = static_cast<Loss>(chance.Below(3));
    disk.Restore(loss, chance);
    SCOPED_TRACE("round " + std::to_string(round) + ": " + doing_ + ", cut after " + std::to_string(disk.changes()) +
                 " changes; " + kLossNames[static_cast<int>(loss)] + (wal_apart_ ? "; logs apart" : ""));
    Close();
    Open();
    CheckTarget();
    CheckBackups();
    if (!known_.empty()) {
      EXPECT_GOOD(Restore(*repository_, RequestFor(known_.begin()->first))) << "the next restore works";
    }
    BackupDescription next;
    EXPECT_GOOD(Create(*repository_, &next)) << "the next backup works";
    known_[next.id] = {ContentsOf(db_.get()), false};
    EXPECT_GOOD(repository_->CollectGarbage(false)) << "no lock is held";
    if (HasFailure()) {
      // All later rounds would fail in the same way.
      ADD_FAILURE() << "again with TORTURE_SEED=" << Seed() << " TORTURE_ROUNDS=" << round + 1;
      break;
    }
  }
  Figure("power cuts", std::to_string(cuts) + " in " + std::to_string(rounds) + " rounds");
  Figure("reported before them", std::to_string(created_) + " backups made, " + std::to_string(deleted_) +
                                     " deleted, " + std::to_string(restored_) + " restored");
}

// At any moment, the files of an interrupted restore must show the next one that the logs in wal_dir are a restore's.
TEST_F(Power, ARestoreWithLogsApartCanBeRepeatedAfterACutAtAnyMoment) {
  PowerDisk disk(path("disk"));
  Chance chance;
  Open();
  CreateOne();
  const uint32_t id = known_.begin()->first;
  const Contents contents = known_.begin()->second.contents;
  for (const char* logs : {"disk/targets/logs", "disk/elsewhere/logs", "disk/targets/target/logs"}) {
    for (const bool exists : {false, true}) {
      for (const bool has_folder : {false, true}) {
        if (has_folder && !exists) {
          continue;
        }
        RestoreRequest request = RestoreTo(id, path("disk/targets/target"), true);
        request.wal_dir = path(logs);
        uint64_t cuts = 0;
        for (uint64_t cut_after = 1;; ++cut_after) {
          fs::remove_all(path("disk/targets"));
          fs::remove_all(path("disk/elsewhere"));
          fs::create_directories(path("disk/targets"));
          fs::create_directories(path("disk/elsewhere"));
          if (exists) {
            ASSERT_GOOD(Restore(*repository_, request));
          }
          if (has_folder) {
            fs::create_directories(path("disk/targets/target/folder"));
            WriteFile(path("disk/targets/target/folder/notes.txt"), "mine");
          }
          disk.Start(cut_after);
          (void)Restore(*repository_, request);
          const bool is_cut = disk.is_cut();
          disk.Restore(Loss::kAll, chance);
          Close();
          Open();
          SCOPED_TRACE(std::string("logs in ") + logs + (exists ? ", over a database" : ", to a new directory") +
                       (has_folder ? " with a folder in it" : "") + ", cut after " + std::to_string(cut_after) +
                       " changes");
          ASSERT_GOOD(Restore(*repository_, request));
          ASSERT_TRUE(Opened(request.database_dir, request.wal_dir) == contents);
          if (!is_cut) {
            break;
          }
          ++cuts;
        }
        EXPECT_GE(cuts, 20U) << logs;
      }
    }
  }
}

}  // namespace
}  // namespace rocksdb_backup::test
