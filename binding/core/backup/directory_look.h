#pragma once

#include <ctime>
#include <memory>

#include "core/backup/directory_picture.h"

namespace rocksdb_backup {

struct EngineSettings;

enum class Records { kLeaveOut, kRead };

// Looks at a directory of backups: one listing, and a read of the metas (and records) that are new or have changed
// since this process last looked. A file counts as unchanged while size, times and inode are, and one that was changed
// so shortly before it was read that a clock would not tell another change is read again the next time. So what this
// returns is the directory of now, for every engine of the process, whoever has changed it.
//
// Null where only an engine can tell what is there: core/backup/directory_picture.h. Also while somebody else changes
// the directory, and on a storage that is no file system of this machine.
std::shared_ptr<const DirectoryPicture> LookAt(const EngineSettings& settings, Records records = Records::kRead,
                                               std::time_t now = std::time(nullptr));

}  // namespace rocksdb_backup
