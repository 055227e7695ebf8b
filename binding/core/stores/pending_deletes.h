#pragma once

#include <atomic>
#include <functional>
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
  // `left` is called if an object may still be there, before anybody else can send a delete or see that none waits.
  PendingDeletes(std::shared_ptr<StoreClient> client, std::function<void()> left)
      : client_(std::move(client)), left_(std::move(left)) {}

  // From now on, what this user may not delete stays, too: who makes backups needs no right to delete any, and writes
  // over what a killed process has left.
  void LeaveWhatIsDenied() { leaves_denied_ = true; }
  // Sends the deletes when there are many.
  rocksdb::IOStatus Add(std::string key);
  // What the store refuses to delete stays, which is no error: the next clean-up tries it again.
  rocksdb::IOStatus Flush();
  // The objects that the store has refused to delete.
  std::vector<std::string> refused();

 private:
  rocksdb::IOStatus FlushLocked();
  rocksdb::IOStatus Delete(std::vector<std::string> keys);

  const std::shared_ptr<StoreClient> client_;
  const std::function<void()> left_;
  std::atomic<bool> leaves_denied_{false};
  std::mutex mutex_;  // guards all members below
  std::vector<std::string> keys_;
  std::vector<std::string> refused_;
};

}  // namespace rocksdb_backup
