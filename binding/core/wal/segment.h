#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/wal/log_record.h"

namespace rocksdb_backup {

// A column family, as a segment knows it.
struct ArchivedFamily {
  uint32_t id = 0;
  std::string name = {};
  std::string options = {};  // as RocksDB writes them

  bool operator==(const ArchivedFamily&) const = default;
};

// The name of a segment says all that a plan of a recovery needs, so one listing is enough for it.
struct SegmentName {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t era = 0;       // 0: no batch up to here has a stamp
  uint64_t min_time = 0;  // in microseconds; that of its first batch
  uint64_t max_time = 0;

  std::string Text() const;
  static std::optional<SegmentName> Parse(std::string_view text);
  bool operator==(const SegmentName&) const = default;
};

// What a segment says of itself, beside its name.
struct SegmentHeader {
  std::string timeline;
  std::string database;                  // RocksDB's id of it
  std::string id;                        // no other segment has it
  std::string previous;                  // the id of the segment before this one; empty for the first of a timeline
  std::vector<ArchivedFamily> families;  // at its beginning
};

// Something between two batches: a column family was made or dropped.
struct ArchivedEvent {
  enum class Kind : uint8_t { kFamilyMade = 2, kFamilyDropped = 3 };
  Kind kind = Kind::kFamilyMade;
  uint64_t time = 0;
  ArchivedFamily family;
};

// Collects what goes into one segment. All of it is of one era.
class SegmentBuilder {
 public:
  SegmentBuilder(uint64_t first, uint64_t era) : next_(first) { name_ = {.first = first, .era = era}; }

  // `time` must not be before that of the batch before.
  void Add(const LoggedBatch& batch, uint64_t time);
  void Add(const ArchivedEvent& event);

  bool empty() const { return next_ == name_.first; }
  bool has_anything() const { return !records_.empty(); }
  size_t bytes() const { return records_.size(); }
  uint64_t next() const { return next_; }
  uint64_t era() const { return name_.era; }
  // After the last Add().
  SegmentName Name() const;
  std::string Text(const SegmentHeader& header) const;

 private:
  SegmentName name_;
  uint64_t next_;
  bool has_time_ = false;
  std::string records_;
};

// Reads a segment. What is damaged is SEGMENT_CORRUPT, which names the file.
class Segment {
 public:
  // `path` is for messages. Checks the whole text.
  static Error Parse(const std::string& path, const SegmentName& name, std::string text, Segment* segment);

  const SegmentName& name() const { return name_; }
  const SegmentHeader& header() const { return header_; }

  struct Visitor {
    // The stamp of a batch is its time: never before that of the batch before it.
    std::function<Error(const LoggedBatch&)> batch;
    std::function<Error(const ArchivedEvent&)> event;
  };
  // In their order, until one returns an error.
  Error ForEach(const Visitor& visitor) const;

 private:
  std::string path_;
  SegmentName name_;
  SegmentHeader header_;
  std::string text_;
  size_t records_begin_ = 0;
  size_t records_end_ = 0;
};

Error SegmentCorrupt(const std::string& path, const std::string& what);

// A text without spaces, slashes or line ends, and back: for names and lines.
std::string Escaped(std::string_view text);
std::optional<std::string> Unescaped(std::string_view text);

}  // namespace rocksdb_backup
