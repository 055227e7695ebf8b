// Bit rot: damages every byte of every meta, every file in every way, and files beside them. Called by
// test/torture/rot.ts.

#include <sys/stat.h>

#include <functional>

#include "backup_fixture.h"
#include "chance.h"
#include "core/backup/backup_record.h"

namespace rocksdb_backup::test {
namespace {

// The contents of a directory by path: the bytes of a file, the target of a link, "/" for a directory.
using Tree = std::map<std::string, std::string>;

Tree TreeOf(const std::string& directory) {
  Tree tree;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    std::string& contents = tree[entry.path().lexically_relative(directory).string()];
    if (entry.is_symlink()) {
      contents = "-> " + std::filesystem::read_symlink(entry.path()).string();
    } else if (entry.is_directory()) {
      contents = "/";
    } else if (!entry.is_regular_file()) {
      contents = "special";
    } else {
      std::ifstream file(entry.path(), std::ios::binary);
      contents.assign(std::istreambuf_iterator<char>(file), {});
    }
  }
  return tree;
}

class Rot : public BackupTest {
 protected:
  // Makes three incremental backups and a full one of a database with a log.
  void SetUp() override {
    BackupTest::SetUp();
    seed_ = Seed();
    repository_ = OpenRepository();
    for (int i = 0; i < 3; ++i) {
      Fill(3, 200, "t" + std::to_string(i));
      Put(2, 50, "log" + std::to_string(i));
      CreateRequest request = Request();
      request.flush_before_backup = false;
      request.app_metadata = i == 1 ? "made by hand" : "";
      BackupDescription ignored;
      ASSERT_GOOD(repository_->Create(request, NewOperation(), &ignored));
    }
    auto full = OptionsFor("backups");
    full.settings.engine.share_table_files = false;
    ASSERT_GOOD(Create(*OpenRepository(std::move(full))));
    for (uint32_t id = 1; id <= 4; ++id) {
      BackupDescription backup;
      ASSERT_GOOD(repository_->Describe(id, true, &backup));
      for (const auto& file : backup.files) {
        users_[file.name].insert(id);
      }
    }
    directory_ = path("backups");
    whole_ = TreeOf(directory_);
    WriteFile(path("outside"), "somebody else's");
  }

  uint64_t Random(uint64_t below) { return chance_.Below(below); }

