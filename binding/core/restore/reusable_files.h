#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_record.h"
#include "core/base/operation.h"

namespace rocksdb_backup {

// A file of the database in a restore's target that is also in the backup, and so need not be copied.
struct ReusableFile {
  std::string in_backup;    // relative to the repository
  std::string in_database;  // its name
  uint64_t size = 0;
};

// How much proof is needed. A restore links such a file into the new database, so a wrong file would make a wrong
// database.
enum class Proof {
  // A table's own properties say which file it is: its number in which session of which database. No two tables share
  // that. The properties of both tables are read, the backup's and the database's, and their sizes are compared. Damage
  // inside the table is not seen. A table that was made outside of a database may be written to when it is ingested, so
  // such tables are not taken.
  kIdentity,
  // In addition, the whole file is read, and its checksum must be that of the backup's file. So blob files can be
  // checked, too.
  kChecksum,
};

// `place` puts a candidate where nobody can replace it by another file in the meantime, and returns its path there. An
// empty path means that it cannot. Files that are not proved are left out. With kChecksum, the bytes that are read
// count as the operation's progress.
using PlaceFile = std::function<std::string(const std::string& in_database)>;
std::vector<ReusableFile> FindReusableFiles(const EngineSettings& settings, const BackupDescription& backup,
                                            const std::vector<RecordedFile>& known, const std::string& database_dir,
                                            Proof proof, Operation& operation, const PlaceFile& place);

}  // namespace rocksdb_backup
