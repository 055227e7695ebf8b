#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "core/stores/object_blocks.h"
#include "core/stores/store_client.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Reads an object anywhere, in blocks. What is read in order is read some blocks ahead.
class ObjectRandomAccessFile : public rocksdb::FSRandomAccessFile {
 public:
  // `changed` is called if the object is not as it was listed.
  ObjectRandomAccessFile(std::shared_ptr<StoreClient> client, std::shared_ptr<ObjectBlocks> blocks, ListedObject object,
                         std::function<void()> changed)
      : client_(std::move(client)),
        blocks_(std::move(blocks)),
        object_(std::move(object)),
        changed_(std::move(changed)) {}

  rocksdb::IOStatus Read(uint64_t offset, size_t n, const rocksdb::IOOptions& options, rocksdb::Slice* result,
                         char* scratch, rocksdb::IODebugContext* debug) const override;

 private:
  rocksdb::IOStatus Get(uint64_t index, uint64_t last, ObjectBlocks::Block* block) const;
  rocksdb::IOStatus Fetch(uint64_t index, uint64_t last, ObjectBlocks::Block* block) const;

  const std::shared_ptr<StoreClient> client_;
  const std::shared_ptr<ObjectBlocks> blocks_;
  const ListedObject object_;
  const std::function<void()> changed_;
  mutable std::mutex mutex_;  // guards all members below
  mutable std::condition_variable fetched_;
  mutable std::set<uint64_t> fetching_;  // the first block of each request that is on its way
  mutable uint64_t next_ = 0;            // the block after those that were fetched last
  mutable uint64_t ahead_ = 0;           // how many blocks more than needed were fetched then
};

// Reads a file that can be read anywhere from its beginning to its end, so that what is read of it is kept.
class SequentialThroughBlocks : public rocksdb::FSSequentialFile {
 public:
  SequentialThroughBlocks(std::unique_ptr<rocksdb::FSRandomAccessFile> file, uint64_t size)
      : file_(std::move(file)), size_(size) {}

  rocksdb::IOStatus Read(size_t n, const rocksdb::IOOptions& options, rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Skip(uint64_t n) override;

 private:
  const std::unique_ptr<rocksdb::FSRandomAccessFile> file_;
  const uint64_t size_;
  std::string part_;       // what was read last
  size_t used_ = 0;        // of part_
  uint64_t part_end_ = 0;  // where part_ ends in the file
};

}  // namespace rocksdb_backup
