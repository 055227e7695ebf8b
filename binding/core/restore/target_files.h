#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace rocksdb_backup {

// For what lies where a restore goes, and beside it: to whom it belongs, what may be removed, and what can be moved.

// Part of the name of a directory that takes a target's place when it is complete.
inline constexpr char kStagedMark[] = ".restoring-";
// Comes after kStagedMark if the database in the target is to be kept. So it is also kept if the restore dies right
// after the exchange.
inline constexpr char kKeepMark[] = "keep-";
// Comes after the name of a staged directory: what that directory has replaced.
inline constexpr char kReplacedMark[] = ".replaced";
// Lies in a staged directory until that takes the target's place. While it is there, everything beside it is ours to
// remove. It is a directory, because the BackupEngine's restore begins by deleting every file.
inline constexpr char kStagedSign[] = ".rocksdb-backup-staged";

// Take the sign's place in a staged directory whose files are moved one by one, in two phases: first the old files move
// out of the target, into the directory with kReplacedMark, then the new ones move in.
inline constexpr char kMovingOutSign[] = ".rocksdb-backup-moving-out";
inline constexpr char kMovingInSign[] = ".rocksdb-backup-moving-in";

bool HasSign(const std::string& staged);
bool HasMovingSign(const std::string& staged);
// Removes a staged directory, its sign last. If that is interrupted, the rest is still recognized as ours.
void RemoveStaged(const std::string& staged);
// If `path` is the name of a staged directory with kReplacedMark, returns that staged directory. Otherwise returns
// `path`. The staged directory is locked while its restore lives.
std::string StagedOf(const std::string& path);

// Leaves out `lost+found`, which belongs to the file system and says nothing about the use of the directory.
Error ListNames(const std::string& directory, std::vector<std::string>* names);
// The same, for cases in which the worst effect of missing a file is that the file stays.
std::vector<std::string> NamesIn(const std::string& directory);

// A symlink to a directory does not count.
bool IsDirectory(const std::string& path);

// The first name of a relative path.
std::string FirstPart(const std::string& relative_path);

// The number in the name of a database's file. 0 if there is none.
uint64_t NumberIn(const std::string& name);

bool BelongsToDatabase(const std::string& directory, const std::string& name);
bool BelongsToLogs(const std::string& directory, const std::string& name);

// Whether the database's directory holds a folder that is not the database's. A program that works in such a folder
// must not see it vanish, as it would for a moment while two directories are exchanged. `wal_inside` is the path, in
// the database's directory, of a directory for logs, or empty.
bool HasOthersFolder(const std::string& directory, const std::string& wal_inside);

// Whether the directory can only be filled and not replaced: it is a mount point, or its parent is not ours to write.
bool IsMountPointOrFixed(const std::string& directory);

// Exchanges two names in one step. False if the system cannot do that.
bool ExchangeNames(const std::string& a, const std::string& b);

// Syncs a directory, so that the names in it survive a power cut.
Error SyncDirectory(const std::string& path);
// The same for the contents of a file.
Error SyncFile(const std::string& path);

// Removes the database's files, those in its directory for logs first, and then the directories that are empty. Never
// removes anybody else's file.
void RemoveDatabase(const std::string& directory, const std::string& wal_inside);

// Removes the database's files in this directory, and then the directory if it is empty.
void RemoveDatabaseFiles(const std::string& directory);

// Opens and locks a directory. -1 if another process has the lock, or if there is no such directory. If the file system
// has no such locks, the directory is open but not locked.
int TryLockDirectory(const std::string& path, bool* locked = nullptr);
void UnlockDirectory(int fd);

// The first part of a name that is made from `name` and must fit where `name` fits. If it is cut short, it ends in a
// number computed from the whole name, so it is always the same for the same name.
std::string Shortened(const std::string& name);

}  // namespace rocksdb_backup
