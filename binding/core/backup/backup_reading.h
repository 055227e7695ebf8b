#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_record.h"
#include "core/storage/directory_lock.h"

namespace rocksdb_backup {

// What restore and verify begin with.

// A backup is damaged: `damaged_files` of it, where that is known.
Error Unrestorable(const EngineSettings& settings, uint32_t id, const std::string& why,
                   std::vector<std::string> damaged_files = {});

// The engine ends at the first damage it finds, and does not always say where. All that is found, or the first that is:
// `first` where nothing is.
enum class Damage { kAll, kFirst };
Error NameDamage(const EngineSettings& settings, uint32_t id, const std::optional<BackupRecord>& record,
                 const std::shared_ptr<Operation>& to_read, Damage damage, Error first);

// Opens an engine on a backup that stays while `lock` is held: locked first and looked at then, as whoever deletes it,
// and gives its id to another, may do so in between. 0 is the latest that is readable. Without `engine` the session has
// one only where it cannot do without.
Error OpenBackup(const EngineSettings& settings, const std::shared_ptr<Operation>& operation,
                 ObservedFileSystem::Count count_backup, ObservedFileSystem::Count count_database, uint32_t wanted,
                 DirectoryLock* lock, std::shared_ptr<BackupEngineSession>* session, BackupDescription* backup,
                 bool engine = true);

// What looks like damage may be that the backup is not there any more: then that.
Error LossOr(const DirectoryLock& reading, Error error);

// Names that no engine writes make the engine throw, or write where it should not. And the sizes of the files, as they
// were recorded; where there is no record, the size in a shared file's name is the one trace of it, as metas hold none.
Error CheckFiles(const EngineSettings& settings, const BackupDescription& backup,
                 const std::optional<BackupRecord>& record);

}  // namespace rocksdb_backup
