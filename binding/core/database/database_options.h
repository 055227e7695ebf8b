#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/database/commit_clock.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"

namespace rocksdb_backup {

// The options of one column family, and the parts of which its table factory is made.
struct FamilyOptions {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  double bloom_filter_bits = 10;  // bits for each key; 0: no filter
  // If false, the database's own comparator or merge operator is used: see Database::Open.
  bool has_comparator = false;
  bool has_merge_operator = false;
  // Options by RocksDB's own names. They are applied last: first the options for the whole database, then the options
  // for this family.
  std::map<std::string, std::string> common_raw;
  std::map<std::string, std::string> raw;

  // For a family with options of its own: a copy of these options, to start from.
  FamilyOptions Inherited() const {
    FamilyOptions options = *this;
    options.common_raw.merge(options.raw);
    options.raw.clear();
    return options;
  }
};

struct DatabaseOptions {
  enum class Mode { kReadWrite, kReadOnly, kSecondary };

  Mode mode = Mode::kReadWrite;
  std::string secondary_path;
  rocksdb::DBOptions db;
  bool keep_options_file = false;        // see kept_options.h
  size_t cache_size = size_t{32} << 20;  // RocksDB's default; one cache for all families
  FamilyOptions family;                  // for every family that is not in `families`
  std::map<std::string, FamilyOptions> families;

  // The log is archived (core/wal/archiver.h): every batch gets a stamp, and RocksDB keeps logs until they are removed.
  bool archive = false;
  CommitClock::Sources archive_clocks = CommitClock::SystemClocks();

  // With kWhenRead, a table is opened when it is first read, and the last kMostOpenTables of them stay open. For a
  // database whose files are far away: to open a table costs a request, and memory for its index and filter as long as
  // it is open. Damage of a table is then found when it is read, and not when the database is opened.
  enum class OpenTables { kAtOnce, kWhenRead };
  OpenTables open_tables = OpenTables::kAtOnce;
  static constexpr int kMostOpenTables = 1000;

  // Keep as many files open as fit: see OpenFilesThatFit.
  static constexpr int kMaxOpenFilesByLimit = -2;

  DatabaseOptions() {
    db.create_if_missing = true;
    db.max_open_files = kMaxOpenFilesByLimit;
  }
};

// How many files a database with these files keeps open if the options do not say it. All files (-1), which is fastest,
// as long as the process may open four times as many. Otherwise half of what the process may open, because it has other
// files open too.
int OpenFilesThatFit(const std::vector<std::string>& files);

// Makes RocksDB's options from ours. An option given by name is applied where RocksDB has an option of that name: the
// database, the family, or its block-based tables. For an unknown name or a bad value, RocksDB's own error is returned.
// `db` is null for a family with options of its own, which cannot change the database's options.
Error Resolve(const FamilyOptions& options, const std::shared_ptr<rocksdb::Cache>& cache, rocksdb::DBOptions* db,
              rocksdb::ColumnFamilyOptions* resolved);

}  // namespace rocksdb_backup
