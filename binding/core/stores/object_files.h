#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/stores/store_client.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

struct ReceivedRange {
  uint64_t offset;
  uint64_t length;
  uint64_t received;
};

// What a get brought, checked against what was listed. `changed` is called if the object is not as it was listed.
rocksdb::IOStatus Received(StoreClient& client, const std::string& key, const StoreAnswer& answer,
                           const ReceivedRange& range, const std::function<void()>& changed);

// A new object. It appears in the store when it is closed, whole. A small one is put, a large one goes in parts.
class ObjectWritableFile : public rocksdb::FSWritableFile {
 public:
  // Called after the object was made, with its etag.
  using Made = std::function<void(uint64_t size, const std::string& etag)>;

  struct Settings {
    bool only_new = false;       // the store must not have an object with this key
    uint64_t expected_size = 0;  // 0: not known
  };
  ObjectWritableFile(std::shared_ptr<StoreClient> client, std::string key, const Settings& settings, Made made);
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
  // What the store has confirmed.
  uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return confirmed_; }

 private:
  struct Sent {
    std::shared_ptr<StoreCall> call;
    uint64_t size;
  };
  rocksdb::IOStatus TakePart();
  rocksdb::IOStatus SendPart();
  rocksdb::IOStatus AwaitOldest();
  rocksdb::IOStatus Finish(std::string* etag);
  void GiveUp();

  const std::shared_ptr<StoreClient> client_;
  const std::string key_;
  const bool only_new_;
  const Made made_;
  const ObjectStore::Limits limits_;
  const uint64_t part_bytes_;  // of all parts but the last: some stores want parts of one size
  rocksdb::IOStatus failed_;
  bool closed_ = false;
  uint64_t size_ = 0;
  uint64_t confirmed_ = 0;
  // What was not sent yet: of a small file, and of any file if the store takes no parts, in `small_`.
  std::string small_;
  std::shared_ptr<Part> part_;
  std::string upload_;
  std::vector<std::string> etags_;
  std::deque<Sent> in_flight_;
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
    std::shared_ptr<Part> memory;  // null: the bytes come with the answer
  };
  void ReadAhead();
  rocksdb::IOStatus NextPiece();
  void DropAhead();

  const std::shared_ptr<StoreClient> client_;
  const std::string key_;
  const uint64_t size_;
  const std::string etag_;
  const Changed changed_;
  std::optional<PartPool::Reader> reader_;  // of a large file
  uint64_t asked_ = 0;                      // up to here, the object was asked for
  std::shared_ptr<Part> part_;
  std::string small_;
  std::string_view rest_;  // of one of them: what was not read yet
  std::deque<Ahead> ahead_;
};

}  // namespace rocksdb_backup
