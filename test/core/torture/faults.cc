// Every operation with every single fault that a disk may return for the nth call of a kind.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "backup_fixture.h"
#include "core/database/database.h"
#include "rocksdb/convenience.h"
#include "rocksdb/merge_operator.h"
#include "torture/chance.h"
#include "torture/injector.h"

namespace rocksdb_backup::test {
namespace {

namespace fs = std::filesystem;
using Contents = std::map<std::string, std::string>;

struct Trial {
  std::string name;
  std::function<void()> prepare;
  std::function<Error()> run;
  std::function<void(const Error&)> check;
};

size_t OpenFiles() { return static_cast<size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {})); }
size_t Threads() { return static_cast<size_t>(std::distance(fs::directory_iterator("/proc/self/task"), {})); }

std::string WithoutDoubledSlashes(std::string text) {
  for (size_t at; (at = text.find("//")) != std::string::npos;) {
    text.erase(at, 1);
  }
  return text;
}

// Does the error say what happened?
bool TellsKind(const Error& error, Fault fault) {
  switch (fault) {
    case Fault::kNoSpace:
      return (error.code() == "NO_SPACE" || error.subcode() == "NO_SPACE") &&
             error.message().find("No space left on device") != std::string::npos;
    case Fault::kDenied:
      return error.message().find("Permission denied") != std::string::npos;
    case Fault::kIoError:
      return error.message().find("Input/output error") != std::string::npos;
    default:
      return true;
  }
}

bool Names(const Error& error, const Fired& fired, Fault fault) {
  const std::string message = WithoutDoubledSlashes(error.message());
  const auto has = [&](const std::string& name) { return !name.empty() && message.find(name) != std::string::npos; };
  if (fault == Fault::kShortRead || fault == Fault::kEarlyEnd) {
    // RocksDB notices that bytes are missing, and may use the file's name in a database.
    const std::string part = NameOf(ParentOf(fired.path)) + "/" + NameOf(fired.path);
    if (has(NameOf(fired.path)) || has("/" + DatabaseFileName(part))) {
      return true;
    }
  }
  return has(fired.path) || has(fired.other);
}

