#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/storage/directory_lock.h"
#include "core/storage/storage.h"

namespace rocksdb_backup {

// A repository in a directory of this machine. Its locks are files there (core/storage/directory_lock.h), and its files
// are protected from what others may have put there (core/storage/local_fs.h).
class LocalStorage : public Storage {
 public:
  // `directory` is a real path, as RealPath() returns it. Nothing has to be there.
  explicit LocalStorage(std::string directory,
                        std::shared_ptr<rocksdb::FileSystem> base = rocksdb::FileSystem::Default());

  const std::string& name() const override { return directory_; }
  const std::string& root() const override { return directory_; }
  const std::string& local_directory() const override { return directory_; }
  std::shared_ptr<rocksdb::FileSystem> files() const override;
  std::shared_ptr<ArchiveFiles> archive_files() const override;
  Error LockTimeline(uint64_t timeline, std::unique_ptr<StorageLock>* lock) override;
  Error MakeReady() override;
  // At the nearest directory that exists.
  std::optional<uint64_t> FreeSpace() const override;
  Error CheckSource(const std::string& database_dir) const override;
  Error CheckTarget(const std::string& database_dir) const override;
  Error LockWriter(std::unique_ptr<WriterLock>* lock) override;
  Error LockReader(uint32_t backup_id, Access access, std::unique_ptr<ReaderLock>* lock) override;
  Error LockState(std::unique_ptr<StorageLock>* lock) override;
  // DirectoryLock::UsesOf.
  std::vector<RepositoryUse> UsesOf(const std::vector<uint32_t>& backup_ids) const;
  Error ReadSmall(const std::string& file, std::optional<SmallFile>* read) const override;
  Error ReplaceSmall(const std::string& file, const std::optional<std::string>& version, const std::string& text,
                     std::string* new_version) override;

 private:
  const std::string directory_;
  const std::shared_ptr<rocksdb::FileSystem> base_;
};

}  // namespace rocksdb_backup
