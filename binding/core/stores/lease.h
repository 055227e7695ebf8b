#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/error.h"
#include "core/stores/object_store.h"

namespace rocksdb_backup {

// How long leases live. The same for all who use a repository.
struct LeaseTimes {
  std::chrono::milliseconds lifetime{60'000};
  std::chrono::milliseconds renewal{20'000};
};

// A lock in an object store: an object that its holder writes anew again and again. It is taken by a put that succeeds
// for one only, and renewed and released only as the version that its holder wrote last.
//
// No clocks are compared. Who finds a lease calls it stale only after it has not changed for a whole lifetime, by his
// own clock, or if he sees that its holder was a process of this machine that has ended. A holder that could not renew
// for two thirds of a lifetime, by its own clock, gives it up by itself, so it stops before others take over.
class Lease {
 public:
  // What to do if somebody has it and it is not known whether he lives: give up, or wait until it changes or is stale.
  enum class IfUnknown { kGiveUp, kWait };
  struct Request {
    std::string key = {};
    std::string note = {};  // for those who look at it: one line
    IfUnknown if_unknown = IfUnknown::kGiveUp;
    std::function<bool()> stopped = {};  // ends the waiting; at the end of the lease, nobody has patience
  };

  // If somebody else has it, `lease` is null afterwards, without an error, and `holder` says who.
  static Error Take(const std::shared_ptr<ObjectStore>& store, const LeaseTimes& times, const Request& request,
                    std::unique_ptr<Lease>* lease, std::string* holder);
  // Whether somebody may still have this lease, and what he notes. A stale one is deleted.
  static Error IsLive(const std::shared_ptr<ObjectStore>& store, const LeaseTimes& times, const Request& request,
                      bool* live, std::string* holder, std::string* note = nullptr);

  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // LOCK_LOST if others may have it by now.
  Error StillHeld();
  // Renews it now. LOCK_LOST if others may have it by now; another error if the store does not answer.
  Error Renew();
  // Writes another note now.
  Error SetNote(std::string note);

 private:
  using Clock = std::chrono::steady_clock;

  Lease(std::shared_ptr<ObjectStore> store, const LeaseTimes& times, const Request& request, std::string id,
        std::string etag, Clock::time_point begun);
  void KeepAlive();
  // After the store has said that a renewal's condition does not hold. If the lease is still as this holder wrote it,
  // puts that into the answer: that the put has succeeded, or what is wrong with the store.
  void Settle(const std::string& text, const std::function<bool()>& in_vain, StoreAnswer* put);
  bool ending();

  const std::shared_ptr<ObjectStore> store_;
  const LeaseTimes times_;
  const std::string key_;
  const std::string id_;
  const std::function<bool()> stopped_;
  std::mutex mutex_;  // guards all members below
  std::condition_variable changed_;
  std::string etag_;
  std::string note_;
  Clock::time_point good_until_;
  std::string lost_;  // why; empty: not lost
  std::string advice_on_loss_;
  bool ending_ = false;
  std::mutex renewing_;  // held during a renewal
  std::thread thread_;
};

}  // namespace rocksdb_backup
