#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "rocksdb/db.h"

namespace rocksdb_backup {

// A description of what a database holds, for comparing two moments. If `state` and `tables` are equal at two moments,
// a backup made at one of them has everything that the database holds at the other. An action that does not change what
// can be read, such as a flush or a compaction, may still change the description.
struct DatabaseContent {
  // The database's identity, the sequence number of its last write, its column families, their files, and its OPTIONS
  // file. If something is in memory, also the session that wrote it, because sequence numbers are used again after a
  // restore. Computing it reads no table file.
  std::string state;
  // Which tables these are. After a restore RocksDB uses file numbers again too, but it never uses a session and number
  // again. Empty if that is not known, as for tables of RocksDB before 6.12; such databases cannot be compared.
  std::string tables;
  // Whether some of the content is in memory, and apart from that in a log or nowhere.
  bool in_memory = false;
};

enum class ContentParts { kState, kAll };

Error DescribeContent(rocksdb::DB* db, const std::vector<rocksdb::ColumnFamilyHandle*>& families, ContentParts parts,
                      DatabaseContent* content);

}  // namespace rocksdb_backup
