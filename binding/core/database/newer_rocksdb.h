#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// What a newer RocksDB wrote, this one opens where it can read it, and takes for damaged where it cannot: tables of a
// format that it does not know, for instance. Who wrote it says the OPTIONS file; what it needs say the tables.

bool IsOptionsFileName(std::string_view name);

// The newest version that these OPTIONS files name: empty where that is not newer than this RocksDB, nothing where none
// of them can be read.
std::optional<std::string> NewerVersionOf(rocksdb::FileSystem& storage, const std::vector<std::string>& options_files);

// "000012.sst is a table of format 7, and ...", of the first of these files that this RocksDB has no format for. Empty:
// none.
std::string UnknownTableAmong(rocksdb::FileSystem& storage, std::vector<std::string> tables);

// What has been found of the backups of this process's directories, so that it is looked for once.
class KnownVersions {
 public:
  // `find` looks, if it is not known: nothing where that failed. A backup's id is given again, with another time or
  // size.
  static std::string Of(const std::string& directory, uint32_t id, int64_t timestamp, uint64_t size,
                        const std::function<std::optional<std::string>()>& find);
  // Forgets all others of the directory. `ids` are sorted.
  static void Keep(const std::string& directory, const std::vector<uint32_t>& ids);
};

// A database's directory as it was listed, before it is opened.
class NewerRocksDb {
 public:
  NewerRocksDb(rocksdb::FileSystem& storage, const std::string& directory, const std::vector<std::string>& names);

  // NEWER_ROCKSDB if there are tables that only a newer RocksDB reads. `doing` names the database.
  Error CheckTables(const std::string& doing) const;
  // NEWER_ROCKSDB in place of damage to what says what the database consists of.
  Error Explain(Error error, const std::string& doing) const;
  // Other damage may be none: says so.
  Error Hint(Error error) const;

 private:
  Error Unreadable(const std::string& doing, const std::string& why) const;

  rocksdb::FileSystem& storage_;
  std::string version_;  // empty: no newer RocksDB was at work
  std::vector<std::string> tables_;
};

}  // namespace rocksdb_backup
