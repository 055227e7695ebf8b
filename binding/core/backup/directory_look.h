#pragma once

#include <ctime>
#include <memory>

#include "core/backup/directory_picture.h"
#include "core/base/error.h"

namespace rocksdb_backup {

class BackupEngineSession;
struct EngineSettings;

enum class Records { kLeaveOut, kRead };

// Looks at a repository. It lists the repository once, and reads the meta files (and records) that are new or have
// changed since this process last looked. A file counts as unchanged if its size, times and inode are unchanged. If a
// file was changed so shortly before it was read that the clock would not show another change, it is read again the
// next time. So the result is the repository as it is now, for every engine of the process, no matter who changed it.
//
// Null if only a BackupEngine can tell what is there: see core/backup/directory_picture.h. Also null while another
// process changes the repository, or if the storage is neither a file system of this machine nor lists its files with
// tags.
std::shared_ptr<const DirectoryPicture> LookAt(const EngineSettings& settings, Records records = Records::kRead,
                                               std::time_t now = std::time(nullptr));

// Opens a session for reading: over a picture if there is one, otherwise with a BackupEngine.
Error OpenToRead(const EngineSettings& settings, std::shared_ptr<BackupEngineSession>* session);

}  // namespace rocksdb_backup
