#include "core/recovery/recovery_plan.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <utility>

#include "core/wal/fixed_hex.h"

namespace rocksdb_backup {
namespace {

// A stretch of one era, and the timeline's segments in it: the first stretch may have none.
struct Era {
  uint64_t id = 0;
  size_t begin = 0;
  size_t end = 0;
  uint64_t min_time = 0;
  uint64_t max_time = 0;
};

std::vector<Era> ErasOf(const Timeline& timeline) {
  std::vector<Era> eras{{.id = timeline.era, .min_time = timeline.begun, .max_time = timeline.begun}};
  for (size_t i = 0; i < timeline.segments.size(); ++i) {
    const SegmentName& segment = timeline.segments[i];
    if (segment.era == 0) {
      continue;  // nobody knows when these were written
    }
    if (eras.back().id != segment.era) {
      eras.push_back({.id = segment.era, .begin = i, .end = i, .min_time = segment.min_time, .max_time = 0});
    }
    eras.back().end = i + 1;
    eras.back().max_time = segment.max_time;
  }
  return eras;
}

// A place in the archive at which it was the time that is looked for.
struct Moment {
  const Timeline* timeline = nullptr;
  uint64_t era = 0;
  std::optional<size_t> segment;  // the last one that begins by then; none: the timeline had no write yet
};

void FindMoments(const Timeline& timeline, const RecoveryTarget& target, std::vector<Moment>* moments) {
  const std::vector<Era> eras = ErasOf(timeline);
  for (size_t i = 0; i < eras.size(); ++i) {
    const Era& era = eras[i];
    const bool in_era = era.min_time <= target.time && target.time <= era.max_time;
    // After the last write of an era and before the first of the next, the database was as that last write left it.
    const bool in_pause = era.max_time < target.time && i + 1 < eras.size() && target.time < eras[i + 1].min_time;
    if ((!in_era && !in_pause) || (target.era != 0 && target.era != era.id)) {
      continue;
    }
    size_t segments = era.begin;  // that begin by then
    while (segments < era.end && timeline.segments[segments].min_time <= target.time) {
      ++segments;
    }
    moments->push_back({&timeline, era.id, segments == 0 ? std::nullopt : std::optional(segments - 1)});
  }
}

std::string NameOfTimeline(const Timeline& timeline) { return "timeline " + std::to_string(timeline.id); }

class Planner {
 public:
  Planner(Archive& archive, const std::vector<BackupDescription>& backups, const RecoveryTarget& target,
          RecoveryPlan* plan)
      : archive_(archive), backups_(backups), target_(target), plan_(*plan) {}

  Error Run() {
    if (Error error = archive_.List(&timelines_); !error.ok()) {
      return error;
    }
    if (target_.timeline != 0) {
      std::erase_if(timelines_, [&](const Timeline& each) { return each.id != target_.timeline; });
    }
    if (timelines_.empty()) {
      return Fail("ARCHIVE_EMPTY", target_.timeline == 0
                                       ? "has no archive: no database was opened with it as its archive"
                                       : "has no timeline " + std::to_string(target_.timeline));
    }
    const Timeline* timeline = &timelines_.back();
    Error error;
    switch (target_.kind) {
      case RecoveryTarget::Kind::kLatest:
        plan_.sequence = timeline->last();
        break;
      case RecoveryTarget::Kind::kSequence:
        plan_.sequence = target_.sequence;
        break;
      case RecoveryTarget::Kind::kTime:
        error = FindTime(&timeline);
        break;
    }
    return error.ok() ? Complete(*timeline) : error;
  }

 private:
  Error Fail(std::string code, const std::string& what) const {
    return Error(std::move(code), archive_.name() + " " + what).With("path", archive_.name());
  }

  Error FindTime(const Timeline** timeline) {
    std::vector<Moment> moments;
    for (const Timeline& each : timelines_) {
      FindMoments(each, target_, &moments);
    }
    if (moments.empty()) {
      return OutsideOfAll();
    }
    if (moments.size() > 1) {
      std::string places;
      for (const Moment& moment : moments) {
        places += (places.empty() ? "" : ", ") + NameOfTimeline(*moment.timeline) + " era " + FixedHex(moment.era) +
                  " at sequence " +
                  std::to_string(moment.segment ? moment.timeline->segments[*moment.segment].first
                                                : moment.timeline->begins - 1);
      }
      return Fail("AMBIGUOUS_TIME",
                  "has " + TimeText(target_.time) + " more than once, because a clock was set back: " + places)
          .Advise("chooseEra");
    }
    const Moment& found = moments.front();
    *timeline = found.timeline;
    plan_.sequence = found.timeline->begins - 1;
    if (!found.segment) {
      return Error();
    }
    Segment segment;
    if (Error error = archive_.Read(found.timeline->id, found.timeline->segments[*found.segment], &segment);
        !error.ok()) {
      return error;
    }
    plan_.sequence = segment.name().first - 1;
    return segment.ForEach({.batch =
                                [&](const LoggedBatch& batch) {
                                  if (batch.stamp.micros <= target_.time) {
                                    plan_.sequence = batch.last();
                                  }
                                  return Error();
                                },
                            .event = [](const ArchivedEvent&) { return Error(); }});
  }

