#include "core/restore/restored_options.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "rocksdb/env.h"

namespace rocksdb_backup {
namespace {

constexpr std::string_view kPrefix = "OPTIONS-";
constexpr std::string_view kSection = "[DBOptions]\n";
constexpr std::string_view kField = "  wal_dir=";

// Sets *path to the newest OPTIONS file. It stays empty if there is none.
Error FindOptionsFile(const std::string& directory, std::string* path) {
  std::string newest;
  std::error_code failed;
  std::filesystem::directory_iterator entry(directory, failed);
  for (const std::filesystem::directory_iterator end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    const std::string_view number = std::string_view(name).substr(std::min(kPrefix.size(), name.size()));
    if (name.rfind(kPrefix, 0) == 0 && number.find_first_not_of("0123456789") == std::string_view::npos &&
        // The numbers have no upper bound and may begin with zeros.
        (number.size() > newest.size() || (number.size() == newest.size() && number > newest))) {
      newest = number;
    }
  }
  if (failed) {
    return Error::System("reading the directory of a restored database, " + directory, failed.value())
        .With("path", directory);
  }
  if (!newest.empty()) {
    *path = directory + "/" + std::string(kPrefix) + newest;
  }
  return Error();
}

// Escapes the characters that would end a value, as RocksDB does.
std::string Escaped(const std::string& value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\n') {
      escaped += "\\n";
    } else if (c == '\r') {
      escaped += "\\r";
    } else {
      escaped += c == '\\' || c == '#' || c == ':' ? std::string{'\\', c} : std::string{c};
    }
  }
  return escaped;
}

// RocksDB writes the place of the log only if it is not the database's directory.
std::string WithPlaceOfLog(std::string text, const std::string& wal_dir) {
  const std::string line = wal_dir.empty() ? "" : std::string(kField) + Escaped(wal_dir) + "\n";
  if (const size_t field = text.find(kField); field != std::string::npos) {
    const size_t end = text.find('\n', field);
    return text.replace(field, (end == std::string::npos ? text.size() : end + 1) - field, line);
  }
  if (const size_t section = text.find(kSection); section != std::string::npos) {
    text.insert(section + kSection.size(), line);
  }
  return text;
}

}  // namespace

Error WriteWalDirToOptions(const std::string& database_dir, const std::string& wal_dir, bool sync) {
  std::string path;
  if (Error error = FindOptionsFile(database_dir, &path); !error.ok() || path.empty()) {
    return error;
  }
  rocksdb::Env* const env = rocksdb::Env::Default();
  std::string text;
  rocksdb::Status status = rocksdb::ReadFileToString(env, path, &text);
  const std::string changed = status.ok() ? WithPlaceOfLog(text, wal_dir) : text;
  if (changed != text) {
    const std::string temporary = path + ".dbtmp";  // RocksDB removes this file if it is left behind
    status = rocksdb::WriteStringToFile(env, changed, temporary, sync);
    if (status.ok()) {
      status = env->RenameFile(temporary, path);
    }
  }
  return Error::From(status, "writing the directory of the restored log to " + path).With("path", path);
}

}  // namespace rocksdb_backup