  // Puts the directory back into its state before the damage.
  void Heal() {
    for (const auto& [name, contents] : TreeOf(directory_)) {
      const auto before = whole_.find(name);
      if (before == whole_.end() || (before->second != contents && contents != "/")) {
        std::filesystem::remove_all(directory_ + "/" + name);
      }
    }
    for (const auto& [name, contents] : whole_) {
      const std::string file = directory_ + "/" + name;
      if (contents == "/") {
        std::filesystem::create_directories(file);
      } else if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(file))) {
        std::filesystem::remove_all(file);
        WriteFile(file, contents);
      }
    }
    std::filesystem::remove_all(path("target"));
  }

  // Checks what must be true right after one damage.
  void Look(const std::string& what, const std::string& damaged_file, const std::set<uint32_t>& damaged,
            bool seen_by_sizes) {
    SCOPED_TRACE(what);
    ++cases_;
    std::vector<BackupDescription> list;
    EXPECT_GOOD(repository_->List(false, &list));
    std::vector<uint32_t> corrupt;
    EXPECT_GOOD(repository_->CorruptIds(&corrupt));
    for (uint32_t id = 1; id <= 4; ++id) {
      const bool is_damaged = damaged.contains(id);
      if (!is_damaged && !IsFullForm() && Random(3) != 0) {
        continue;  // the short form does not read every healthy backup each time
      }
      for (const bool checksum : {true, false}) {
        const Error error = Verify(*repository_, id, checksum);
        const bool seen = is_damaged && (checksum || seen_by_sizes);
        EXPECT_EQ(error.ok(), !seen) << "backup " << id << (checksum ? " by checksum: " : " by size: ")
                                     << error.message();
        if (seen && !error.ok()) {
          EXPECT_TRUE(error.code() == "BACKUP_CORRUPT" || error.code() == "BACKUP_NOT_FOUND") << error.code();
          EXPECT_NE(error.message().find(damaged_file), std::string::npos)
              << "backup " << id << " names " << damaged_file << ": " << error.message();
        }
      }
      if (!is_damaged) {
        EXPECT_EQ(std::count(corrupt.begin(), corrupt.end(), id), 0) << "backup " << id << " can be used";
      }
    }
  }

  // A restore over an existing database fails, and the database is unchanged.
  void RestoreFails(const std::string& what, uint32_t id) {
    SCOPED_TRACE(what);
    std::filesystem::create_directory(path("target"));
    for (const auto& [name, contents] :
         Tree{{"CURRENT", "MANIFEST-000001\n"}, {"000009.log", "precious"}, {"mine.txt", "mine"}}) {
      WriteFile(path("target/" + name), contents);
    }
    const Tree before = TreeOf(path("target"));
    const Error error = Restore(*repository_, RestoreTo(id, path("target"), true));
    EXPECT_FALSE(error.ok()) << "restore of backup " << id;
    EXPECT_NE(error.code(), "") << error.message();
    EXPECT_EQ(TreeOf(path("target")), before);
    std::filesystem::remove_all(path("target"));
    for (const auto& name : NamesIn(root_)) {
      EXPECT_EQ(name.find("restor"), std::string::npos) << name << " is left of it";
    }
  }

  // All files from before the operation are still there afterwards. `may_go`: the ids that it was to delete.
  void NothingGoes(const std::string& what, const std::set<uint32_t>& may_go, const std::function<Error()>& operation,
                   bool* done = nullptr) {
    SCOPED_TRACE(what);
    const Tree before = TreeOf(directory_);
    const Error error = operation();
    if (done != nullptr) {
      *done = error.ok();
    }
    const Tree after = TreeOf(directory_);
    for (const auto& [name, contents] : before) {
      if (name == kLockFileName || name == kOtherLockFileName) {
        continue;
      }
      bool goes = false;
      for (const uint32_t id : may_go) {
        const std::string number = std::to_string(id);
        goes |= error.ok() && (name == "meta/" + number || name == "private/" + number ||
                               name.starts_with("private/" + number + "/"));
      }
      if (const auto users = users_.find(name); users != users_.end() && error.ok()) {
        goes |= std::includes(may_go.begin(), may_go.end(), users->second.begin(), users->second.end());
      }
      if (!goes) {
        EXPECT_TRUE(after.contains(name)) << name << " was deleted, " << error.message();
        // A link to nowhere is not an existing file, so a new copy of the file may replace it.
        const bool healed = after.contains(name) && whole_.contains(name) && after.at(name) == whole_.at(name);
        EXPECT_TRUE(!after.contains(name) || after.at(name) == contents || healed) << name << " was changed";
      }
    }
  }

  bool IsWhole(const std::string& file) {
    return std::filesystem::is_regular_file(std::filesystem::symlink_status(file)) &&
           ReadFile(file) == whole_.at(file.substr(directory_.size() + 1));
  }

  // Runs a create, a delete, a purge and a garbage collection, each from the damaged state.
  void Follow(const std::string& what, const std::string& damaged_file, const std::set<uint32_t>& damaged,
              const std::function<void()>& damage) {
    ++followed_;
    const auto again = [&] {
      Heal();
      damage();
    };
    bool done = false;
    NothingGoes(
        what + ", then a create", {}, [&] { return Create(*repository_); }, &done);
    if (done) {
      ++created_;
      BackupDescription made;
      EXPECT_GOOD(repository_->Describe(5, true, &made));
      bool shares = false;
      for (const auto& file : made.files) {
        shares |= directory_ + "/" + file.name == damaged_file;
      }
      // The new backup may share a damaged file. Verify reports it as damaged exactly then.
      EXPECT_EQ(Verify(*repository_, 5, true).ok(), !shares || IsWhole(damaged_file)) << what;
    }
    again();
    const uint32_t other = damaged.contains(1) ? 4 : 1;
    NothingGoes(what + ", then deleting another", {other}, [&] { return repository_->Delete(other, false); });
    again();
    NothingGoes(what + ", then a purge", {1, 2, 3}, [&] { return repository_->PurgeOld(1, false); });
    again();
    NothingGoes(what + ", then collecting garbage", {}, [&] { return repository_->CollectGarbage(false); });
  }

  std::shared_ptr<BackupRepository> repository_;
  std::string directory_;
  std::map<std::string, std::set<uint32_t>> users_;  // the backups that have each file
  Tree whole_;
  Chance chance_;
  uint64_t cases_ = 0;
  uint64_t followed_ = 0;
  uint64_t created_ = 0;
  uint64_t refused_ = 0;
};

