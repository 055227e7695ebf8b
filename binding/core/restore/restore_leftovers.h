#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace rocksdb_backup {

// What was left by restores whose processes died. A running restore holds a lock on its staged directory.

// What happens to the database that was in the target, if its restore died after the exchange.
enum class Replaced { kRemoved, kKept };

// Removes what restores to `target` left in `parent` under names that begin with `prefix`. That includes what a restore
// left that died while it moved files into place, which may be all that is left of a database. So this may only be
// called after another database was put in place.
void RemoveStale(const std::string& parent, const std::string& prefix, const std::string& target, Replaced old);

// What dead restores to `target` that moved files one by one left in it and in `parent`.
struct HalfMoved {
  bool was_to_keep = false;  // one of them was to keep the old database
  bool new_files = false;    // the target's files are some of the new database's. The old database is elsewhere, whole
};

// Moves the old database's files back into `target`, if a dead restore had moved only some of them out. So they lie
// together again.
Error BringBackOld(const std::string& parent, const std::string& prefix, const std::string& target, HalfMoved* found);

struct RestoreLeftover {
  std::string path;
  uint64_t bytes = 0;
  // True if the restore had changed nothing yet, so that this is only a copy. False if it died while it moved files
  // into place: what lies here may be all that is left of a database, and it is left to the next restore to the same
  // target.
  bool unfinished = false;
  bool removed = false;
};

// Finds what restores to any target in `parent` left there. kRemove removes what is unfinished.
enum class Leftovers { kList, kRemove };
Error FindLeftovers(const std::string& parent, Leftovers what, std::vector<RestoreLeftover>* found);
// The same, also in the targets themselves, where files are moved one by one.
Error FindAllLeftovers(const std::string& parent, Leftovers what, std::vector<RestoreLeftover>* found);

// A path that nothing has yet, for a replaced database that is kept: beside the target if that can be written and is on
// the same file system, otherwise in it.
std::string PathToKeep(const std::string& target);

}  // namespace rocksdb_backup
