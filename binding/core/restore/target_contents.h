#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"

namespace rocksdb_backup {

// What lies where a restore is to go: that decides whether anything there may be replaced.
enum class TargetHolds {
  kNothing,     // it does not exist, or is empty
  kDatabase,    // its CURRENT names a MANIFEST that is there
  kUnfinished,  // a restore died while it put its files in place: what looks like a database's is one's
  kOthers,      // none of these: nothing in it may be removed
};

struct TargetContents {
  TargetHolds holds = TargetHolds::kNothing;
  // By name, sorted. Without what restores that died before they changed anything have left.
  std::vector<std::string> names;
  bool unfinished = false;  // a restore to it died while it put its files in place, here or in the logs' directory
};

// Where a staged directory for `target` is made, and how its name begins.
struct StagingPlace {
  std::string parent;
  std::string prefix;
};

// Whether a database lies here: CURRENT, or what a restore makes of it for a moment, names a MANIFEST that is there.
Error HoldsDatabase(const std::string& directory, bool* holds);

// `ours`: a staged directory of this restore, which is not looked at.
Error LookAtTarget(const std::string& target, const StagingPlace& staging, const std::string& ours,
                   TargetContents* contents);

// "a, b, c and 4 more".
std::string SomeOf(const std::vector<std::string>& names);

// That a restore cannot go there without the leave to overwrite, or at all; nothing where it can.
Error CheckReplaceable(const std::string& target, const TargetContents& contents, bool overwrite);

}  // namespace rocksdb_backup
