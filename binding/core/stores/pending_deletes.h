#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/stores/store_client.h"
#include "rocksdb/io_status.h"

namespace rocksdb_backup {

// Objects without a backup that are deleted many at a time.
class PendingDeletes {
 public:
  explicit PendingDeletes(std::shared_ptr<StoreClient> client) : client_(std::move(client)) {}

  // Sends the deletes when there are many. `left` as of Flush().
  rocksdb::IOStatus Add(std::string key, bool* left);
  // What the store refuses to delete stays, which is no error: the next clean-up tries it again. `left` is set if an
  // object may still be there.
  rocksdb::IOStatus Flush(bool* left);
  // The objects that the store has refused to delete.
  std::vector<std::string> refused();

 private:
  rocksdb::IOStatus FlushLocked(bool* left);
  rocksdb::IOStatus Delete(std::vector<std::string> keys);

  const std::shared_ptr<StoreClient> client_;
  std::mutex mutex_;  // guards all members below
  std::vector<std::string> keys_;
  std::vector<std::string> refused_;
};

}  // namespace rocksdb_backup
