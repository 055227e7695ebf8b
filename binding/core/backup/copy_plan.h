#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/backup/backup_engine_session.h"
#include "core/backup/live_files_db.h"

namespace rocksdb_backup {

// What the BackupEngine will copy, apart from what earlier backups already have. The plan is announced before the first
// byte is copied, and corrected if the BackupEngine decides otherwise.
class CopyPlan : public FileObserver {
 public:
  // `picture` may be null.
  CopyPlan(const EngineSettings& settings, std::shared_ptr<const DirectoryPicture> picture,
           std::shared_ptr<Operation> operation)
      : settings_(settings), picture_(std::move(picture)), operation_(std::move(operation)) {}

  void Announce(const LiveFilesDb::Files& files);
  // How many bytes the BackupEngine will write.
  uint64_t new_bytes();
  // Whether this backup takes over a file of an earlier backup.
  bool TakesOver();

  void OnExclude(const std::string& path);
  void OnFound(const std::string& path) override { Correct(path, false); }
  void OnCreate(const std::string& path) override { Correct(path, true); }

 private:
  struct Planned {
    uint64_t size;
    bool copied;
  };

  void Correct(const std::string& path, bool copied);

  const EngineSettings& settings_;
  const std::shared_ptr<const DirectoryPicture> picture_;
  const std::shared_ptr<Operation> operation_;
  std::mutex mutex_;
  std::unordered_map<std::string, Planned> planned_;
};

}  // namespace rocksdb_backup
