#include "core/wal/archive.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/base/text.h"
#include "core/wal/fixed_hex.h"

namespace rocksdb_backup {
namespace {

constexpr std::string_view kStart = "start-";
constexpr std::string_view kBase = "base-";
constexpr std::string_view kPoint = "point-";

constexpr std::array<std::string_view, 7> kReasons{"first",         "restored",       "gap",     "behind",
                                                   "other-program", "unlogged-write", "families"};

std::string DirectoryOf(uint64_t timeline) { return std::string(kArchiveDirectory) + "/" + FixedHex(timeline); }

bool TakeHex(std::string_view* text, uint64_t* number) { return ParseFixedHex(TakeUntil('-', text), number); }

bool ParseStart(std::string_view text, Timeline* timeline) {
  if (!TakeHex(&text, &timeline->parent) || !TakeHex(&text, &timeline->begins) || !TakeHex(&text, &timeline->era) ||
      !TakeHex(&text, &timeline->begun)) {
    return false;
  }
  const auto* const reason = std::find(kReasons.begin(), kReasons.end(), text);
  timeline->reason = static_cast<TimelineReason>(reason - kReasons.begin());
  return reason != kReasons.end();
}

std::optional<ArchiveBase> ParseBase(std::string_view text) {
  ArchiveBase base;
  uint64_t id = 0;
  if (!TakeHex(&text, &base.sequence) || !TakeHex(&text, &base.has_all_to) || !TakeHex(&text, &id) ||
      !TakeHex(&text, &base.backup_time) || !text.empty()) {
    return std::nullopt;
  }
  base.backup_id = static_cast<uint32_t>(id);
  return base.backup_id == id ? std::optional(base) : std::nullopt;
}

std::optional<NamedPoint> ParsePoint(std::string_view text) {
  NamedPoint point;
  if (!TakeHex(&text, &point.sequence) || !TakeHex(&text, &point.time)) {
    return std::nullopt;
  }
  auto name = Unescaped(text);
  if (!name) {
    return std::nullopt;
  }
  point.name = std::move(*name);
  return point;
}

// Leaves out segments whose writes are all in others.
void KeepWidest(std::vector<SegmentName>* segments) {
  std::sort(segments->begin(), segments->end(), [](const SegmentName& a, const SegmentName& b) {
    return std::tuple(a.first, ~a.last, a.era) < std::tuple(b.first, ~b.last, b.era);
  });
  uint64_t last = 0;
  std::erase_if(*segments, [&](const SegmentName& segment) {
    const bool has_new = segment.last > last;
    last = std::max(last, segment.last);
    return !has_new;
  });
}

}  // namespace

std::string TextOf(TimelineReason reason) { return std::string(kReasons[static_cast<size_t>(reason)]); }

Error Archive::List(std::vector<Timeline>* timelines) {
  std::vector<ArchiveFiles::Listed> files;
  return ListWith(&files, timelines);
}

Error Archive::ListWith(std::vector<ArchiveFiles::Listed>* listed, std::vector<Timeline>* timelines) {
  std::vector<ArchiveFiles::Listed>& files = *listed;
  if (Error error = files_->List(kArchiveDirectory, &files); !error.ok()) {
    return error;
  }
  std::map<uint64_t, Timeline> found;
  for (const ArchiveFiles::Listed& file : files) {
    std::string_view path = file.path;
    TakeUntil('/', &path);
    uint64_t id = 0;
    if (!ParseFixedHex(TakeUntil('/', &path), &id)) {
      continue;
    }
    Timeline& timeline = found[id];
    timeline.bytes += file.size;
    if (path.starts_with(kStart) && ParseStart(path.substr(kStart.size()), &timeline)) {
      timeline.id = id;
    } else if (const auto segment = SegmentName::Parse(path)) {
      timeline.segments.push_back(*segment);
    } else if (path.starts_with(kBase)) {
      if (const auto base = ParseBase(path.substr(kBase.size()))) {
        timeline.bases.push_back(*base);
      }
    } else if (path.starts_with(kPoint)) {
      if (auto point = ParsePoint(path.substr(kPoint.size()))) {
        timeline.points.push_back(std::move(*point));
      }
    }
  }
  timelines->clear();
  for (auto& [id, timeline] : found) {
    if (timeline.id == 0) {
      continue;
    }
    KeepWidest(&timeline.segments);
    const auto by_sequence = [](const auto& a, const auto& b) { return a.sequence < b.sequence; };
    std::stable_sort(timeline.bases.begin(), timeline.bases.end(), by_sequence);
    std::stable_sort(timeline.points.begin(), timeline.points.end(), by_sequence);
    timelines->push_back(std::move(timeline));
  }
  return Error();
}

Error Archive::Begin(Timeline* timeline) {
  // Somebody else may take an id at the same time, under another name.
  std::vector<Timeline> others;
  if (Error error = List(&others); !error.ok()) {
    return error;
  }
  timeline->id = others.empty() ? 1 : others.back().id + 1;
  for (;; ++timeline->id) {
    const std::string directory = DirectoryOf(timeline->id);
    Error error = files_->WriteNew(directory + "/id", std::make_shared<const std::string>("timeline\n"));
    if (error.code() == "FILE_EXISTS") {
      continue;
    }
    return error.ok() ? files_->WriteNew(directory + "/" + std::string(kStart) + FixedHex(timeline->parent) + "-" +
                                             FixedHex(timeline->begins) + "-" + FixedHex(timeline->era) + "-" +
                                             FixedHex(timeline->begun) + "-" + TextOf(timeline->reason),
                                         std::make_shared<const std::string>("start\n"))
                      : error;
  }
}

Error Archive::Write(uint64_t timeline, const SegmentName& segment, std::shared_ptr<const std::string> text) {
  const std::string path = DirectoryOf(timeline) + "/" + segment.Text();
  Error error = files_->WriteNew(path, text);
  if (error.code() != "FILE_EXISTS") {
    return error;
  }
  // Perhaps we wrote it, and the answer was lost.
  std::string there;
  if (Error unread = files_->Read(path, &there); !unread.ok()) {
    return unread;
  }
  return there == *text ? Error()
                        : Error("ARCHIVE_FORKED", name_ + "/" + path +
                                                      " was written by another process: two copies of one database "
                                                      "are archived to one timeline")
                              .With("path", name_ + "/" + path);
}

Error Archive::Read(uint64_t timeline, const SegmentName& segment, Segment* read) {
  const std::string path = DirectoryOf(timeline) + "/" + segment.Text();
  std::string text;
  if (Error error = files_->Read(path, &text); !error.ok()) {
    return error.code() == "FILE_MISSING"
               ? SegmentCorrupt(name_ + "/" + path, "it was there when the archive was listed, and is gone")
               : error;
  }
  return Segment::Parse(name_ + "/" + path, segment, std::move(text), read);
}

Error Archive::AddBase(uint64_t timeline, const ArchiveBase& base) {
  Error error = files_->WriteNew(DirectoryOf(timeline) + "/" + std::string(kBase) + FixedHex(base.sequence) + "-" +
                                     FixedHex(base.has_all_to) + "-" + FixedHex(base.backup_id) + "-" +
                                     FixedHex(base.backup_time),
                                 std::make_shared<const std::string>("base\n"));
  return error.code() == "FILE_EXISTS" ? Error() : error;
}

Error Archive::RemoveUnreachable(const std::function<bool(const ArchiveBase&)>& has_backup, uint64_t* removed) {
  std::vector<ArchiveFiles::Listed> files;
  std::vector<Timeline> timelines;
  if (Error error = ListWith(&files, &timelines); !error.ok()) {
    return error;
  }
  std::vector<std::string> unreachable;
  for (const Timeline& timeline : timelines) {
    std::optional<uint64_t> needed_after;
    for (const ArchiveBase& base : timeline.bases) {
      if (has_backup(base)) {
        needed_after = needed_after ? std::min(*needed_after, base.has_all_to) : base.has_all_to;
      }
    }
    if (!needed_after && timeline.id == timelines.back().id) {
      continue;  // its first backup is still to come
    }
    const std::string directory = DirectoryOf(timeline.id) + "/";
    for (const ArchiveFiles::Listed& file : files) {
      if (!file.path.starts_with(directory)) {
        continue;
      }
      const auto segment = SegmentName::Parse(std::string_view(file.path).substr(directory.size()));
      if (segment ? !needed_after || segment->last <= *needed_after : !needed_after) {
        unreachable.push_back(file.path);
      }
    }
  }
  *removed = unreachable.size();
  return unreachable.empty() ? Error() : files_->Remove(unreachable);
}

Error Archive::AddPoint(uint64_t timeline, const NamedPoint& point) {
  Error error = files_->WriteNew(DirectoryOf(timeline) + "/" + std::string(kPoint) + FixedHex(point.sequence) + "-" +
                                     FixedHex(point.time) + "-" + Escaped(point.name),
                                 std::make_shared<const std::string>("point\n"));
  return error.code() == "FILE_EXISTS" ? Error() : error;
}

}  // namespace rocksdb_backup