TEST_F(Rot, MetasFlippedAndCutAtEveryByte) {
  for (uint32_t id = 1; id <= 4; ++id) {
    const std::string meta = directory_ + "/meta/" + std::to_string(id);
    const std::string& whole = whole_.at("meta/" + std::to_string(id));
    for (size_t at = 0; at < whole.size(); ++at) {
      for (uint64_t bit = 0; bit < (IsFullForm() ? 8 : 1); ++bit) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ (1U << (IsFullForm() ? bit : Random(8))));
        const std::string what = meta + ": byte " + std::to_string(at) + " is " + std::to_string(changed[at]);
        const auto damage = [&] { WriteFile(meta, changed); };
        damage();
        Look(what, meta, {id}, true);
        if (Random(60) == 0) {
          Follow(what, meta, {id}, damage);
        }
        WriteFile(meta, whole);
        if (HasFailure()) {
          return;
        }
      }
      const auto cut = [&] { WriteFile(meta, whole.substr(0, at)); };
      cut();
      const std::string what = meta + " cut to " + std::to_string(at);
      Look(what, meta, {id}, true);
      if (IsFullForm() || Random(10) == 0) {
        RestoreFails(what, id);
      }
      if (Random(60) == 0) {
        Follow(what, meta, {id}, cut);
      }
      Heal();
      WriteFile(meta, whole);
      if (HasFailure()) {
        return;
      }
    }
  }
  for (uint32_t id = 1; id <= 4; ++id) {
    EXPECT_GOOD(Verify(*repository_, id, true));
  }
  Figure("damaged metas", std::to_string(cases_));
  Figure("of these followed by create, delete, purge and collect", std::to_string(followed_));
}

TEST_F(Rot, FilesDamagedInEveryWay) {
  uint64_t restores = 0;
  for (const auto& [name, users] : users_) {
    const std::string file = directory_ + "/" + name;
    const std::string& whole = whole_.at(name);
    std::string other = whole;
    other[Random(other.size())] ^= static_cast<char>(1U << Random(8));
    std::string random = RandomValue(whole.size());
    struct Kind {
      const char* what;
      bool seen_by_sizes;
      std::function<void()> damage;
    };
    const std::vector<Kind> kinds = {
        {"cut by a byte", true, [&] { WriteFile(file, whole.substr(0, whole.size() - 1)); }},
        {"cut in the middle", true, [&] { WriteFile(file, whole.substr(0, whole.size() / 2)); }},
        {"emptied", true, [&] { WriteFile(file, ""); }},
        {"longer by a byte", true, [&] { WriteFile(file, whole + "x"); }},
        {"longer by a page", true, [&] { WriteFile(file, whole + std::string(4096, '\0')); }},
        {"removed", true, [&] { std::filesystem::remove(file); }},
        {"a directory", true,
         [&] {
           std::filesystem::remove(file);
           std::filesystem::create_directory(file);
         }},
        {"a link out of the directory", true,
         [&] {
           std::filesystem::remove(file);
           WriteFile(path("outside"), whole);
           std::filesystem::create_symlink(path("outside"), file);
         }},
        {"a link to nothing", true,
         [&] {
           std::filesystem::remove(file);
           std::filesystem::create_symlink(path("nothing"), file);
         }},
        {"a link in a circle", true,
         [&] {
           std::filesystem::remove(file);
           std::filesystem::create_symlink(file, file);
         }},
        {"a FIFO", true,
         [&] {
           std::filesystem::remove(file);
           ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
         }},
        {"another bit", false, [&] { WriteFile(file, other); }},
        {"other bytes", false, [&] { WriteFile(file, random); }},
    };
    for (const auto& kind : kinds) {
      const std::string what = name + " is " + kind.what;
      kind.damage();
      Look(what, file, users, kind.seen_by_sizes);
      for (const uint32_t id : users) {
        if (IsFullForm() || Random(4) == 0) {
          RestoreFails(what, id);
          ++restores;
        }
      }
      if (IsFullForm() || Random(8) == 0) {
        Follow(what, file, users, kind.damage);
      }
      Heal();
      WriteFile(file, whole);
      if (HasFailure()) {
        return;
      }
    }
  }
  Figure("files damaged", std::to_string(cases_));
  Figure("restores of damaged backups that left their target as it was", std::to_string(restores));
  Figure("creates after damage that succeeded, and were judged rightly", std::to_string(created_));
}

