#include "core/restore/reusable_files.h"

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/base/checksum.h"
#include "core/base/paths.h"
#include "rocksdb/sst_file_reader.h"
#include "rocksdb/table.h"
#include "rocksdb/unique_id.h"

namespace rocksdb_backup {
namespace {

bool IsPlainFileOf(const std::string& path, uint64_t size) {
  struct stat file = {};
  return lstat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && static_cast<uint64_t>(file.st_size) == size;
}

// Empty if the table cannot be read, does not say its identity, or if its identity does not determine its contents.
std::string IdentityOf(const std::string& table, rocksdb::Env* env, bool take_external) {
  rocksdb::BlockBasedTableOptions format;
  format.cache_index_and_filter_blocks = true;  // only the properties are needed
  format.no_block_cache = false;
  rocksdb::Options options;
  options.env = env;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(format));
  rocksdb::SstFileReader reader(options);
  if (!reader.Open(table).ok()) {
    return "";
  }
  const auto properties = reader.GetTableProperties();
  std::string identity;
  if (properties == nullptr ||
      (!take_external && properties->user_collected_properties.contains("rocksdb.external_sst_file.version")) ||
      !rocksdb::GetExtendedUniqueIdFromTableProperties(*properties, &identity).ok()) {
    return "";
  }
  return identity;
}

// nullopt if the file cannot be read to its end, or if the operation ended.
std::optional<uint32_t> ChecksumOfFile(const std::string& path, Operation& operation) {
  constexpr size_t kPiece = 1 << 20;
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  if (!rocksdb::FileSystem::Default()->NewSequentialFile(path, rocksdb::FileOptions(), &file, nullptr).ok()) {
    return std::nullopt;
  }
  const auto buffer = std::make_unique_for_overwrite<char[]>(kPiece);
  Checksum checksum;
  while (!operation.ended()) {
    rocksdb::Slice piece;
    if (!file->Read(kPiece, rocksdb::IOOptions(), &piece, buffer.get(), nullptr).ok()) {
      return std::nullopt;
    }
    if (piece.empty()) {
      return checksum.Value();
    }
    checksum.Add(piece.ToStringView());
    operation.AddBytes(path, piece.size());
  }
  return std::nullopt;
}

}  // namespace

std::vector<ReusableFile> FindReusableFiles(const EngineSettings& settings, const BackupDescription& backup,
                                            const std::vector<RecordedFile>& known, const std::string& database_dir,
                                            Proof proof, Operation& operation, const PlaceFile& place) {
  const bool by_content = proof == Proof::kChecksum;
  std::unordered_map<std::string, std::optional<uint32_t>> checksums;
  for (const RecordedFile& file : known) {
    checksums[file.name] = file.checksum;
  }
  const std::unique_ptr<rocksdb::Env> backup_env = rocksdb::NewCompositeEnv(settings.files());
  std::vector<ReusableFile> files;
  for (const BackupFile& file : backup.files) {
    if (operation.ended()) {
      break;
    }
    const std::string name = DatabaseFileName(file.name);
    const bool is_table = name.ends_with(".sst");
    const std::optional<uint32_t> checksum = checksums[file.name];
    if (!(is_table || (by_content && name.ends_with(".blob"))) || (by_content && !checksum) ||
        !IsPlainFileOf(database_dir + "/" + name, file.size)) {
      continue;
    }
    const std::string path = place(name);
    if (path.empty() || !IsPlainFileOf(path, file.size)) {
      continue;
    }
    if (is_table) {
      const std::string identity = IdentityOf(path, rocksdb::Env::Default(), by_content);
      if (identity.empty() || identity != IdentityOf(settings.root() + "/" + file.name, backup_env.get(), by_content)) {
        continue;
      }
    }
    if (by_content) {
      if (ChecksumOfFile(path, operation) != checksum) {
        continue;
      }
      operation.AddFile(path);
    }
    files.push_back({file.name, name, file.size});
  }
  return files;
}

}  // namespace rocksdb_backup
