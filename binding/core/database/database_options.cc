#include "core/database/database_options.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "rocksdb/convenience.h"
#include "rocksdb/filter_policy.h"

namespace rocksdb_backup {
namespace {

using OptionMap = std::unordered_map<std::string, std::string>;
using rocksdb::Status;

enum class Found { kApplied, kBadValue, kUnknown };

rocksdb::ConfigOptions Config() {
  rocksdb::ConfigOptions config;
  config.input_strings_escaped = false;
  config.ignore_unknown_options = false;
  return config;
}

// RocksDB's status does not distinguish an unknown name from a bad value. A name that RocksDB itself writes is known.
bool HasName(const std::string& serialized, const std::string& name) {
  OptionMap map;
  return rocksdb::StringToMap(serialized, &map).ok() && map.contains(name);
}

Found TryDb(const std::string& name, const std::string& value, rocksdb::DBOptions* db, Status* status) {
  rocksdb::DBOptions changed;
  *status = rocksdb::GetDBOptionsFromMap(Config(), *db, {{name, value}}, &changed);
  if (status->ok()) {
    *db = changed;
    return Found::kApplied;
  }
  std::string all;
  const bool known = rocksdb::GetStringFromDBOptions(Config(), *db, &all).ok() && HasName(all, name);
  return known ? Found::kBadValue : Found::kUnknown;
}

Found TryFamily(const std::string& name, const std::string& value, rocksdb::ColumnFamilyOptions* family,
                Status* status) {
  rocksdb::ColumnFamilyOptions changed;
  *status = rocksdb::GetColumnFamilyOptionsFromMap(Config(), *family, {{name, value}}, &changed);
  if (status->ok()) {
    *family = changed;
    return Found::kApplied;
  }
  std::string all;
  const bool known = rocksdb::GetStringFromColumnFamilyOptions(Config(), *family, &all).ok() && HasName(all, name);
  return known ? Found::kBadValue : Found::kUnknown;
}

Found TryTable(const std::string& name, const std::string& value, rocksdb::BlockBasedTableOptions* table,
               Status* status) {
  rocksdb::BlockBasedTableOptions changed;
  *status = rocksdb::GetBlockBasedTableOptionsFromMap(Config(), *table, {{name, value}}, &changed);
  if (status->ok()) {
    *table = changed;
    return Found::kApplied;
  }
  return status->IsNotFound() ? Found::kUnknown : Found::kBadValue;
}

bool EndsWith(const std::string& name, const std::string& end) {
  return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

int OpenFilesThatFit(const std::vector<std::string>& files) {
  constexpr rlim_t kGrowth = 4;
  constexpr rlim_t kFewest = 16;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return -1;
  }
  const auto count = std::count_if(files.begin(), files.end(), [](const std::string& name) {
    return EndsWith(name, ".sst") || EndsWith(name, ".ldb") || EndsWith(name, ".blob");
  });
  if (static_cast<rlim_t>(count) * kGrowth <= limit.rlim_cur) {
    return -1;
  }
  const rlim_t half = std::max(limit.rlim_cur / 2, kFewest);
  return static_cast<int>(std::min<rlim_t>(half, std::numeric_limits<int>::max()));
}

Error Resolve(const FamilyOptions& options, const std::shared_ptr<rocksdb::Cache>& cache, rocksdb::DBOptions* db,
              rocksdb::ColumnFamilyOptions* resolved) {
  *resolved = options.family;
  rocksdb::BlockBasedTableOptions table = options.table;
  table.block_cache = cache;
  table.no_block_cache = cache == nullptr;
  if (options.bloom_filter_bits > 0) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(options.bloom_filter_bits));
  }

  // Each shard of the table cache keeps a file open, whatever the limit is. With 64 shards, a small limit would have no
  // effect.
  if (db != nullptr && db->max_open_files > 0) {
    constexpr int kFilesPerShard = 8;
    while (db->table_cache_numshardbits > 0 && db->max_open_files < kFilesPerShard << db->table_cache_numshardbits) {
      --db->table_cache_numshardbits;
    }
  }

  // Table options are applied first: the factory is made from them, and an option of the family may change or replace
  // the factory.
  std::vector<std::pair<std::string, std::string>> of_family;
  rocksdb::DBOptions ignored;
  for (const auto* raw : {&options.common_raw, &options.raw}) {
    for (const auto& [name, value] : *raw) {
      Status status;
      Found found = TryDb(name, value, db != nullptr ? db : &ignored, &status);
      if (found == Found::kApplied && db == nullptr && raw == &options.raw) {
        return Error("ROCKSDB_INVALID_ARGUMENT", "option \"" + name + "\" is of the database, not of a column family");
      }
      if (found == Found::kUnknown) {
        found = TryTable(name, value, &table, &status);
      }
      if (found == Found::kUnknown) {
        of_family.emplace_back(name, value);
      } else if (found == Found::kBadValue) {
        return Error::From(status, "option \"" + name + "\"");
      }
    }
  }
  resolved->table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  for (const auto& [name, value] : of_family) {
    Status status;
    if (TryFamily(name, value, resolved, &status) != Found::kApplied) {
      return Error::From(status, "option \"" + name + "\"");
    }
  }
  return Error();
}

}  // namespace rocksdb_backup
