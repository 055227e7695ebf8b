#include "core/wal/segment.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/base/checksum.h"
#include "core/base/text.h"
#include "core/wal/fixed_hex.h"

// A segment is
//   the magic, the length of the header, the header: lines of text
//   records: a kind, a length, and then, for
//     a batch:  its count of operations, its time, the operations as RocksDB writes them
//     an event: its time, then lines of text
//   the CRC32C of everything before it, the magic again
// All numbers are little-endian.

namespace rocksdb_backup {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "RDBSEG1\n";
constexpr std::string_view kEnding = ".seg";
constexpr uint8_t kBatch = 1;

template <class Number>
void Append(std::string* text, Number number) {
  text->append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <class Number>
bool Take(std::string_view* text, Number* number) {
  if (text->size() < sizeof *number) {
    return false;
  }
  std::memcpy(number, text->data(), sizeof *number);
  text->remove_prefix(sizeof *number);
  return true;
}

std::string FamilyText(const ArchivedFamily& family) {
  return std::to_string(family.id) + " " + Escaped(family.name) + " " + Escaped(family.options);
}

bool ParseFamily(std::string_view text, ArchivedFamily* family) {
  const bool has_id = ToNumber(TakeUntil(' ', &text), &family->id);
  const auto name = Unescaped(TakeUntil(' ', &text));
  const auto options = Unescaped(text);
  if (!has_id || !name || !options) {
    return false;
  }
  family->name = *name;
  family->options = *options;
  return true;
}

std::string HeaderText(const SegmentHeader& header, uint64_t era) {
  std::string text = "timeline " + Escaped(header.timeline) + "\nera " + FixedHex(era) + "\ndatabase " +
                     Escaped(header.database) + "\nid " + Escaped(header.id) + "\nprevious " +
                     Escaped(header.previous) + "\n";
  for (const ArchivedFamily& family : header.families) {
    text += "family " + FamilyText(family) + "\n";
  }
  return text;
}

bool ParseHeader(std::string_view text, uint64_t era, SegmentHeader* header) {
  bool has_era = false;
  while (!text.empty()) {
    std::string_view line = TakeUntil('\n', &text);
    const std::string_view key = TakeUntil(' ', &line);
    if (key == "family") {
      if (!ParseFamily(line, &header->families.emplace_back())) {
        return false;
      }
      continue;
    }
    const auto value = Unescaped(line);
    if (!value) {
      return false;
    }
    if (key == "timeline") {
      header->timeline = *value;
    } else if (key == "era") {
      has_era = *value == FixedHex(era);
    } else if (key == "database") {
      header->database = *value;
    } else if (key == "id") {
      header->id = *value;
    } else if (key == "previous") {
      header->previous = *value;
    }
  }
  return has_era && !header->timeline.empty() && !header->id.empty();
}

}  // namespace

std::string Escaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string escaped;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte > ' ' && byte < 127 && each != '%' && each != '/') {
      escaped += each;
    } else {
      escaped += '%';
      escaped += kDigits[byte >> 4];
      escaped += kDigits[byte & 15];
    }
  }
  return escaped;
}

std::optional<std::string> Unescaped(std::string_view text) {
  std::string unescaped;
  while (!text.empty()) {
    if (text.front() != '%') {
      unescaped += text.front();
      text.remove_prefix(1);
      continue;
    }
    uint8_t byte = 0;
    const char* const end = text.data() + 3;
    if (text.size() < 3 || std::from_chars(text.data() + 1, end, byte, 16).ptr != end) {
      return std::nullopt;
    }
    unescaped += static_cast<char>(byte);
    text.remove_prefix(3);
  }
  return unescaped;
}

std::string SegmentName::Text() const {
  return FixedHex(first) + "-" + FixedHex(last) + "-" + FixedHex(era) + "-" + FixedHex(min_time) + "-" +
         FixedHex(max_time) + std::string(kEnding);
}

std::optional<SegmentName> SegmentName::Parse(std::string_view text) {
  if (!text.ends_with(kEnding)) {
    return std::nullopt;
  }
  text.remove_suffix(kEnding.size());
  SegmentName name;
  for (uint64_t* number : {&name.first, &name.last, &name.era, &name.min_time, &name.max_time}) {
    if (!ParseFixedHex(TakeUntil('-', &text), number)) {
      return std::nullopt;
    }
  }
  return text.empty() && name.first <= name.last && name.min_time <= name.max_time ? std::optional(name) : std::nullopt;
}

void SegmentBuilder::Add(const LoggedBatch& batch, uint64_t time) {
  if (!has_time_) {
    name_.min_time = time;
    has_time_ = true;
  }
  name_.max_time = time;
  next_ = batch.last() + 1;
  Append(&records_, kBatch);
  Append(&records_, static_cast<uint32_t>(sizeof batch.count + sizeof time + batch.operations.size()));
  Append(&records_, batch.count);
  Append(&records_, time);
  records_ += batch.operations;
}

