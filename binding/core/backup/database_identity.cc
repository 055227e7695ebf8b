#include "core/backup/database_identity.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string_view>
#include <utility>

#include "core/base/checksum.h"
#include "core/base/paths.h"
#include "rocksdb/sst_file_reader.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::IOOptions;

// A MANIFEST is a log of edits, in blocks. RocksDB writes an edit that has the id first.
constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;  // checksum, length, type
constexpr char kWholeRecord = 1;
constexpr uint32_t kDatabaseIdTag = (1 << 13) + 1;

// How many tables are read at most to find one that has an id.
constexpr size_t kTablesAsked = 8;
constexpr size_t kOwnTablesAsked = 64;

uint32_t Fixed32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

// The form in which RocksDB stores a checksum beside its data.
uint32_t Masked(uint32_t checksum) { return ((checksum >> 15) | (checksum << 17)) + 0xa282ead8U; }

bool TakeVarint(std::string_view* bytes, uint32_t* value) {
  *value = 0;
  for (uint32_t shift = 0; shift < 32 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    *value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      return true;
    }
  }
  return false;
}

std::string IdOrNone(std::string_view text) { return IsDatabaseId(text) ? std::string(text) : ""; }

// An edit that has the id begins with it.
std::string IdInEdit(std::string_view edit) {
  uint32_t tag = 0;
  uint32_t length = 0;
  const bool has_id = TakeVarint(&edit, &tag) && tag == kDatabaseIdTag && TakeVarint(&edit, &length);
  return has_id && length <= edit.size() ? IdOrNone(edit.substr(0, length)) : "";
}

// Only for a table that a database wrote itself.
std::string IdInTable(rocksdb::Env* env, const std::string& path) {
  rocksdb::Options options;
  options.env = env;
  try {
    rocksdb::SstFileReader reader(options);
    if (!reader.Open(path).ok()) {
      return "";
    }
    return IdOrNone(reader.GetTableProperties()->db_id);  // others have "SST Writer" or "DB Repairer"
  } catch (const std::exception&) {
    return "";  // a forged file can claim to have blocks of any size
  }
}

std::string ReadBeginning(rocksdb::FileSystem& files, const std::string& path, size_t bytes) {
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  if (!files.NewSequentialFile(path, FileOptions(), &file, nullptr).ok()) {
    return "";
  }
  const auto buffer = std::make_unique_for_overwrite<char[]>(bytes);
  rocksdb::Slice read;
  return file->Read(bytes, IOOptions(), &read, buffer.get(), nullptr).ok() ? read.ToString() : "";
}

std::string WithoutNewline(std::string text) {
  if (text.ends_with('\n')) {
    text.pop_back();
  }
  return text;
}

bool IsTable(std::string_view name) { return name.ends_with(".sst"); }

// By number: `000123.sst` is older than `1000000.sst`.
bool IsNewer(const std::string& a, const std::string& b) { return a.size() == b.size() ? a > b : a.size() > b.size(); }

// `tables` are names and directories. The oldest tables are read: those that were there when the database was restored.
bool AnyWrittenUnder(rocksdb::Env* env, std::vector<std::pair<std::string, std::string>> tables,
                     const std::vector<std::string>& ids) {
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) { return IsNewer(b.first, a.first); });
  tables.resize(std::min(tables.size(), kOwnTablesAsked));
  return std::any_of(tables.begin(), tables.end(), [&](const auto& table) {
    const std::string id = IdInTable(env, table.second + "/" + table.first);
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  });
}

}  // namespace

bool IsDatabaseId(std::string_view id) {
  constexpr size_t kLongest = 128;  // RocksDB's own ids have 36 characters
  return !id.empty() && id.size() <= kLongest &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::string DatabaseIdOf(const rocksdb::DB& db) {
  std::string id;
  return db.GetDbIdentity(id).ok() ? IdOrNone(id) : "";
}

std::string DatabaseIdInManifest(rocksdb::FileSystem& files, const std::string& path) {
  const std::string block = ReadBeginning(files, path, kBlockBytes);
  std::string_view left = block;
  while (left.size() > kHeaderBytes) {
    const uint32_t checksum = Fixed32(left);
    const size_t length = static_cast<unsigned char>(left[4]) | static_cast<unsigned char>(left[5]) << 8;
    const std::string_view checked = left.substr(kHeaderBytes - 1, length + 1);  // the type and the record
    if (left[6] != kWholeRecord || checked.size() != length + 1 || Masked(ChecksumOf(checked)) != checksum) {
      return "";
    }
    if (std::string id = IdInEdit(checked.substr(1)); !id.empty()) {
      return id;
    }
    left.remove_prefix(kHeaderBytes + length);
  }
  return "";
}

std::string DatabaseIdOfFiles(const EngineSettings& settings, const std::vector<std::string>& names) {
  const auto files = settings.files();
  const std::string directory = settings.root() + "/";
  std::vector<std::pair<std::string, std::string>> tables;  // names in the database, and in the repository
  for (const auto& name : names) {
    const std::string file = DatabaseFileName(name);
    if (file.starts_with("MANIFEST-")) {
      if (std::string id = DatabaseIdInManifest(*files, directory + name); !id.empty()) {
        return id;
      }
    } else if (IsTable(file)) {
      tables.emplace_back(file, name);
    }
  }
  const size_t asked = std::min(tables.size(), kTablesAsked);
  std::partial_sort(tables.begin(), tables.begin() + static_cast<std::ptrdiff_t>(asked), tables.end(),
                    [](const auto& a, const auto& b) { return IsNewer(a.first, b.first); });
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
  for (size_t i = 0; i < asked; ++i) {
    if (std::string id = IdInTable(env.get(), directory + tables[i].second); !id.empty()) {
      return id;
    }
  }
  return "";
}

std::string DatabaseIdAt(const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory) {
  constexpr size_t kNameBytes = 1024;
  const std::string manifest = WithoutNewline(ReadBeginning(*files, directory + "/CURRENT", kNameBytes));
  if (!manifest.starts_with("MANIFEST-") || manifest.find('/') != std::string::npos) {
    return "";
  }
  std::string id = DatabaseIdInManifest(*files, directory + "/" + manifest);
  return id.empty() ? IdOrNone(WithoutNewline(ReadBeginning(*files, directory + "/IDENTITY", kNameBytes))) : id;
}

bool HasTablesOf(rocksdb::DB& db, const std::vector<std::string>& ids) {
  std::vector<rocksdb::LiveFileMetaData> files;
  db.GetLiveFilesMetaData(&files);
  std::vector<std::pair<std::string, std::string>> tables;
  tables.reserve(files.size());
  for (const auto& file : files) {
    tables.emplace_back(file.relative_filename, file.directory);
  }
  return AnyWrittenUnder(db.GetEnv(), std::move(tables), ids);
}

bool HasTablesOf(const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory,
                 const std::string& id) {
  std::vector<std::string> names;
  files->GetChildren(directory, IOOptions(), &names, nullptr).PermitUncheckedError();
  std::vector<std::pair<std::string, std::string>> tables;
  for (const auto& name : names) {
    if (IsTable(name)) {
      tables.emplace_back(name, directory);
    }
  }
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(files);
  return AnyWrittenUnder(env.get(), std::move(tables), {id});
}

}  // namespace rocksdb_backup
