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

// This RocksDB opens what a newer RocksDB wrote, as far as it can read it. What it cannot read, for instance tables of
// an unknown format, it takes for damaged. The OPTIONS file says which version wrote a database. The tables say which
// format a reader must know.

bool IsOptionsFileName(std::string_view name);

// The newest version that these OPTIONS files name. Empty if that version is not newer than this RocksDB. nullopt if
// none of the files can be read.
std::optional<std::string> NewerVersionOf(rocksdb::FileSystem& storage, const std::vector<std::string>& options_files);

// A text such as "000012.sst is a table of format 7, and ...", for one of these files that has a format unknown to this
// RocksDB. Empty if there is no such file.
std::string UnknownTableAmong(rocksdb::FileSystem& storage, std::vector<std::string> tables);

// Remembers what was found about the backups in the repositories of this process, so that each backup is examined only
// once. A repository is named by the identity of its storage.
class KnownVersions {
 public:
  // If the version is not known, `find` looks for it; `find` returns nullopt if it failed. Time and size are compared
  // too, because the id of a deleted backup may be given to a new one.
  static std::string Of(const std::string& repository, uint32_t id, int64_t timestamp, uint64_t size,
                        const std::function<std::optional<std::string>()>& find);
  // Forgets all other backups of the repository. `ids` are sorted.
  static void Keep(const std::string& repository, const std::vector<uint32_t>& ids);
};

// Examines a database's directory, as it was listed, before the database is opened.
class NewerRocksDb {
 public:
  NewerRocksDb(rocksdb::FileSystem& storage, const std::string& directory, const std::vector<std::string>& names);

  // NEWER_ROCKSDB if there are tables that only a newer RocksDB can read. `doing` names the database.
  Error CheckTables(const std::string& doing) const;
  // Replaces an error by NEWER_ROCKSDB if a newer RocksDB wrote the database. For damage to the files that say what the
  // database consists of.
  Error Explain(Error error, const std::string& doing) const;
  // Adds to an error that means other damage that the data may not be damaged at all.
  Error Hint(Error error) const;

 private:
  Error Unreadable(const std::string& doing, const std::string& why) const;

  rocksdb::FileSystem& storage_;
  std::string directory_;
  std::string version_;  // empty: no newer RocksDB wrote this database
  std::vector<std::string> tables_;
};

}  // namespace rocksdb_backup
