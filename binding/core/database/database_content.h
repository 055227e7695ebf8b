#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "rocksdb/db.h"

namespace rocksdb_backup {

// Names what a database holds, so that two moments can be compared: where both parts are equal, a backup made at one
// of them has all that the database holds at the other. Something that does not change what can be read (a flush, a
// compaction) may change the names.
struct DatabaseContent {
  // Its identity, the number of its last write, its column families, their files, and its OPTIONS file. While there is
  // something in memory, also the session that wrote it: numbers of writes are given again after a restore. Costs no
  // read of a table file.
  std::string state;
  // Which tables these are: RocksDB gives file numbers again after a restore too, but never a session and number.
  // Empty if that is not known, as with tables of RocksDB before 6.12: such databases cannot be compared.
  std::string tables;
  // Whether some of it is in memory, and in a log or nowhere else.
  bool in_memory = false;
};

enum class ContentParts { kState, kAll };

Error DescribeContent(rocksdb::DB* db, const std::vector<rocksdb::ColumnFamilyHandle*>& families, ContentParts parts,
                      DatabaseContent* content);

}  // namespace rocksdb_backup
