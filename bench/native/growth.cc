#include "growth.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/database/open_rocksdb.h"
#include "rocksdb/convenience.h"
#include "rocksdb/db.h"
#include "rocksdb/utilities/backup_engine.h"

namespace {

namespace fs = std::filesystem;

constexpr int kRuns = 9;
constexpr uint32_t kKept = 10;

void Check(const rocksdb::Status& status) {
  if (!status.ok()) {
    throw std::runtime_error(status.ToString());
  }
}

struct OpenedDatabase {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
};

OpenedDatabase OpenDatabase(const std::string& path, uint64_t families) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.disable_auto_compactions = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  std::vector<std::string> names;
  if (rocksdb::DB::ListColumnFamilies(options, path, &names).ok()) {
    for (const auto& name : names) {
      descriptors.emplace_back(name, options);
    }
  } else {
    descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, options);
    for (uint64_t i = 1; i < families; ++i) {
      descriptors.emplace_back("family-" + std::to_string(i), options);
    }
  }
  OpenedDatabase opened;
  Check(rocksdb_backup::OpenInto(
      &opened.db, [&](auto* out) -> decltype(rocksdb::DB::Open(options, path, descriptors, &opened.families, out)) {
        return rocksdb::DB::Open(options, path, descriptors, &opened.families, out);
      }));
  return opened;
}

std::string Key(uint64_t number) {
  char key[17];
  std::snprintf(key, sizeof key, "%016llx", static_cast<unsigned long long>(number));
  return key;
}

// One more file in the family that is next, below level 0: of that level DropFile would drop none.
void AddFile(OpenedDatabase& opened, uint64_t number) {
  auto* const family = opened.families[number % opened.families.size()];
  Check(opened.db->Put(rocksdb::WriteOptions(), family, Key(number), std::string(100, 'v')));
  Check(opened.db->Flush(rocksdb::FlushOptions(), family));
  rocksdb::ColumnFamilyMetaData about;
  opened.db->GetColumnFamilyMetaData(family, &about);
  for (const auto& file : about.levels.front().files) {
    Check(opened.db->CompactFiles(rocksdb::CompactionOptions(), family, {file.name}, 1));
  }
}

void DropFile(OpenedDatabase& opened, uint64_t number) {
  const std::string key = Key(number);
  const rocksdb::Slice begin(key);
  Check(rocksdb::DeleteFilesInRange(opened.db.get(), opened.families[number % opened.families.size()], &begin, &begin));
}

void Close(OpenedDatabase& opened) {
  for (auto* const family : opened.families) {
    Check(opened.db->DestroyColumnFamilyHandle(family));
  }
  Check(opened.db->Close());
}

double Milliseconds(const std::function<void()>& operation) {
  const auto start = std::chrono::steady_clock::now();
  operation();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double Median(const std::function<void()>& operation) {
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    times.push_back(Milliseconds(operation));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

void Grow(const std::string& db_path, const std::string& backup_dir, uint64_t backups, uint64_t files,
          uint64_t families) {
  fs::remove_all(db_path);
  fs::remove_all(backup_dir);
  fs::create_directories(backup_dir);
  OpenedDatabase opened = OpenDatabase(db_path, families);
  for (uint64_t i = 0; i < files; ++i) {
    AddFile(opened, i);
  }
  rocksdb::BackupEngineOptions options(backup_dir);
  options.sync = false;
  rocksdb::BackupEngine* raw = nullptr;
  Check(rocksdb::BackupEngine::Open(options, rocksdb::Env::Default(), &raw));
  const std::unique_ptr<rocksdb::BackupEngine> engine(raw);
  for (uint64_t i = 0; i < backups; ++i) {
    AddFile(opened, files + i);
    DropFile(opened, i);
    Check(engine->CreateNewBackup(rocksdb::CreateBackupOptions(), opened.db.get()));
  }
  std::vector<rocksdb::LiveFileMetaData> left;
  opened.db->GetLiveFilesMetaData(&left);
  if (left.size() != files) {
    throw std::runtime_error("the database has " + std::to_string(left.size()) + " table files");
  }
  Close(opened);
}

void MeasureOpenEngine(const std::string& db_path, const std::string& backup_dir) {
  using rocksdb::BackupInfo;
  OpenedDatabase opened = OpenDatabase(db_path, 1);
  std::unique_ptr<rocksdb::BackupEngine> engine;
  const auto open = [&] {
    engine.reset();
    rocksdb::BackupEngine* raw = nullptr;
    Check(rocksdb::BackupEngine::Open(rocksdb::BackupEngineOptions(backup_dir), rocksdb::Env::Default(), &raw));
    engine.reset(raw);
  };
  std::vector<std::pair<const char*, double>> times;
  times.emplace_back("open", Median(open));
  times.emplace_back("list", Median([&] {
                       std::vector<BackupInfo> infos;
                       engine->GetBackupInfo(&infos);
                     }));
  times.emplace_back("listFiles", Median([&] {
                       std::vector<BackupInfo> infos;
                       engine->GetBackupInfo(&infos, true);
                     }));
  BackupInfo latest;
  times.emplace_back("latest", Median([&] { Check(engine->GetLatestBackupInfo(&latest)); }));
  times.emplace_back("details", Median([&] { Check(engine->GetBackupInfo(latest.backup_id, &latest, true)); }));
  times.emplace_back("verify", Median([&] { Check(engine->VerifyBackup(latest.backup_id)); }));
  times.emplace_back("createNothingNew",
                     Median([&] { Check(engine->CreateNewBackup(rocksdb::CreateBackupOptions(), opened.db.get())); }));
  uint64_t number = uint64_t{1} << 40;
  std::vector<double> creates;
  for (int i = 0; i < kRuns; ++i) {
    AddFile(opened, number++);
    creates.push_back(
        Milliseconds([&] { Check(engine->CreateNewBackup(rocksdb::CreateBackupOptions(), opened.db.get())); }));
  }
  std::sort(creates.begin(), creates.end());
  times.emplace_back("create", creates[creates.size() / 2]);
  uint32_t id = 1;
  Check(engine->DeleteBackup(id++));  // the first of an engine collects garbage
  times.emplace_back("delete", Median([&] { Check(engine->DeleteBackup(id++)); }));
  times.emplace_back("purge", Milliseconds([&] { Check(engine->PurgeOldBackups(kKept)); }));
  const char* separator = "{";
  for (const auto& [name, milliseconds] : times) {
    std::printf("%s\"%s\":%.3f", separator, name, milliseconds);
    separator = ",";
  }
  std::printf("}\n");
  Close(opened);
}
