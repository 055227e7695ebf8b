#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/stores/store_client.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Parts have this size, and more from the thousandth on, because stores have a limit of the number of parts.
inline constexpr uint64_t kPartBytes = uint64_t{8} << 20;

// What a get brought, checked against what was listed. `changed` is called if the object is not as it was listed.
rocksdb::IOStatus Received(StoreClient& client, const std::string& key, const StoreAnswer& answer, uint64_t offset,
                           uint64_t length, const std::function<void()>& changed);

// A new object. It appears in the store when it is closed, whole. A small one is put, a large one goes in parts.
class ObjectWritableFile : public rocksdb::FSWritableFile {
 public:
  // Called after the object was made, with its etag.
  using Made = std::function<void(uint64_t size, const std::string& etag)>;

  // `only_new`: the store must not have an object with this key.
  ObjectWritableFile(std::shared_ptr<StoreClient> client, std::string key, bool only_new, Made made)
      : client_(std::move(client)),
        key_(std::move(key)),
        only_new_(only_new),
        made_(std::move(made)),
        limits_(client_->store().limits()) {}
  ~ObjectWritableFile() override;

  using FSWritableFile::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return size_; }

 private:
  uint64_t PartBytes() const;
  rocksdb::IOStatus SendPart();
  rocksdb::IOStatus AwaitOldest();
  rocksdb::IOStatus Finish(std::string* etag);
  void GiveUp();

  const std::shared_ptr<StoreClient> client_;
  const std::string key_;
  const bool only_new_;
  const Made made_;
  const ObjectStore::Limits limits_;
  rocksdb::IOStatus failed_;
  bool closed_ = false;
  uint64_t size_ = 0;
  std::string buffer_;
  std::string upload_;
  std::vector<std::string> etags_;
  std::deque<std::shared_ptr<StoreCall>> in_flight_;
};

// Reads an object from its beginning to its end, some parts ahead.
class ObjectSequentialFile : public rocksdb::FSSequentialFile {
 public:
  // Called if the object is not as it was listed.
  using Changed = std::function<void()>;

  ObjectSequentialFile(std::shared_ptr<StoreClient> client, std::string key, uint64_t size, std::string etag,
                       Changed changed)
      : client_(std::move(client)),
        key_(std::move(key)),
        size_(size),
        etag_(std::move(etag)),
        changed_(std::move(changed)) {}
  ~ObjectSequentialFile() override;

  rocksdb::IOStatus Read(size_t n, const rocksdb::IOOptions& options, rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Skip(uint64_t n) override;

 private:
  struct Ahead {
    std::shared_ptr<StoreCall> call;
    uint64_t length;
  };
  void ReadAhead();
  rocksdb::IOStatus NextPart();
  void DropAhead();

  const std::shared_ptr<StoreClient> client_;
  const std::string key_;
  const uint64_t size_;
  const std::string etag_;
  const Changed changed_;
  uint64_t asked_ = 0;  // up to here, the object was asked for
  std::string part_;
  size_t used_ = 0;  // of part_
  std::deque<Ahead> ahead_;
};

}  // namespace rocksdb_backup
