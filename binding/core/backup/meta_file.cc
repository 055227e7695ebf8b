#include "core/backup/meta_file.h"

#include <algorithm>

#include "core/base/text.h"

namespace rocksdb_backup {
namespace {

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  if (digit >= 'A' && digit <= 'F') {
    return digit - 'A' + 10;
  }
  return -1;
}

bool FromHex(std::string_view hex, std::string* bytes) {
  if (hex.empty() || hex.size() % 2 != 0) {
    return false;
  }
  bytes->reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]);
    const int low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) {
      return false;
    }
    bytes->push_back(static_cast<char>(high << 4 | low));
  }
  return true;
}

bool IsPlainName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char byte) { return byte > ' ' && byte < 0x7f; });
}

// The lines are: [schema_version 2.…], time, sequence number, [metadata HEX], number of files. Removes them from the
// text.
bool ParseHead(std::string_view* text, BackupMeta* meta, bool* fields, uint32_t* files) {
  constexpr std::string_view kVersion = "schema_version ";
  constexpr std::string_view kMetadata = "metadata ";
  std::string_view line = TakeUntil('\n', text);
  *fields = line.substr(0, kVersion.size()) == kVersion;
  if (*fields) {
    line.remove_prefix(kVersion.size());
    if (line != "2" && line.substr(0, 2) != "2.") {
      return false;
    }
    line = TakeUntil('\n', text);
  }
  uint64_t sequence = 0;
  if (!ToNumber(line, &meta->timestamp) || !ToNumber(TakeUntil('\n', text), &sequence)) {
    return false;
  }
  line = TakeUntil('\n', text);
  if (line.substr(0, kMetadata.size()) == kMetadata) {
    if (!FromHex(line.substr(kMetadata.size()), &meta->app_metadata)) {
      return false;
    }
    line = TakeUntil('\n', text);
  }
  return ToNumber(line, files);
}

// Parses `name crc32 N`; with `fields` also `name[ size N][ temp T][ ni::excluded true]` in any order. Returns false
// for any other line, after taking from it what can be read.
bool ParseEntry(std::string_view line, bool fields, BackupMeta::Entry* entry) {
  entry->name = TakeUntil(' ', &line);
  bool plain = IsPlainName(entry->name) && (line.empty() || line.back() != ' ');
  bool temperature = false;
  bool decided = false;
  while (!line.empty()) {
    const std::string_view field = TakeUntil(' ', &line);
    const bool last = line.empty();
    const std::string_view value = TakeUntil(' ', &line);
    plain = plain && !last && !value.empty();
    if (field == "crc32") {
      uint32_t checksum = 0;
      const bool good = ToNumber(value, &checksum) && value == std::to_string(checksum);
      plain = plain && good && !entry->checksum;
      if (good) {
        entry->checksum = checksum;
      }
    } else if (field == "size") {
      uint64_t size = 0;
      const bool good = ToNumber(value, &size);
      plain = plain && good && !entry->size;
      if (good) {
        entry->size = size;
      }
    } else if (field == "temp") {
      plain = plain && !temperature;
      temperature = true;
    } else if (field == "ni::excluded") {
      entry->excluded |= value == "true";
      plain = plain && !decided && (value == "true" || value == "false");
      decided = true;
    } else {
      plain = false;
    }
  }
  return plain && (fields || (entry->checksum && !entry->size && !temperature && !decided));
}

}  // namespace

BackupMeta ParseMeta(std::string_view text) {
  BackupMeta meta;
  const std::string_view all = text;
  bool fields = false;
  uint32_t files = 0;
  const bool good_head = ParseHead(&text, &meta, &fields, &files);
  meta.plain = good_head && text.data() > all.data() && text.data()[-1] == '\n' && (text.empty() || all.back() == '\n');
  if (good_head) {
    meta.entries.reserve(std::min<size_t>(files, text.size() / 2));
  } else {
    text = all;
  }
  size_t included = 0;
  while (!text.empty()) {
    // A BackupEngine ignores what follows the last newline.
    BackupMeta::Entry entry;
    meta.plain &= ParseEntry(TakeUntil('\n', &text), fields, &entry);
    if (entry.name.find('/') == std::string_view::npos) {
      meta.plain = false;
      continue;
    }
    included += entry.excluded ? 0 : 1;
    meta.entries.push_back(entry);
  }
  meta.plain &= included == files;
  return meta;
}

}  // namespace rocksdb_backup
