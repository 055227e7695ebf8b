#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"

namespace rocksdb_backup {

// What the target of a restore holds. That decides whether anything there may be replaced.
enum class TargetHolds {
  kNothing,     // it does not exist, or it is empty
  kDatabase,    // its CURRENT names a MANIFEST that exists
  kUnfinished,  // a restore died while it moved files into place, so files named as a database's belong to one
  kOthers,      // anything else: nothing in it may be removed
};

struct TargetContents {
  TargetHolds holds = TargetHolds::kNothing;
  // The names in it, sorted. Without what restores left that died before they changed anything.
  std::vector<std::string> names;
  bool unfinished = false;  // a restore to it died while it moved files into place, here or in the logs' directory
};

// Where the staged directory for a target is made, and how its name begins.
struct StagingPlace {
  std::string parent;
  std::string prefix;
};

// Whether a database lies here: CURRENT, or the name that a restore gives it for a moment, names a MANIFEST that
// exists.
Error HoldsDatabase(const std::string& directory, bool* holds);

// `ours` is a staged directory of this restore. It is ignored.
Error LookAtTarget(const std::string& target, const StagingPlace& staging, const std::string& ours,
                   TargetContents* contents);

// Text such as "a, b, c and 4 more".
std::string SomeOf(const std::vector<std::string>& names);

// The error that a restore cannot go there at all, or not without permission to overwrite. No error if it can.
Error CheckReplaceable(const std::string& target, const TargetContents& contents, bool overwrite);

}  // namespace rocksdb_backup
