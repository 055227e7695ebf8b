#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/storage/archive_files.h"
#include "core/wal/segment.h"

namespace rocksdb_backup {

// A backup from which a timeline can be replayed.
struct ArchiveBase {
  uint64_t sequence = 0;    // the backup has no write after this one
  uint64_t has_all_to = 0;  // and every write up to this one
  uint32_t backup_id = 0;
  uint64_t backup_time = 0;  // of the backup, in seconds: an id is given again when the last backup was deleted

  bool operator==(const ArchiveBase&) const = default;
};

// A moment that somebody gave a name.
struct NamedPoint {
  uint64_t sequence = 0;  // the last write before it
  uint64_t time = 0;      // of that write
  std::string name = {};
};

// Why a timeline begins.
enum class TimelineReason { kFirst, kRestored, kGap, kBehind, kOtherProgram, kUnloggedWrite, kFamilies };
std::string TextOf(TimelineReason reason);

// One unbroken history of a database.
struct Timeline {
  uint64_t id = 0;
  uint64_t parent = 0;  // 0: none
  uint64_t begins = 0;  // its first sequence number
  // A moment at which the write before `begins` had been made, and no later one: nothing earlier can be recovered.
  uint64_t era = 0;
  uint64_t begun = 0;  // in microseconds since 1970
  TimelineReason reason = TimelineReason::kFirst;
  // In the order of the log, each beginning where the one before it ends, unless some are missing. Of segments that
  // hold the same, the widest.
  std::vector<SegmentName> segments = {};
  std::vector<ArchiveBase> bases = {};  // in the order of their sequence numbers
  std::vector<NamedPoint> points = {};  // likewise
  uint64_t bytes = 0;                   // of all its files

  // The last write that it has; begins - 1 if it has none.
  uint64_t last() const { return segments.empty() ? begins - 1 : segments.back().last; }
};

// The archive of a repository. Its files lie in `wal`, in a directory for each timeline. Their names say all that
// they are, so that one listing tells everything but the writes themselves:
//   start-<parent>-<first sequence>-<era>-<time>-<reason>
//   <first>-<last>-<era>-<first time>-<last time>.seg
//   base-<sequence>-<sequence before it began>-<backup id>-<time of the backup>
//   point-<sequence>-<time>-<name>
class Archive {
 public:
  // `name` is that of the repository, for messages.
  Archive(std::shared_ptr<ArchiveFiles> files, std::string name) : files_(std::move(files)), name_(std::move(name)) {}

  const std::string& name() const { return name_; }

  // In the order of their ids.
  Error List(std::vector<Timeline>* timelines);
  // Gives the timeline its id: the next one.
  Error Begin(Timeline* timeline);
  // ARCHIVE_FORKED if the archive has another segment of this name.
  Error Write(uint64_t timeline, const SegmentName& segment, std::shared_ptr<const std::string> text);
  Error Read(uint64_t timeline, const SegmentName& segment, Segment* read);
  Error AddBase(uint64_t timeline, const ArchiveBase& base);
  // The same again is no error.
  Error AddPoint(uint64_t timeline, const NamedPoint& point);
  // Removes what no recovery can need: segments from before the first backup of their timeline that `has_backup` knows,
  // and timelines that have none, except the newest. `removed` counts files.
  Error RemoveUnreachable(const std::function<bool(const ArchiveBase&)>& has_backup, uint64_t* removed);

 private:
  Error ListWith(std::vector<ArchiveFiles::Listed>* files, std::vector<Timeline>* timelines);

  const std::shared_ptr<ArchiveFiles> files_;
  const std::string name_;
};

}  // namespace rocksdb_backup
