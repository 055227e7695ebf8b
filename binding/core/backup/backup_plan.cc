#include "core/backup/backup_plan.h"

#include "core/base/paths.h"

namespace rocksdb_backup {

SharedFiles SharedFilesIn(const EngineSettings& settings, const DirectoryPicture* picture) {
  SharedFiles shared;
  if (!settings.engine.share_table_files) {
    return shared;
  }
  const std::string part = settings.engine.share_files_with_checksum ? "shared_checksum/" : "shared/";
  const auto add = [&](const std::string& file, uint64_t size) {
    if (const std::string name = DatabaseFileName(file); !name.empty() && file.starts_with(part)) {
      shared[name] = size;
    }
  };
  if (picture != nullptr) {
    for (const auto& [file, size] : picture->shared_files()) {
      add(file, size);
    }
    return shared;
  }
  std::vector<rocksdb::FileAttributes> children;
  if (settings.files()
          ->GetChildrenFileAttributes(settings.root() + "/" + part, rocksdb::IOOptions(), &children, nullptr)
          .ok()) {
    for (const auto& child : children) {
      add(part + child.name, child.size_bytes);
    }
  }
  return shared;
}

std::vector<PlannedFile> PlanFiles(const std::vector<rocksdb::LiveFileStorageInfo>& files, bool with_logs,
                                   const SharedFiles& shared) {
  std::vector<PlannedFile> planned;
  for (const auto& file : files) {
    const bool is_log = file.file_type == rocksdb::kWalFile;
    if (is_log && !with_logs) {
      continue;
    }
    const auto found = shared.find(file.relative_filename);
    planned.push_back({file.relative_filename, file.size, found == shared.end() || found->second != file.size, is_log});
  }
  return planned;
}

}  // namespace rocksdb_backup