void SegmentBuilder::Add(const ArchivedEvent& event) {
  const std::string text = FamilyText(event.family);
  Append(&records_, static_cast<uint8_t>(event.kind));
  Append(&records_, static_cast<uint32_t>(sizeof event.time + text.size()));
  Append(&records_, event.time);
  records_ += text;
}

SegmentName SegmentBuilder::Name() const {
  SegmentName name = name_;
  name.last = next_ - 1;
  return name;
}

std::string SegmentBuilder::Text(const SegmentHeader& header) const {
  const std::string header_text = HeaderText(header, name_.era);
  std::string text;
  text.reserve(kMagic.size() + 8 + header_text.size() + records_.size() + kMagic.size());
  text += kMagic;
  Append(&text, static_cast<uint32_t>(header_text.size()));
  text += header_text;
  text += records_;
  Append(&text, ChecksumOf(text));
  text += kMagic;
  return text;
}

Error SegmentCorrupt(const std::string& path, const std::string& what) {
  return Error("SEGMENT_CORRUPT", "the segment " + path + " is damaged: " + what).With("path", path);
}

Error Segment::Parse(const std::string& path, const SegmentName& name, std::string text, Segment* segment) {
  constexpr size_t kTrailer = sizeof(uint32_t) + kMagic.size();
  std::string_view rest = text;
  uint32_t header_bytes = 0;
  if (text.size() < kMagic.size() + sizeof header_bytes + kTrailer || !rest.starts_with(kMagic)) {
    return SegmentCorrupt(path, "it does not begin as a segment does");
  }
  if (!rest.ends_with(kMagic)) {
    return SegmentCorrupt(path, "its end is missing");
  }
  rest.remove_suffix(kMagic.size());
  std::string_view trailer = rest.substr(rest.size() - sizeof(uint32_t));
  rest.remove_suffix(sizeof(uint32_t));
  uint32_t checksum = 0;
  Take(&trailer, &checksum);
  if (checksum != ChecksumOf(rest)) {
    return SegmentCorrupt(path, "its checksum does not match");
  }
  const size_t records_end = rest.size();
  rest.remove_prefix(kMagic.size());
  Take(&rest, &header_bytes);
  SegmentHeader header;
  if (header_bytes > rest.size() || !ParseHeader(rest.substr(0, header_bytes), name.era, &header)) {
    return SegmentCorrupt(path, "its header cannot be read, or belongs to another name");
  }
  segment->path_ = path;
  segment->name_ = name;
  segment->header_ = std::move(header);
  segment->records_begin_ = kMagic.size() + sizeof header_bytes + header_bytes;
  segment->records_end_ = records_end;
  segment->text_ = std::move(text);
  // The name is no part of what the checksum covers.
  uint64_t next = name.first;
  uint64_t min_time = 0;
  uint64_t max_time = 0;
  bool in_order = true;
  Error error = segment->ForEach({.batch =
                                      [&](const LoggedBatch& batch) {
                                        min_time = next == name.first ? batch.stamp.micros : min_time;
                                        in_order = in_order && batch.stamp.micros >= max_time;
                                        max_time = batch.stamp.micros;
                                        next = batch.last() + 1;
                                        return Error();
                                      },
                                  .event = [](const ArchivedEvent&) { return Error(); }});
  if (error.ok() && (next != name.last + 1 || min_time != name.min_time || max_time != name.max_time || !in_order)) {
    error = SegmentCorrupt(path, "it holds other writes than its name says");
  }
  return error;
}

Error Segment::ForEach(const Visitor& visitor) const {
  std::string_view rest = std::string_view(text_).substr(records_begin_, records_end_ - records_begin_);
  uint64_t next = name_.first;
  while (!rest.empty()) {
    uint8_t kind = 0;
    uint32_t length = 0;
    if (!Take(&rest, &kind) || !Take(&rest, &length) || length > rest.size()) {
      return SegmentCorrupt(path_, "a record has no end");
    }
    std::string_view body = rest.substr(0, length);
    rest.remove_prefix(length);
    Error error;
    if (kind == kBatch) {
      LoggedBatch batch{.first = next, .stamp = {.era = name_.era}};
      if (!Take(&body, &batch.count) || !Take(&body, &batch.stamp.micros)) {
        return SegmentCorrupt(path_, "a batch cannot be read");
      }
      batch.operations = body;
      next += batch.count;
      error = visitor.batch(batch);
    } else {
      ArchivedEvent event;
      event.kind = static_cast<ArchivedEvent::Kind>(kind);
      const bool known =
          event.kind == ArchivedEvent::Kind::kFamilyMade || event.kind == ArchivedEvent::Kind::kFamilyDropped;
      if (!known || !Take(&body, &event.time) || !ParseFamily(body, &event.family)) {
        return SegmentCorrupt(path_, "an event cannot be read");
      }
      error = visitor.event(event);
    }
    if (!error.ok()) {
      return error;
    }
  }
  return Error();
}

}  // namespace rocksdb_backup
