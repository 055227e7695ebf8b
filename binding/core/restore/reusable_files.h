#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_record.h"
#include "core/base/operation.h"

namespace rocksdb_backup {

// A file of the database in a restore's target that is one of the backup's, and so need not be copied.
struct ReusableFile {
  std::string in_backup;    // relative to the backup directory
  std::string in_database;  // name
  uint64_t size = 0;
};

// How sure it must be. A restore links such a file into the new database: a wrong one would be a wrong database.
enum class Proof {
  // A table's own properties say which file it is: of which database's which session the how many'th, which no two
  // tables share. Both are read, that of the backup and that of the database, and the size is compared. Damage inside
  // of the table is not seen. Tables that were made outside of a database can be written to when they are ingested,
  // and are not taken.
  kIdentity,
  // The whole file is read besides, and has the checksum that the backup's has. So blob files can be told, too.
  kChecksum,
};

// `place` puts a candidate where it cannot be exchanged for another meanwhile, and says where that is; an empty path:
// it cannot. What is not proved is left out. With kChecksum what is read counts as the operation's progress.
using PlaceFile = std::function<std::string(const std::string& in_database)>;
std::vector<ReusableFile> FindReusableFiles(const EngineSettings& settings, const BackupDescription& backup,
                                            const std::vector<RecordedFile>& known, const std::string& database_dir,
                                            Proof proof, Operation& operation, const PlaceFile& place);

}  // namespace rocksdb_backup
