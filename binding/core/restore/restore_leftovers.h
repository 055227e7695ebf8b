#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace rocksdb_backup {

// What restores left whose processes died. A running one holds a lock on its staged directory.

// What becomes of a database that was in the target, where its restore died after the exchange.
enum class Replaced { kRemoved, kKept };

// Left by restores to `target`, with a name in `parent` that begins so: also what died while files took their places,
// which may be all that there is of a database. That is for who has put another in place.
void RemoveStale(const std::string& parent, const std::string& prefix, const std::string& target, Replaced old);

struct RestoreLeftover {
  std::string path;
  uint64_t bytes = 0;
  // It had changed nothing yet, so it is only a copy. Else it died while files took their places, and what lies here
  // may be all that there is of a database: then it is for the next restore to the same target.
  bool unfinished = false;
  bool removed = false;
};

// Left in `parent` by restores to whatever target in it; and what is unfinished of it is removed.
enum class Leftovers { kList, kRemove };
Error FindLeftovers(const std::string& parent, Leftovers what, std::vector<RestoreLeftover>* found);

// A name in `parent` for a replaced database that is kept: nothing has it yet.
std::string NameToKeep(const std::string& parent, const std::string& target);

}  // namespace rocksdb_backup
