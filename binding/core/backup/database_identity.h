#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "rocksdb/db.h"

namespace rocksdb_backup {

// Which database files are of. RocksDB gives each database an id when it is made (db_id). It is in MANIFESTs (by
// default since RocksDB 9.7), in the properties of tables, and in a file IDENTITY, which no backup has. A restored
// database and an opened checkpoint have the id of the database they come from: here they are that database.

// What is taken for an id: printable, without spaces, of a reasonable length. Another one is as good as none.
bool IsDatabaseId(std::string_view id);

// The id of an open database; empty where RocksDB does not know it.
std::string DatabaseIdOf(const rocksdb::DB& db);

// The id in a MANIFEST; empty where it has none.
std::string DatabaseIdInManifest(rocksdb::FileSystem& files, const std::string& path);

// Of a backup that has no record of it, by its files: by its MANIFEST, or else by its newest table that tells. Empty
// where nothing does. `names` are relative to the backup directory.
std::string DatabaseIdOfFiles(const EngineSettings& settings, const std::vector<std::string>& names);

// Of the database in a directory, whether or not somebody has it open; empty where there is none, or nothing tells.
std::string DatabaseIdAt(const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory);

// Whether tables of this open database were written under one of these ids: a database that was restored from a backup
// whose MANIFEST has no id gets a new one when it is opened, and goes on with the tables of the old.
bool HasTablesOf(rocksdb::DB& db, const std::vector<std::string>& ids);
// The same of the database in a directory.
bool HasTablesOf(const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory,
                 const std::string& id);

}  // namespace rocksdb_backup