  // No timeline was written at that time.
  Error OutsideOfAll() const {
    uint64_t before = 0;  // the last moment before it
    uint64_t after = UINT64_MAX;
    const Timeline* next = nullptr;
    for (const Timeline& timeline : timelines_) {
      for (const Era& era : ErasOf(timeline)) {
        if (era.max_time < target_.time) {
          before = std::max(before, era.max_time);
        } else if (era.min_time > target_.time && era.min_time < after) {
          after = era.min_time;
          next = &timeline;
        }
      }
    }
    const std::string wanted = TimeText(target_.time);
    if (before == 0) {
      return Fail("TARGET_BEFORE_WINDOW", "begins after " + wanted + ", at " + TimeText(after))
          .With("from", TimeText(after));
    }
    if (next == nullptr) {
      return Fail("TARGET_AFTER_WINDOW",
                  "ends before " + wanted + ": the last write that it has is of " + TimeText(before))
          .With("to", TimeText(before))
          .Advise("recoverLatest");
    }
    return Fail("ARCHIVE_GAP", "has nothing of " + wanted + ": there is a gap from " + TimeText(before) + " to " +
                                   TimeText(after) + " (" + TextOf(next->reason) + ")")
        .With("from", TimeText(before))
        .With("to", TimeText(after));
  }

  // The base and the segments for a sequence number.
  Error Complete(const Timeline& timeline) {
    const std::string wanted = "sequence number " + std::to_string(plan_.sequence);
    if (plan_.sequence > timeline.last()) {
      return Fail("TARGET_AFTER_WINDOW",
                  NameOfTimeline(timeline) + " ends before " + wanted + ", at " + std::to_string(timeline.last()))
          .With("lastSequence", timeline.last())
          .Advise("recoverLatest");
    }
    std::optional<ArchiveBase> base;
    std::optional<uint64_t> earliest;
    for (const ArchiveBase& each : timeline.bases) {
      if (IsBaseOfOne(backups_, each)) {
        earliest = earliest ? std::min(*earliest, each.sequence) : each.sequence;
        if (each.sequence <= plan_.sequence) {
          base = each;
        }
      }
    }
    if (!base) {
      return Fail("TARGET_BEFORE_WINDOW", earliest ? "has no backup to recover " + wanted +
                                                         " from: the earliest that is recoverable in " +
                                                         NameOfTimeline(timeline) + " is " + std::to_string(*earliest)
                                                   : "has no backup to recover " + NameOfTimeline(timeline) + " from");
    }
    plan_.base = *base;
    plan_.timeline = timeline;
    uint64_t next = base->sequence + 1;
    for (const SegmentName& segment : timeline.segments) {
      if (segment.last < next) {
        plan_.time = segment.max_time;
        plan_.era = segment.era;
        continue;
      }
      if (next > plan_.sequence) {
        break;
      }
      if (segment.first > next) {
        return Gap(timeline, next, segment);
      }
      plan_.segments.push_back(segment);
      plan_.time = segment.max_time;
      plan_.era = segment.era;
      next = segment.last + 1;
    }
    return next > plan_.sequence ? Error() : Gap(timeline, next, std::nullopt);
  }

  Error Gap(const Timeline& timeline, uint64_t from, const std::optional<SegmentName>& next) const {
    const uint64_t to = next ? next->first : timeline.last() + 1;
    return Fail("ARCHIVE_GAP", "lacks the writes from sequence number " + std::to_string(from) + " up to " +
                                   std::to_string(to - 1) + " of " + NameOfTimeline(timeline) +
                                   ": segments are missing")
        .With("firstSequence", from)
        .With("lastSequence", to - 1);
  }

  Archive& archive_;
  const std::vector<BackupDescription>& backups_;
  const RecoveryTarget& target_;
  RecoveryPlan& plan_;
  std::vector<Timeline> timelines_;
};

}  // namespace

Error PlanRecovery(Archive& archive, const std::vector<BackupDescription>& backups, const RecoveryTarget& target,
                   RecoveryPlan* plan) {
  *plan = {};
  return Planner(archive, backups, target, plan).Run();
}

bool IsBaseOfOne(const std::vector<BackupDescription>& backups, const ArchiveBase& base) {
  return std::any_of(backups.begin(), backups.end(), [&](const BackupDescription& backup) {
    return backup.id == base.backup_id && static_cast<uint64_t>(backup.timestamp) == base.backup_time;
  });
}

std::string TimeText(uint64_t micros) {
  constexpr uint64_t kSecond = 1'000'000;
  const auto seconds = static_cast<time_t>(micros / kSecond);
  struct tm utc = {};
  gmtime_r(&seconds, &utc);
  char text[40];
  const size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::string fraction = std::to_string(micros % kSecond);
  return std::string(text, length) + "." + std::string(6 - fraction.size(), '0') + fraction + "Z";
}

}  // namespace rocksdb_backup
