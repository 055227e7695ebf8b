#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/database/database_options.h"
#include "rocksdb/env.h"
#include "rocksdb/options.h"

namespace rocksdb_backup {

// What the OPTIONS file says about a family, as far as the data depends on it.
struct WrittenFamily {
  rocksdb::ColumnFamilyOptions options;
  std::string merge_operator;  // its id, even if RocksDB has no merge operator of that id
};
using WrittenOptions = std::map<std::string, WrittenFamily>;

// The names in the directory. Empty if the directory does not exist.
Error ListDatabase(const std::string& path, rocksdb::Env* env, std::vector<std::string>* names);

// Fails if there is an OPTIONS file and it cannot be read. Without the options, a database that was written with a
// merge operator opens as if nothing were wrong, but everything in its log from the first merge on is lost. If the file
// can be read but makes no sense, the call succeeds only if `said` names a merge operator.
Error ReadWrittenOptions(const std::string& path, rocksdb::Env* env, const FamilyOptions& said,
                         WrittenOptions* written);

}  // namespace rocksdb_backup
