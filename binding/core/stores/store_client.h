#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/base/operation.h"
#include "core/stores/conditional_put.h"
#include "core/stores/lease.h"
#include "core/stores/object_store.h"
#include "rocksdb/io_status.h"

namespace rocksdb_backup {

// Sends the requests of one operation, and waits for their answers. Once the operation has ended, requests that move
// data fail at once. The others, of the clean-up, are still sent, but as soon as one of them gets no answer for
// kPatienceAfterStop, all fail: the server hangs, and what was to be cleaned up is left to the next clean-up.
class StoreClient {
 public:
  // `operation` may be null.
  StoreClient(std::shared_ptr<ObjectStore> store, std::shared_ptr<PartPool> parts, std::shared_ptr<Operation> operation)
      : store_(std::move(store)), parts_(std::move(parts)), operation_(std::move(operation)) {}

  const ObjectStore& store() const { return *store_; }
  const std::shared_ptr<ObjectStore>& shared_store() const { return store_; }
  // To be filled and sent. Null once the operation has ended.
  std::shared_ptr<Part> TakePart(size_t capacity) {
    return parts_->Take(capacity, [this] { return ended(); });
  }
  const std::shared_ptr<PartPool>& parts() const { return parts_; }
  // From now on, requests are only sent while the lease is held. A request that is on its way when it is lost is given
  // up: it might come late, and delete what others have made. Before each delete the lease is renewed: a machine that
  // slept may believe that it still has it. For an only writer, also before a backup begins to exist, because the put
  // of its meta file may have no condition that the store keeps. The end of a lease waits for a request, so this is
  // never its last owner: it may be the thread that answers requests that lets go of this.
  void SetLease(const std::shared_ptr<Lease>& lease);
  std::shared_ptr<StoreCall> Send(StoreRequest request) { return store_->Send(std::move(request)); }
  // What to watch while a request is on its way.
  struct Watch {
    bool moves_data = true;  // of no use once the operation has ended
    bool needs_lease = true;
    StoreCall::Clock::time_point until = StoreCall::Clock::time_point::max();
  };
  StoreAnswer Wait(StoreCall& call, Watch watch);
  StoreAnswer Do(StoreRequest request);
  // All pages of a kList or kListUploads, until `listed` returns false. "Not found" of a list means nothing good: a
  // store has no place that is not there.
  StoreAnswer List(StoreRequest::Kind kind, const std::string& prefix,
                   const std::function<bool(const StoredObject&)>& listed);
  // Reads an object, also after the end of the operation. Waits at most until then.
  StoreAnswer ReadSoon(const std::string& key, StoreCall::Clock::time_point until);

  // What an answer means to RocksDB. Remembers the first failure of the store, and the last ones. An object that is
  // gone was listed, so that is a failure too. It is not the status NotFound: RocksDB would take a key of that table
  // for one that is not in the database.
  rocksdb::IOStatus ToStatus(const StoreAnswer& answer, const std::string& doing, const std::string& key);
  // The first failure that ToStatus() saw.
  Error failure() const;
  // The one of the last failures whose text is in this one. Success: there is none.
  Error FailureIn(std::string_view text) const;

 private:
  Error CheckLease(Error (Lease::*check)()) const;
  // When to give up a request.
  Instead WhenToGiveUp(Watch watch);
  bool ended() const { return operation_ != nullptr && operation_->ended(); }

  const std::shared_ptr<ObjectStore> store_;
  const std::shared_ptr<PartPool> parts_;
  const std::shared_ptr<Operation> operation_;
  std::atomic<bool> hangs_{false};
  mutable std::mutex mutex_;
  Error failure_;
  std::deque<Error> last_failures_;
  bool needs_lease_ = false;
  std::weak_ptr<Lease> lease_;
};

}  // namespace rocksdb_backup
