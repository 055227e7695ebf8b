#include "core/stores/object_blocks.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace rocksdb_backup {

// The lengths keep two ids apart whose texts are the same.
std::string ObjectBlocks::IdOf(const ListedObject& object, uint64_t index) const {
  const std::string store = store_->lasting_identity();
  std::string id;
  for (const uint64_t number :
       {kBlockBytes, index, object.size, uint64_t{store.size()}, uint64_t{object.etag.size()}}) {
    id += std::to_string(number) + ' ';
  }
  return id + store + object.etag + object.key;
}

// Without an etag, nobody knows whether an object is still the same.
DiskCache* ObjectBlocks::DiskFor(const ListedObject& object) const {
  return object.etag.empty() ? nullptr : disk_.get();
}

ObjectBlocks::Block ObjectBlocks::Find(const ListedObject& object, uint64_t index) {
  std::string id = IdOf(object, index);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
      kept_.splice(kept_.begin(), kept_, found->second);
      return found->second->block;
    }
  }
  DiskCache* const disk = DiskFor(object);
  std::optional<std::string> bytes = disk == nullptr ? std::nullopt : disk->Read(id);
  if (!bytes || bytes->size() != std::min(kBlockBytes, object.size - index * kBlockBytes)) {
    return nullptr;
  }
  return KeepInMemory(std::move(id), std::move(*bytes));
}

bool ObjectBlocks::Has(const ListedObject& object, uint64_t index) const {
  const std::string id = IdOf(object, index);
  {
    const std::lock_guard lock(mutex_);
    if (by_id_.contains(id)) {
      return true;
    }
  }
  const DiskCache* const disk = DiskFor(object);
  return disk != nullptr && disk->Has(id);
}

ObjectBlocks::Block ObjectBlocks::Keep(const ListedObject& object, uint64_t index, std::string bytes) {
  std::string id = IdOf(object, index);
  if (DiskCache* const disk = DiskFor(object)) {
    disk->Write(id, bytes);
  }
  return KeepInMemory(std::move(id), std::move(bytes));
}

ObjectBlocks::Block ObjectBlocks::KeepInMemory(std::string id, std::string bytes) {
  Block block = std::make_shared<const std::string>(std::move(bytes));
  const std::lock_guard lock(mutex_);
  if (by_id_.contains(id)) {
    return block;  // another thread read it, too
  }
  bytes_ += block->size();
  kept_.push_front({id, block});
  by_id_[std::move(id)] = kept_.begin();
  while (bytes_ > kMostInMemory && kept_.size() > 1) {
    bytes_ -= kept_.back().block->size();
    by_id_.erase(kept_.back().id);
    kept_.pop_back();
  }
  return block;
}

}  // namespace rocksdb_backup
