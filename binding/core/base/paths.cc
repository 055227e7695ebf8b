#include "core/base/paths.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <system_error>

namespace rocksdb_backup {
namespace {

namespace fs = std::filesystem;

bool HasPrefix(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

// Whether `name` is decimal digits followed by `ending`.
bool IsNumbered(std::string_view name, std::string_view ending) {
  return name.size() > ending.size() && name.substr(name.size() - ending.size()) == ending &&
         AllDigits(name.substr(0, name.size() - ending.size()));
}

}  // namespace

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string CleanPath(const std::string& path) {
  std::string clean = fs::path(path).lexically_normal().string();
  while (clean.size() > 1 && clean.back() == '/') {
    clean.pop_back();
  }
  return clean;
}

std::string RealPath(const std::string& path) {
  std::error_code ignored;
  const fs::path absolute = fs::absolute(path, ignored);
  const fs::path real = fs::weakly_canonical(absolute, ignored);
  return CleanPath(real.empty() ? absolute.string() : real.string());
}

bool IsInside(const std::string& path, const std::string& directory) {
  if (directory == "/") {
    return path.size() > 1;
  }
  return path.size() > directory.size() + 1 && path.compare(0, directory.size(), directory) == 0 &&
         path[directory.size()] == '/';
}

std::string ParentOf(const std::string& clean_path) {
  const size_t slash = clean_path.find_last_of('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : clean_path.substr(0, slash);
}

std::string MetaName(uint32_t id) { return "meta/" + std::to_string(id); }

std::string MetaDirectory(const std::string& root) { return root + "/meta"; }
std::string PrivateDirectory(const std::string& root) { return root + "/private"; }

bool IsSharedDirectory(const std::string& root, const std::string& clean_path) {
  return std::any_of(std::begin(kSharedParts), std::end(kSharedParts),
                     [&](const char* part) { return clean_path == root + "/" + part; });
}

bool IsInRepositoryPart(const std::string& root, const std::string& clean_path) {
  const auto is_in = [&](const std::string& part) { return clean_path == part || IsInside(clean_path, part); };
  return is_in(MetaDirectory(root)) || is_in(PrivateDirectory(root)) ||
         std::any_of(std::begin(kSharedParts), std::end(kSharedParts),
                     [&](const char* part) { return is_in(root + "/" + part); });
}

std::string MetaPath(const std::string& backup_dir, uint32_t id) { return backup_dir + "/" + MetaName(id); }

std::string PrivatePath(const std::string& backup_dir, uint32_t id) {
  return backup_dir + "/private/" + std::to_string(id);
}

bool IsTemporaryMetaName(const std::string& name) {
  return name.size() > 5 && name.front() == '.' && IsNumbered(std::string_view(name).substr(1), ".tmp");
}

bool IsPrivateName(const std::string& name) { return AllDigits(name) && name.front() != '0'; }

uint32_t BackupIdOf(const std::string& name) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  return error == std::errc() && name == std::to_string(id) ? id : 0;
}

std::string NameOf(const std::string& clean_path) {
  const size_t slash = clean_path.find_last_of('/');
  return slash == std::string::npos ? clean_path : clean_path.substr(slash + 1);
}

bool IsWalFileName(const std::string& name) { return IsNumbered(name, ".log"); }

bool IsDatabaseFileName(const std::string& name) {
  static constexpr std::array<std::string_view, 4> kPlain = {"CURRENT", "LOCK", "IDENTITY", "LOG"};
  for (const auto& plain : kPlain) {
    if (name == plain) {
      return true;
    }
  }
  for (const char* ending : {".sst", ".ldb", ".blob", ".log", ".dbtmp"}) {
    if (IsNumbered(name, ending)) {
      return true;
    }
  }
  std::string_view view = name;
  if (HasPrefix(view, "OPTIONS-") && view.ends_with(".dbtmp")) {
    view.remove_suffix(sizeof(".dbtmp") - 1);
  }
  for (const std::string_view prefix : {"MANIFEST-", "OPTIONS-", "LOG.old.", "METADB-"}) {
    if (HasPrefix(view, prefix)) {
      return AllDigits(view.substr(prefix.size()));
    }
  }
  return view == "LOG.old" || view == "CURRENT.tmp" || view == "IDENTITY.dbtmp" || view == "rocksdb-backup.archive" ||
         view == "rocksdb-backup.archive.tmp";
}

std::string DatabaseFileName(const std::string& backup_relative_path) {
  const size_t slash = backup_relative_path.find_last_of('/');
  std::string name = slash == std::string::npos ? backup_relative_path : backup_relative_path.substr(slash + 1);
  if (!HasPrefix(backup_relative_path, "shared_checksum/")) {
    return name;
  }
  const size_t underscore = name.find('_');
  const size_t dot = name.find_last_of('.');
  if (underscore == std::string::npos || dot == std::string::npos || dot < underscore) {
    return "";
  }
  return name.substr(0, underscore) + name.substr(dot);
}

uint64_t SizeInName(const std::string& backup_relative_path) {
  if (!HasPrefix(backup_relative_path, "shared_checksum/")) {
    return kNoSizeInName;
  }
  const size_t first = backup_relative_path.find('_', sizeof("shared_checksum"));
  const size_t last = backup_relative_path.find_last_of('_');
  const size_t dot = backup_relative_path.find_last_of('.');
  // A name with only one underscore consists of a number and a session id, without a size.
  if (first == std::string::npos || first == last || dot == std::string::npos || dot < last) {
    return kNoSizeInName;
  }
  const std::string digits = backup_relative_path.substr(last + 1, dot - last - 1);
  if (!AllDigits(digits) || digits.size() > 19) {
    return kNoSizeInName;
  }
  return std::stoull(digits);
}

std::string HumanBytes(uint64_t bytes) {
  // Decimal units with three digits, as lib/base/units.ts shows sizes.
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  snprintf(text, sizeof(text), "%.3g %s", value, kUnits[unit]);
  return text;
}

}  // namespace rocksdb_backup
