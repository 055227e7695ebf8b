#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "rocksdb/db.h"

namespace rocksdb_backup {

// Finds out to which database files belong. RocksDB gives each database an id when it is made (db_id). The id is in
// MANIFESTs (by default since RocksDB 9.7), in the properties of tables, and in a file IDENTITY, which no backup has. A
// restored database and an opened checkpoint have the id of the database that they come from, so here they count as
// that database.

// Whether the text counts as an id: printable, without spaces, of a reasonable length. Any other text is treated as no
// id.
bool IsDatabaseId(std::string_view id);

// The id of an open database. Empty if RocksDB does not know it.
std::string DatabaseIdOf(const rocksdb::DB& db);

// The id in a MANIFEST. Empty if there is none.
std::string DatabaseIdInManifest(rocksdb::FileSystem& files, const std::string& path);

// The database id of a backup that has no record of it. It is taken from the backup's MANIFEST, or else from the newest
// table that has one. Empty if no file has one. `names` are relative to the repository.
std::string DatabaseIdOfFiles(const EngineSettings& settings, const std::vector<std::string>& names);

// The id of the database in a directory, whether the database is open or not. Empty if there is no database, or no file
// has an id.
std::string DatabaseIdAt(const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory);

// Whether tables of this open database were written under one of these ids. A database that was restored from a backup
// whose MANIFEST has no id gets a new id when it is opened, and keeps the tables with the old id.
bool HasTablesOf(rocksdb::DB& db, const std::vector<std::string>& ids);
// The same, for the database in a directory.
bool HasTablesOf(const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory,
                 const std::string& id);

}  // namespace rocksdb_backup