class Faults : public BackupTest {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    if (!CanWatchCalls()) {
      GTEST_SKIP() << "a sanitizer has the C library's calls for itself";
    }
    options_.create_if_missing = true;
    options_.compression = rocksdb::kNoCompression;
    options_.disable_auto_compactions = true;
    options_.stats_dump_period_sec = 0;
    options_.stats_persist_period_sec = 0;
    options_.merge_operator = Append();
  }

  // The engine then has the same order of files in every run, except for the timing of its one copying thread.
  void SetUpScene(std::shared_ptr<FaultFileSystem> storage) {
    storage_ = std::move(storage);
    if (storage_ != nullptr) {
      env_ = rocksdb::NewCompositeEnv(storage_);
      options_.env = env_.get();
    }
    OpenDatabase();
    repository_ = Open(true);
    full_ = Open(false);
    BackupDescription created;
    for (int i = 1; i <= 3; ++i) {
      Fill(5, 400, "table" + std::to_string(i) + "-");
      Put(3, 100, "log" + std::to_string(i) + "-");
      ASSERT_GOOD(Create(i == 2 ? *full_ : *repository_, &created));
      backed_up_[created.id] = ContentsOf(db_.get());
    }
    Put(3, 100, "since-");
    // These values are only in the log and need the merge operator. An open without that operator would lose them.
    ASSERT_TRUE(db_->Merge(rocksdb::WriteOptions(), "merged", "a").ok());
    ASSERT_TRUE(db_->Merge(rocksdb::WriteOptions(), "merged", "b").ok());
    contents_ = ContentsOf(db_.get());
    CloseDatabase();
    fs::rename(db_path_, path("database"));  // the originals: each trial uses a copy
    fs::rename(path("backups"), path("template"));
    ResetDatabase();
    files_ = FilesBelow(path("template"));
  }

  void TearDown() override {
    repository_.reset();
    full_.reset();
    CloseRepositories();
    CloseDatabase();
    ScratchTest::TearDown();
  }

  static std::shared_ptr<rocksdb::MergeOperator> Append() {
    std::shared_ptr<rocksdb::MergeOperator> append;
    EXPECT_TRUE(rocksdb::MergeOperator::CreateFromString(rocksdb::ConfigOptions(), "stringappend", &append).ok());
    return append;
  }

  BackupRepository::Options SceneOptions(bool share) const {
    auto options = OptionsFor("backups");
    if (storage_ != nullptr) {
      options.settings.storage = Through(path("backups"), storage_);
    }
    options.settings.engine.share_table_files = share;
    options.settings.engine.max_background_operations = 1;
    return options;
  }
  std::shared_ptr<BackupRepository> Open(bool share) { return OpenRepository(SceneOptions(share)); }

  void Copy(const std::string& from, const std::string& to) const {
    fs::remove_all(path(to));
    fs::copy(path(from), path(to), fs::copy_options::recursive);
  }

  void ResetBackups() const { Copy("template", "backups"); }
  void ResetDatabase() {
    CloseDatabase();
    Copy("database", "db");
    OpenDatabase();
  }

  // ---- What must hold afterwards

  // Every listed backup is whole. All `certain` backups are listed. Of the others, only `possible` backups are listed.
  void CheckBackups(const std::set<uint32_t>& certain, const std::set<uint32_t>& possible) {
    const std::vector<uint32_t> listed = Ids(*repository_);
    for (const uint32_t id : certain) {
      EXPECT_TRUE(std::find(listed.begin(), listed.end(), id) != listed.end()) << "backup " << id << " is listed";
    }
    for (const uint32_t id : listed) {
      EXPECT_TRUE(certain.contains(id) || possible.contains(id)) << "backup " << id << " is not listed";
      EXPECT_GOOD(Verify(*repository_, id));
    }
    EXPECT_TRUE(CorruptIds(*repository_).empty()) << JoinIds(CorruptIds(*repository_)) << " are whole";
  }

  void CheckRestore(uint32_t id, const Contents& contents) {
    const std::string target = path("checked");
    EXPECT_GOOD(Restore(*repository_, RestoreTo(id, target)));
    EXPECT_EQ(ContentsOfRestored(target) == contents, true) << "backup " << id << " holds what the database held";
    fs::remove_all(target);
  }

  Contents ContentsOfRestored(const std::string& directory, const std::string& wal_dir = "") {
    rocksdb::Options options = options_;
    options.env = rocksdb::Env::Default();
    options.create_if_missing = false;
    options.wal_dir = wal_dir;
    std::unique_ptr<rocksdb::DB> db;
    const rocksdb::Status status =
        OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::OpenForReadOnly(options, directory, out)) {
          return rocksdb::DB::OpenForReadOnly(options, directory, out);
        });
    EXPECT_TRUE(status.ok()) << status.ToString();
    return status.ok() ? ContentsOf(db.get()) : Contents();
  }

  // The live database has its contents, and still works.
  void CheckDatabase(const Contents& contents, bool by_its_own_disk) {
    uint64_t deletes = 0;
    EXPECT_TRUE(db_->GetIntProperty(rocksdb::DB::Properties::kIsFileDeletionsEnabled, &deletes));
    EXPECT_EQ(deletes, 1U) << "the database deletes files again";
    uint64_t errors = 0;
    (void)db_->GetIntProperty(rocksdb::DB::Properties::kBackgroundErrors, &errors);
    if (by_its_own_disk && errors > 0) {
      // After its own disk failed, RocksDB writes nothing until Resume().
      if (!db_->Resume().ok()) {
        CloseDatabase();
        OpenDatabase();
      }
    } else {
      EXPECT_EQ(errors, 0U) << "the database has no background error";
    }
    EXPECT_TRUE(ContentsOf(db_.get()) == contents) << "the database holds what it held";
    EXPECT_TRUE(db_->Put(rocksdb::WriteOptions(), "since-0", contents.at("since-0")).ok()) << "it takes writes";
  }

  // ---- Trials

  Trial CreateTrial(const std::string& name, bool share, bool first, std::optional<bool> flush) {
    const auto before = std::make_shared<Contents>();
    const auto names = std::make_shared<std::set<std::string>>();
    const auto created = std::make_shared<BackupDescription>();
    Trial trial;
    trial.name = name;
    trial.prepare = [=, this] {
      if (first) {
        fs::remove_all(path("backups"));
        fs::create_directories(path("backups/meta"));
      } else {
        ResetBackups();
      }
      if (flush.value_or(false)) {
        ResetDatabase();
      }
      *before = ContentsOf(db_.get());
      *names = NamesIn(db_path_);
    };
    trial.run = [=, this] {
      CreateRequest request = Request();
      request.flush_before_backup = flush;
      return (share ? *repository_ : *full_).Create(request, NewOperation(), created.get());
    };
    trial.check = [=, this](const Error& error) {
      const std::set<uint32_t> older = first ? std::set<uint32_t>{} : std::set<uint32_t>{1, 2, 3};
      std::set<uint32_t> all = older;
      if (error.ok()) {
        EXPECT_EQ(created->id, first ? 1U : 4U);
        all.insert(created->id);
      }
      CheckBackups(all, {});
      if (error.ok()) {
        CheckRestore(created->id, *before);
      }
      const bool by_its_own_disk = IsInside(fired_.path, db_path_);
      CheckDatabase(*before, by_its_own_disk);
      if (!flush.value_or(false)) {
        EXPECT_EQ(NamesIn(db_path_), *names) << "the database has the files that it had";
      }
      // The next create works. A delete of its backup also removes the files of the failed create.
      BackupDescription next;
      EXPECT_GOOD(Create(share ? *repository_ : *full_, &next));
      EXPECT_EQ(next.id, all.size() + 1);
      CheckRestore(next.id, *before);
      EXPECT_GOOD(repository_->Delete(next.id, false));
      if (error.ok()) {
        EXPECT_GOOD(repository_->Delete(created->id, false));
      }
      CheckBackups(older, {});
      if (!first) {
        EXPECT_EQ(FilesBelow(path("backups")), files_) << "no temporary file is left";
      }
    };
    return trial;
  }

  Trial VerifyTrial(bool checksum) {
    Trial trial;
    trial.name = checksum ? "verify with checksum" : "verify";
    trial.prepare = [this] { ResetBackups(); };
    trial.run = [=, this] { return Verify(*repository_, 3, checksum); };
    trial.check = [this](const Error&) {
      CheckBackups({1, 2, 3}, {});
      EXPECT_EQ(FilesBelow(path("backups")), files_);
    };
    return trial;
  }

  struct RestorePlace {
    bool overwrite = false;
    bool wal = false;     // logs in a directory of their own
    bool folder = false;  // the user has a folder in the target, so files are moved one by one
    bool keep_log_files = false;
  };

  Trial RestoreTrial(const std::string& name, RestorePlace place) {
    const std::string target = path("targets/target");
    const std::string wal = place.wal ? path("targets/logs") : "";
    Trial trial;
    trial.name = name;
    trial.prepare = [=, this] {
      ResetBackups();
      fs::remove_all(path("targets"));
      fs::create_directories(path("targets"));
      if (place.overwrite) {
        auto request = RestoreTo(1, target);
        request.wal_dir = wal;
        ASSERT_GOOD(Restore(*repository_, request));
        WriteFile(target + "/notes.txt", "mine");
        if (place.folder) {
          fs::create_directories(target + "/folder");
          WriteFile(target + "/folder/notes.txt", "mine");
        }
      }
    };
    const auto request = [=, this] {
      auto request = RestoreTo(3, target, place.overwrite);
      request.wal_dir = wal;
      request.keep_log_files = place.keep_log_files;
      return request;
    };
    trial.run = [=, this] { return Restore(*repository_, request()); };
    trial.check = [=, this](const Error& error) {
      const auto others_are_there = [&] {
        if (place.overwrite) {
          EXPECT_EQ(ReadFile(target + "/notes.txt"), "mine");
        }
        if (place.folder) {
          EXPECT_EQ(ReadFile(target + "/folder/notes.txt"), "mine");
        }
      };
      if (error.ok()) {
        EXPECT_TRUE(ContentsOfRestored(target, wal) == backed_up_[3]) << "the target is the backup";
      } else if (place.overwrite) {
        EXPECT_TRUE(ContentsOfRestored(target, wal) == backed_up_[1]) << "the target is as it was";
      } else {
        EXPECT_FALSE(fs::exists(target)) << "the target is not there";
        EXPECT_TRUE(wal.empty() || !fs::exists(wal)) << "the logs' target is not there";
      }
      others_are_there();
      auto again = request();
      again.overwrite = true;
      EXPECT_GOOD(Restore(*repository_, again));
      EXPECT_TRUE(ContentsOfRestored(target, wal) == backed_up_[3]);
      others_are_there();
      std::set<std::string> expected = {"target"};
      if (place.wal) {
        expected.insert("logs");
      }
      EXPECT_EQ(NamesIn(path("targets")), expected) << "nothing is left beside the target";
      for (const auto& name : NamesIn(target)) {
        EXPECT_TRUE(IsDatabaseFileName(name) || name == "notes.txt" || name == "folder") << name << " is left";
      }
      CheckBackups({1, 2, 3}, {});
      EXPECT_EQ(FilesBelow(path("backups")), files_);
    };
    return trial;
  }

  Trial RemoveTrial(const std::string& name, const std::set<uint32_t>& removed, const std::function<Error()>& run) {
    std::set<uint32_t> kept = {1, 2, 3};
    for (const uint32_t id : removed) {
      kept.erase(id);
    }
    const auto expected = std::make_shared<std::set<std::string>>();
    Trial trial;
    trial.name = name;
    trial.prepare = [=, this] {
      ResetBackups();
      if (removed.empty()) {
        fs::create_directories(path("backups/private/9"));
        WriteFile(path("backups/private/9/CURRENT"), "half");
        WriteFile(path("backups/shared_checksum/.000099_s_4.sst.tmp"), "half");
        WriteFile(path("backups/meta/.9.tmp"), "half");
      }
    };
    trial.run = run;
    trial.check = [=, this](const Error& error) {
      CheckBackups(kept, error.ok() ? std::set<uint32_t>{} : removed);
      for (const uint32_t id : Ids(*repository_)) {
        if (removed.contains(id)) {
          EXPECT_GOOD(repository_->Delete(id, false));
        }
      }
      EXPECT_GOOD(repository_->CollectGarbage(false));
      CheckBackups(kept, {});
      if (expected->empty()) {
        *expected = FilesBelow(path("backups"));  // the first run has no fault
      }
      EXPECT_EQ(FilesBelow(path("backups")), *expected) << "of what was deleted nothing is left";
    };
    return trial;
  }

  Trial OpenTrial() {
    const auto opened = std::make_shared<std::shared_ptr<BackupRepository>>();
    Trial trial;
    trial.name = "open";
    trial.prepare = [this] { ResetBackups(); };
    trial.run = [=, this] {
      std::shared_ptr<BackupRepository> repository;
      const Error error = BackupRepository::Open(SceneOptions(true), &repository);
      EXPECT_EQ(repository != nullptr, error.ok());
      if (repository != nullptr) {
        repository->AddHandle();
        repository->RemoveHandle({});
        repository->WaitIfClosing();
      }
      return error;
    };
    trial.check = [=, this](const Error&) {
      CheckBackups({1, 2, 3}, {});
      EXPECT_EQ(FilesBelow(path("backups")), files_);
    };
    return trial;
  }

  Trial ListTrial() {
    const auto listed = std::make_shared<std::vector<BackupDescription>>();
    Trial trial;
    trial.name = "list";
    trial.prepare = [=, this] {
      ResetBackups();
      listed->clear();
    };
    trial.run = [=, this] { return repository_->List(true, listed.get()); };
    trial.check = [=, this](const Error& error) {
      if (error.ok()) {
        EXPECT_EQ(listed->size(), 3U) << "what a list tells is all there is";
      }
      CheckBackups({1, 2, 3}, {});
    };
    return trial;
  }

  static Contents AllOf(Database& database) { return ContentsOf(database.db()); }

  static Error Close(std::shared_ptr<Database> database) {
    database->AddHandle();
    Database& closing = *database;
    closing.RemoveHandle({});
    closing.WaitIfClosing();
    return Error();
  }

  Trial OpenDatabaseTrial() {
    const auto seen = std::make_shared<Contents>();
    Trial trial;
    trial.name = "open a database";
    trial.prepare = [this] { Copy("database", "opened"); };
    const auto open = [=, this] {
      seen->clear();
      DatabaseOptions options;
      options.db.stats_dump_period_sec = 0;
      options.db.stats_persist_period_sec = 0;
      std::shared_ptr<Database> database;
      Error error = Database::Open(path("opened"), options, &database);
      EXPECT_EQ(database != nullptr, error.ok());
      if (database != nullptr) {
        const std::unique_ptr<rocksdb::Iterator> all(database->db()->NewIterator(rocksdb::ReadOptions()));
        for (all->SeekToFirst(); all->Valid(); all->Next()) {
          (*seen)[all->key().ToString()] = all->value().ToString();
        }
        error = Error::From(all->status(), "reading " + path("opened"));
      }
      if (database != nullptr) {
        (void)Close(std::move(database));
      }
      return error;
    };
    trial.run = open;
    trial.check = [=, this](const Error& error) {
      if (error.ok()) {
        EXPECT_TRUE(*seen == contents_) << "a database that opens has all that was in it";
      }
      EXPECT_GOOD(open());
      EXPECT_TRUE(*seen == contents_) << "a database that did not open has lost nothing";
    };
    return trial;
  }

  Trial OpenBackupTrial() {
    const auto seen = std::make_shared<Contents>();
    Trial trial;
    trial.name = "open a backup in place";
    trial.prepare = [this] { ResetBackups(); };
    trial.run = [=, this] {
      seen->clear();
      OpenedBackup opened;
      if (Error error = repository_->OpenBackup(3, &opened); !error.ok()) {
        return error;
      }
      std::shared_ptr<Database> database;
      Error error = Database::OpenThrough(opened.env->GetFileSystem(), opened.keep_alive, opened.path,
                                          Database::ToReadBackup(), &database);
      if (database != nullptr) {
        const std::unique_ptr<rocksdb::Iterator> all(database->db()->NewIterator(rocksdb::ReadOptions()));
        for (all->SeekToFirst(); all->Valid(); all->Next()) {
          (*seen)[all->key().ToString()] = all->value().ToString();
        }
        error = Error::From(all->status(), "reading " + opened.path);
      }
      if (database != nullptr) {
        (void)Close(std::move(database));
      }
      return error;
    };
    trial.check = [=, this](const Error& error) {
      if (error.ok()) {
        EXPECT_TRUE(*seen == backed_up_[3]) << "a backup that opens shows all that is in it";
      }
      CheckBackups({1, 2, 3}, {});
      EXPECT_EQ(FilesBelow(path("backups")), files_);
    };
    return trial;
  }

  // ---- The loop

  void CheckResources(size_t files, size_t threads) {
    // A joined thread may be visible for a moment.
    for (int i = 0; i < 1000 && Threads() > threads; ++i) {
      usleep(1000);
    }
    EXPECT_LE(Threads(), threads) << "no thread is left";
    EXPECT_LE(OpenFiles(), files) << "no file is left open";
  }

  void CheckError(const Error& error, Fault fault, const std::string& kind) {
    if (error.ok()) {
      return;
    }
    // RocksDB's own file system drops the errno of a stat: it reports "not found", "not a directory" or a number.
    const bool unsaid = kind == "stat" || kind == "exists" || kind == "size";
    const bool by_rocksdb = error.code() == "ROCKSDB_INVALID_ARGUMENT" || error.code() == "ROCKSDB_CORRUPTION";
    // An unreadable file of one backup is reported as damage of that backup, with the error of the disk.
    const bool of_one_backup = error.code() == "ROCKSDB_CORRUPTION" && TellsKind(error, fault);
    static const std::set<std::string> kCodes = {"ROCKSDB_IO_ERROR", "NO_SPACE", "BACKUP_CORRUPT"};
    const bool io = fault == Fault::kIoError || fault == Fault::kNoSpace || fault == Fault::kDenied;
    EXPECT_TRUE(kCodes.contains(error.code()) || ((!io || unsaid || of_one_backup) && by_rocksdb))
        << "the code is one of those of a failing disk, not " << error.code() << ": " << error.message();
    EXPECT_TRUE(Names(error, fired_, fault) || (unsaid && (fault == Fault::kDenied || by_rocksdb)))
        << "the error names " << fired_.path << ", and not: " << error.message();
    EXPECT_TRUE(unsaid || TellsKind(error, fault)) << "the error tells what happened, and not " << error.code() << " "
                                                   << error.subcode() << ": " << error.message();
    EXPECT_NE(fault, Fault::kDelay) << "what is slow does not fail: " << error.message();
  }

  void Run(Injector& injector, const Trial& trial, Chance& chance) {
    struct Case {
      int kind;
      int nth;
      Fault fault;
    };
    const int without_fault = Failures();
    // Twice, because the first run may open files that stay open.
    for (int i = 0; i < 2; ++i) {
      trial.prepare();
      injector.Count();
      const Error error = trial.run();
      injector.Disarm();
      fired_ = {};
      ASSERT_GOOD(error);
      trial.check(error);
      ASSERT_EQ(Failures(), without_fault) << trial.name << " works without a fault";
    }
    std::vector<Case> cases;
    for (int kind = 0; kind < injector.kinds(); ++kind) {
      for (const Fault fault : kFaults) {
        for (int nth = 1; injector.Takes(kind, fault) && nth <= injector.counted(kind); ++nth) {
          cases.push_back({kind, nth, fault});
        }
      }
    }
    const size_t all = cases.size();
    const size_t rounds = Rounds(150, all);
    while (cases.size() > rounds) {
      cases[chance.Below(cases.size())] = cases.back();
      cases.pop_back();
    }
    int errors = 0;
    int fired = 0;
    int shown = 0;
    for (const Case& one : cases) {
      trial.prepare();
      const size_t files = OpenFiles();
      const size_t threads = Threads();
      injector.Arm(one.kind, one.nth, one.fault);
      const Error error = trial.run();
      fired_ = injector.Disarm();
      fired += fired_.fired ? 1 : 0;
      errors += error.ok() ? 0 : 1;
      const std::string what = trial.name + ": " + kFaultNames[static_cast<int>(one.fault)] + " of " +
                               injector.KindName(one.kind) + " " + std::to_string(one.nth) + ", " + fired_.path +
                               (fired_.other.empty() ? "" : " to " + fired_.other) +
                               (error.ok() ? "; it succeeded" : "; " + error.code() + ": " + error.message());
      SCOPED_TRACE(what);
      const int before = Failures();
      if (!fired_.fired) {
        EXPECT_GOOD(error);
      }
      CheckResources(files, threads);
      CheckError(error, one.fault, injector.KindName(one.kind));
      trial.check(error);
      if (Failures() > before && ++shown == 12 && !IsFullForm()) {
        ADD_FAILURE() << "and so on";
        break;
      }
    }
    Figure(layer_ + trial.name, std::to_string(cases.size()) + " of " + std::to_string(all) + " cases, " +
                                    std::to_string(fired) + " met, " + std::to_string(errors) + " ended in an error");
  }

  static int Failures() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
  }

  std::vector<Trial> AllTrials() {
    return {
        CreateTrial("create, first", true, true, {}),
        CreateTrial("create, incremental", true, false, {}),
        CreateTrial("create, full", false, false, {}),
        CreateTrial("create with flush", true, false, true),
        VerifyTrial(true),
        VerifyTrial(false),
        RestoreTrial("restore, fresh", {}),
        RestoreTrial("restore over a database", {.overwrite = true}),
        RestoreTrial("restore with logs apart", {.wal = true}),
        RestoreTrial("restore over a database with logs apart", {.overwrite = true, .wal = true}),
        RestoreTrial("restore around a folder", {.overwrite = true, .folder = true}),
        RemoveTrial("delete", {2}, [this] { return repository_->Delete(2, false); }),
        RemoveTrial("delete, shared files", {3}, [this] { return repository_->Delete(3, false); }),
        RemoveTrial("purge", {1, 2}, [this] { return repository_->PurgeOld(1, false); }),
        RemoveTrial("collect garbage", {}, [this] { return repository_->CollectGarbage(false); }),
        OpenTrial(),
        ListTrial(),
        OpenBackupTrial(),
    };
  }

  void RunAll(Injector& injector, std::vector<Trial> trials) {
    const char* only = getenv("TORTURE_TRIAL");
    uint64_t number = 0;
    for (const Trial& trial : trials) {
      Chance chance(++number);
      if (only == nullptr || trial.name == only) {
        Run(injector, trial, chance);
      }
    }
  }

  std::string layer_;
  std::shared_ptr<FaultFileSystem> storage_;
  std::unique_ptr<rocksdb::Env> env_;
  std::shared_ptr<BackupRepository> repository_;
  std::shared_ptr<BackupRepository> full_;
  std::map<uint32_t, Contents> backed_up_;
  Contents contents_;
  std::set<std::string> files_;
  Fired fired_;
};

TEST_F(Faults, OfTheSystemsCalls) {
  layer_ = "calls: ";
  SetUpScene(nullptr);
  CallInjector injector(root_);
  std::vector<Trial> trials = AllTrials();
  trials.push_back(OpenDatabaseTrial());
  RunAll(injector, trials);
}

TEST_F(Faults, OfAStorageThatWasPutIn) {
  layer_ = "storage: ";
  SetUpScene(std::make_shared<FaultFileSystem>());
  StorageInjector injector(storage_);
  RunAll(injector, AllTrials());
}

}  // namespace
}  // namespace rocksdb_backup::test
