#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/named_root.h"
#include "core/storage/storage.h"
#include "core/stores/lease.h"
#include "core/stores/object_fs.h"
#include "core/stores/object_store.h"
#include "core/stores/store_layout.h"

namespace rocksdb_backup {

// A repository in an object store. Its locks are leases (core/stores/lease.h).
class ObjectStorage : public Storage {
 public:
  // Texts that RocksDB writes name files below `root`; ForUsers() has the store's name in its place.
  explicit ObjectStorage(std::shared_ptr<ObjectStore> store, LeaseTimes times = {}, std::string root = kStoreRoot);
  // A root that no other storage of this process has.
  static std::string NewRoot();
  ~ObjectStorage() override;

  ObjectStore& store() { return *store_; }
  const std::string& name() const override { return store_->name(); }
  std::string identity() const override { return store_->identity(); }
  const std::string& root() const override { return root_; }
  const std::string& local_directory() const override { return nowhere_; }
  // Each is a view of its own, which lists the store when it is first asked.
  std::shared_ptr<rocksdb::FileSystem> files() const override { return object_files(); }
  std::shared_ptr<Storage> ForOperation(std::shared_ptr<Operation> operation) override;
  std::shared_ptr<Storage> ForDatabase(std::shared_ptr<DiskCache> cache, std::shared_ptr<Operation> reading) override;
  Error CheckCacheable() const override;
  Error Explain(Error error) const override;
  Error ExplainRead(Error error) const override;
  std::shared_ptr<TaggedFiles> tagged_files() const override { return object_files(); }

  std::shared_ptr<ArchiveFiles> archive_files() const override;
  Error LockTimeline(uint64_t timeline, std::unique_ptr<StorageLock>* lock) override;

  void ExpectFile(const std::string& name, uint64_t size) override;
  int64_t LockedUntil(const std::string& path) override;
  std::vector<std::string> RefusedDeletes() const override;
  Error RemoveAbandoned() override;
  Error MakeReady() override;
  std::optional<uint64_t> FreeSpace() const override { return std::nullopt; }
  Error CheckSource(const std::string& /*database_dir*/) const override { return Error(); }
  Error CheckTarget(const std::string& /*database_dir*/) const override { return Error(); }

  Error LockWriter(std::unique_ptr<WriterLock>* lock) override;
  Error LockReader(uint32_t backup_id, Access access, std::unique_ptr<ReaderLock>* lock) override;
  Error LockState(std::unique_ptr<StorageLock>* lock) override;
  Error ReadSmall(const std::string& file, std::optional<SmallFile>* read) const override;
  Error ReplaceSmall(const std::string& file, const std::optional<std::string>& version, const std::string& text,
                     std::string* new_version) override;

 private:
  // Of one operation, or of a database that is opened in place: then `blocks` keeps what is read.
  ObjectStorage(const ObjectStorage& whole, std::shared_ptr<Operation> operation,
                std::shared_ptr<ObjectBlocks> blocks = nullptr);
  Error CheckConditions(StoreClient& client, const std::string& etag, const std::string& text);
  std::shared_ptr<ObjectFileSystem> object_files() const;
  std::shared_ptr<StoreClient> NewClient() const;
  std::function<bool()> WhenStopped() const;

  const std::string root_;
  const std::shared_ptr<NamedRoot> named_root_;  // of all storages for operations, too
  const std::string nowhere_;
  const std::shared_ptr<ObjectStore> store_;
  const LeaseTimes times_;
  const std::shared_ptr<PartPool> parts_;
  const std::shared_ptr<PendingFiles> pending_;
  // Of one operation; null otherwise.
  const std::shared_ptr<Operation> operation_;
  const std::shared_ptr<StoreClient> client_;
  const std::shared_ptr<ObjectFileSystem> files_;
};

}  // namespace rocksdb_backup
