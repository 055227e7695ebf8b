#pragma once

#include <string>
#include <vector>

#include "core/error.h"

namespace rocksdb_backup {

// What lies where a restore goes, and beside it: whose it is, what may be removed, and what can be moved.

// In the name of a directory that takes a target's place once it is whole.
inline constexpr char kStagedMark[] = ".restoring-";
// Behind a staged directory's name: what it takes the place of.
inline constexpr char kReplacedMark[] = ".replaced";
// In a staged directory until it takes the target's place: all beside it is ours to remove. A directory, because the
// engine's restore begins with deleting every file.
inline constexpr char kStagedSign[] = ".rocksdb-backup-staged";

bool HasSign(const std::string& staged);

// `lost+found` is the file system's own and says nothing about a directory's use.
Error ListNames(const std::string& directory, std::vector<std::string>* names);

// A link to one is none.
bool IsDirectory(const std::string& path);

bool BelongsToDatabase(const std::string& directory, const std::string& name);
bool BelongsToLogs(const std::string& directory, const std::string& name);

// What works in a folder of its own below a database's directory must not see it vanish, as it would for a moment while
// two directories change places. `wal_inside`: the path in it of a directory for logs, or empty.
bool HasOthersFolder(const std::string& directory, const std::string& wal_inside);

// Whether it can only be filled, and not be replaced: a mount point, or in a directory that is not ours to write.
bool IsMountPointOrFixed(const std::string& directory);

// Puts each in the other's place in one step. False where the system cannot.
bool ExchangeNames(const std::string& a, const std::string& b);

// So that names in it outlive a power cut.
Error SyncDirectory(const std::string& path);
// The same of what is in a file.
Error SyncFile(const std::string& path);

// Removes what is the database's, in the logs' directory in it first, and then what is empty: never anybody else's
// file.
void RemoveDatabase(const std::string& directory, const std::string& wal_inside);

// Left by a restore to `target` whose process died, with a name in `parent` that begins so. A running one holds a lock
// on its directory. With `unfinished_only` what had not begun to take the target's place; else also what then was on
// either side, which may be all that there is of a database: that is for who has put another in place.
void RemoveStale(const std::string& parent, const std::string& prefix, const std::string& target, bool unfinished_only);

// The directory, locked, or -1 where somebody else has the lock or there is no such directory. Where the file system
// has no such locks it is open and not locked.
int TryLockDirectory(const std::string& path, bool* locked = nullptr);
void UnlockDirectory(int fd);

// The beginning of a name that is made of `name` and must fit where `name` fits: cut short it ends in a number made of
// all of it, always the same one.
std::string Shortened(const std::string& name);

}  // namespace rocksdb_backup
