#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/storage/disk_cache.h"
#include "core/stores/object_store.h"

namespace rocksdb_backup {

// An object as it was listed. What is read of it later has this etag.
struct ListedObject {
  std::string key;
  std::string etag;
  uint64_t size = 0;
};

// Pieces of objects that were read lately: in memory, and on a disk if there is a cache on one. All files of one view
// of a store share it, so memory has a bound, however many files are open.
class ObjectBlocks {
 public:
  // A block begins at a multiple of this size. The last one of an object may be smaller.
  static constexpr uint64_t kBlockBytes = uint64_t{256} << 10;
  static constexpr uint64_t kMostInMemory = uint64_t{64} << 20;

  using Block = std::shared_ptr<const std::string>;

  // `disk` is null if there is no cache on a disk.
  ObjectBlocks(std::shared_ptr<const ObjectStore> store, std::shared_ptr<DiskCache> disk)
      : store_(std::move(store)), disk_(std::move(disk)) {}

  bool on_disk() const { return disk_ != nullptr; }
  // Null if it is not there.
  Block Find(const ListedObject& object, uint64_t index);
  // Cheaper than Find(), and only a guess.
  bool Has(const ListedObject& object, uint64_t index) const;
  Block Keep(const ListedObject& object, uint64_t index, std::string bytes);

 private:
  struct Kept {
    std::string id;
    Block block;
  };
  std::string IdOf(const ListedObject& object, uint64_t index) const;
  DiskCache* DiskFor(const ListedObject& object) const;
  Block KeepInMemory(std::string id, std::string bytes);

  const std::shared_ptr<const ObjectStore> store_;
  const std::shared_ptr<DiskCache> disk_;
  mutable std::mutex mutex_;  // guards all members below
  std::list<Kept> kept_;      // the first was used last
  std::unordered_map<std::string, std::list<Kept>::iterator> by_id_;
  uint64_t bytes_ = 0;
};

}  // namespace rocksdb_backup
