#include "core/stores/conditional_put.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "core/stores/store_layout.h"

namespace rocksdb_backup {
namespace {

using Kind = StoreRequest::Kind;

// The keys that are being put, by the names of their stores: two storages of a process may be at one place.
class KeysInUse {
 public:
  // Waits until nobody puts this key. Returns the answer with which to give up; nullopt: it is this caller's turn.
  std::optional<StoreAnswer> Enter(const std::string& key, const Instead& instead) {
    std::unique_lock lock(mutex_);
    while (!keys_.insert(key).second) {
      left_.wait_for(lock, kLook);
      lock.unlock();
      if (auto other = instead()) {
        return other;
      }
      lock.lock();
    }
    return std::nullopt;
  }
  void Leave(const std::string& key) {
    {
      const std::lock_guard lock(mutex_);
      keys_.erase(key);
    }
    left_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  std::set<std::string> keys_;
};

// Never destroyed, because threads may outlive main().
KeysInUse& TheKeysInUse() {
  static auto* const keys = new KeysInUse;
  return *keys;
}

// One put with a condition, as the only writer.
class OnlyWritersPut {
 public:
  OnlyWritersPut(ObjectStore& store, StoreRequest request, const Instead& instead)
      : store_(store), request_(std::move(request)), instead_(instead) {}

  StoreAnswer Run() {
    StoreAnswer answer;
    if (!ConditionHolds(&answer)) {
      return answer;
    }
    if (auto other = instead_()) {
      return std::move(*other);
    }
    std::atomic<bool>& refused = request_.if_absent ? store_.refuses_if_absent() : store_.refuses_if_match();
    if (!refused) {
      answer = Send(request_);
      if (Settled(&answer)) {
        return answer;
      }
    }
    // The store refuses conditions, or says that one fails which holds.
    const bool was_refused = answer.failure == StoreFailure::kRefused;
    StoreRequest plain = request_;
    plain.if_absent = false;
    plain.if_match.clear();
    answer = Send(std::move(plain));
    if (was_refused && answer.ok()) {
      refused = true;
    }
    Settled(&answer);
    return answer;
  }

 private:
  StoreAnswer Send(StoreRequest request) { return store_.Send(std::move(request))->Await(instead_); }

  // False with the answer to the put if it does not hold, or if that cannot be found out.
  bool ConditionHolds(StoreAnswer* answer) {
    StoreAnswer found = Send({.kind = Kind::kGet, .key = request_.key, .offset = 0, .length = 0});
    if (!found.ok() && found.failure != StoreFailure::kNotFound) {
      *answer = std::move(found);
      return false;
    }
    if (request_.if_absent ? !found.ok() : found.ok() && found.etag == request_.if_match) {
      return true;
    }
    *answer = ConditionFailed();
    return false;
  }

  // Whether `answer`, that of a put, is the answer to give. It may then be another one than it was.
  bool Settled(StoreAnswer* answer) {
    const bool put = answer->ok();
    if (!put && answer->failure != StoreFailure::kConditionFailed) {
      return answer->failure != StoreFailure::kRefused;
    }
    if (IsFileOfBackup(request_.key)) {
      return put || !ConditionHolds(answer);  // it may be large
    }
    StoreAnswer there = Send({.kind = Kind::kGet, .key = request_.key});
    if (there.ok() && there.bytes == request_.data()) {
      answer->failure = StoreFailure::kNone;
      answer->error = Error();
      answer->etag = std::move(there.etag);
      return true;
    }
    if (there.failure == StoreFailure::kStopped) {
      *answer = std::move(there);
      return true;
    }
    if (!there.ok() && (put || there.failure != StoreFailure::kNotFound)) {
      // It may be there.
      *answer = StoreAnswer::Failed(StoreFailure::kBusy, std::move(there.error));
      return true;
    }
    if (put) {
      *answer = ConditionFailed();
      return true;
    }
    return !ConditionHolds(answer);
  }

  static StoreAnswer ConditionFailed() {
    return StoreAnswer::Failed(StoreFailure::kConditionFailed,
                               Error("STORE_CONDITION_FAILED", "another writer has put or deleted it"));
  }

  ObjectStore& store_;
  const StoreRequest request_;
  const Instead& instead_;
};

// Whether a put may have been refused because the store has no conditions. A status such as 403 or 423 has another
// reason: a lock, for instance.
bool MayBeForCondition(const Error& refusal) {
  for (const auto& [name, value] : refusal.facts()) {
    if (const auto* status = name == "status" ? std::get_if<uint64_t>(&value) : nullptr) {
      return *status == 400 || *status == 405 || *status == 501;
    }
  }
  return true;
}

}  // namespace

StoreAnswer Ask(ObjectStore& store, StoreRequest request, const Instead& instead) {
  const bool conditional = request.kind == Kind::kPut && (request.if_absent || !request.if_match.empty());
  if (conditional && store.single_writer()) {
    const std::string key = store.name() + "/" + request.key;
    if (auto other = TheKeysInUse().Enter(key, instead)) {
      return std::move(*other);
    }
    StoreAnswer answer = OnlyWritersPut(store, std::move(request), instead).Run();
    TheKeysInUse().Leave(key);
    return answer;
  }
  std::atomic<bool>& knows_condition = request.if_absent ? store.knows_if_absent() : store.knows_if_match();
  StoreAnswer answer = store.Send(std::move(request))->Await(instead);
  if (conditional && (answer.ok() || answer.failure == StoreFailure::kConditionFailed)) {
    knows_condition = true;
  } else if (conditional && answer.failure == StoreFailure::kRefused && !knows_condition &&
             MayBeForCondition(answer.error)) {
    answer.error = std::move(answer.error).Advise("singleWriter");
  }
  return answer;
}

}  // namespace rocksdb_backup
