#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"

namespace rocksdb_backup {

// The options of one column family, with the parts from which its table factory is made.
struct FamilyOptions {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  double bloom_filter_bits = 10;  // per key; 0: no filter
  // What was not said is taken from the database itself: see Database::Open.
  bool has_comparator = false;
  bool has_merge_operator = false;
  // Options by RocksDB's own names, applied last: what was said for the whole database, then what was said for the
  // family.
  std::map<std::string, std::string> common_raw;
  std::map<std::string, std::string> raw;

  // For a family of its own options: all of this, until it says otherwise.
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
  FamilyOptions family;                  // of every family that is not named here:
  std::map<std::string, FamilyOptions> families;

  // As many open files as fit: see OpenFilesThatFit.
  static constexpr int kMaxOpenFilesByLimit = -2;

  DatabaseOptions() {
    db.create_if_missing = true;
    db.max_open_files = kMaxOpenFilesByLimit;
  }
};

// How many files a database with these files keeps open if nobody said: all of them (-1), which is fastest, while it
// could have four times as many; otherwise half of what the process may open, as it has other files too.
int OpenFilesThatFit(const std::vector<std::string>& files);

// Makes RocksDB's options out of ours. Options by name go where RocksDB has one of that name: the database, the family
// or its block-based tables. An unknown one, or a bad value, is RocksDB's own error. `db` is null for a family of its
// own options, which cannot change the database's.
Error Resolve(const FamilyOptions& options, const std::shared_ptr<rocksdb::Cache>& cache, rocksdb::DBOptions* db,
              rocksdb::ColumnFamilyOptions* resolved);

}  // namespace rocksdb_backup
