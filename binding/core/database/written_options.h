#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/database/database_options.h"
#include "rocksdb/env.h"
#include "rocksdb/options.h"

namespace rocksdb_backup {

// What the OPTIONS file says about a family, of what data depends on.
struct WrittenFamily {
  rocksdb::ColumnFamilyOptions options;
  std::string merge_operator;  // its id, also if RocksDB has none of that id
};
using WrittenOptions = std::map<std::string, WrittenFamily>;

// Nothing where there is no such directory.
Error ListDatabase(const std::string& path, rocksdb::Env* env, std::vector<std::string>* names);

// Fails where there are options and they cannot be read: without them, a database that was written with a merge
// operator opens as if nothing were wrong, and what is in its log from the first merge on is lost. A file that can be
// read and makes no sense stands in nobody's way who names a merge operator himself.
Error ReadWrittenOptions(const std::string& path, rocksdb::Env* env, const FamilyOptions& said,
                         WrittenOptions* written);

}  // namespace rocksdb_backup