// Flips each bit of a shared file's checksum in a meta. The engine trusts the newest meta.
TEST_F(Rot, ADamagedMetaMakesNoOtherBackupUnusable) {
  const std::string meta = directory_ + "/meta/3";
  const std::string& whole = whole_.at("meta/3");
  for (size_t at = whole.find(".sst crc32 ") + 11; whole[at] != '\n'; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1U << bit));
      WriteFile(meta, changed);
      Look("byte " + std::to_string(at) + " bit " + std::to_string(bit), meta, {3}, true);
      EXPECT_EQ(Restored(*repository_, 2).size(), 10U);
      WriteFile(meta, whole);
    }
  }
}

TEST_F(Rot, WhatLiesBesideBackupsHarmsNone) {
  const std::vector<std::string> places = {"rocksdb-backup.lock",
                                           ".backup.lock",
                                           "rocksdb-backup.state.json",
                                           "private/1/rocksdb-backup.files",
                                           "private/stray",
                                           "private/1.tmp",
                                           "private/01",
                                           "private/77",
                                           "private/1/.rocksdb-backup.files.tmp",
                                           "shared_checksum/stray",
                                           "shared_checksum/000001.sst",
                                           "shared_checksum/.000007_x.sst.tmp",
                                           "shared/000004.sst",
                                           "meta/.9.tmp",
                                           "meta/stray",
                                           "meta/1.bak",
                                           "stray"};
  for (const auto& place : places) {
    const std::string file = directory_ + "/" + place;
    const std::vector<std::pair<const char*, std::function<void()>>> kinds = {
        {"empty", [&] { WriteFile(file, ""); }},
        {"noise", [&] { WriteFile(file, RandomValue(3000)); }},
        {"a directory", [&] { std::filesystem::create_directory(file); }},
        {"a link out", [&] { std::filesystem::create_symlink(path("outside"), file); }},
        {"a link to a directory", [&] { std::filesystem::create_directory_symlink(path("elsewhere"), file); }},
        {"a link in a circle", [&] { std::filesystem::create_symlink(file, file); }},
        {"a FIFO", [&] { mkfifo(file.c_str(), 0600); }},
    };
    for (const auto& [kind, put] : kinds) {
      const auto damage = [&, put = put] {
        std::filesystem::create_directory(path("elsewhere"));
        WriteFile(path("elsewhere/kept"), "kept");
        std::filesystem::create_directories(ParentOf(file));
        std::filesystem::remove_all(file);
        put();
      };
      const std::string what = place + " is " + kind;
      damage();
      // The record is not needed for a restore, but its loss must not go unnoticed.
      const bool is_record = place == RecordName(1);
      Look(what, is_record ? file : "", is_record ? std::set<uint32_t>{1} : std::set<uint32_t>(), true);
      for (int i = 0; i < 4; ++i) {
        Heal();
        damage();
        SCOPED_TRACE(what);
        const Error error = i == 0   ? Create(*repository_)
                            : i == 1 ? repository_->Delete(1, false)
                            : i == 2 ? repository_->PurgeOld(2, false)
                                     : repository_->CollectGarbage(false);
        EXPECT_TRUE(error.ok() || error.code() == "ROCKSDB_IO_ERROR" || error.code() == "BACKUP_CORRUPT" ||
                    error.code() == "ROCKSDB_CORRUPTION")
            << i << " " << error.code() << ": " << error.message();
        if (!error.ok()) {
          ++refused_;
        }
        EXPECT_GOOD(Verify(*repository_, 3, true));
        EXPECT_GOOD(Verify(*repository_, 4, true));
        EXPECT_EQ(ReadFile(path("elsewhere/kept")), "kept") << i;
        EXPECT_EQ(ReadFile(path("outside")), "somebody else's") << i;
      }
      Heal();
      if (HasFailure()) {
        return;
      }
    }
  }
  Figure("stray things", std::to_string(cases_));
  Figure("writes that were refused because of them", std::to_string(refused_));
}

}  // namespace
}  // namespace rocksdb_backup::test
