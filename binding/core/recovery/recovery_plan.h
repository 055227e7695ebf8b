#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/base/error.h"
#include "core/wal/archive.h"

namespace rocksdb_backup {

// The moment to go back to.
struct RecoveryTarget {
  enum class Kind {
    kLatest,    // all that is in the archive
    kSequence,  // after the write with this sequence number
    kTime,      // with every write that was acknowledged by then, and none that began later
  };
  Kind kind = Kind::kLatest;
  uint64_t sequence = 0;
  uint64_t time = 0;      // in microseconds since 1970
  uint64_t timeline = 0;  // 0: any; with kSequence and kLatest, the newest
  uint64_t era = 0;       // 0: any
};

// What a recovery will do. Made from the names in the archive, and from the one segment that holds the target.
struct RecoveryPlan {
  Timeline timeline;
  ArchiveBase base;
  uint64_t sequence = 0;  // that of the last write that the recovered database has
  uint64_t time = 0;      // of that write; 0: unknown
  uint64_t era = 0;
  std::vector<SegmentName> segments;  // that are replayed after the base, in their order
};

// TARGET_BEFORE_WINDOW, TARGET_AFTER_WINDOW, ARCHIVE_GAP, AMBIGUOUS_TIME, or ARCHIVE_EMPTY if there is no archive.
// `backups` are those of the repository.
Error PlanRecovery(Archive& archive, const std::vector<BackupDescription>& backups, const RecoveryTarget& target,
                   RecoveryPlan* plan);

// Whether one of the backups is this base.
bool IsBaseOfOne(const std::vector<BackupDescription>& backups, const ArchiveBase& base);

// `2026-11-28T14:02:59.123456Z`.
std::string TimeText(uint64_t micros);

}  // namespace rocksdb_backup
