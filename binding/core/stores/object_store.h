#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/stores/part_pool.h"

namespace rocksdb_backup {

// Why a request to an object store failed. Only kNotFound means that nothing is there: the store said so.
enum class StoreFailure {
  kNone,
  kNotFound,
  kConditionFailed,  // if_absent or if_match does not hold
  kDenied,           // no right, no credentials, an expired token
  kNoBucket,         // no such bucket, or it lies elsewhere
  kBusy,             // no answer, or a failure of the server, also after repetitions. It may have been done
  kRefused,          // the store will not do it, also if it is asked again soon
  kStopped,          // the operation ended, and nobody waits any more
};

// One request. What each kind uses is in the order of its members.
struct StoreRequest {
  enum class Kind {
    kPut,           // key, bytes or memory, if_absent, if_match
    kGet,           // key, offset, length, if_match; memory, if the bytes shall be there
    kList,          // key (a prefix), after
    kDelete,        // keys
    kCreateUpload,  // key
    kPart,          // key, upload, part (from 1), memory
    kComplete,      // key, upload, keys (the etags of the parts)
    kAbort,         // key, upload
    kListUploads,   // key (a prefix), after
  };
  static constexpr uint64_t kToTheEnd = UINT64_MAX;

  Kind kind = Kind::kGet;
  std::string key = {};
  std::shared_ptr<const std::string> bytes = {};
  bool if_absent = false;
  std::string if_match = {};
  uint64_t offset = 0;
  uint64_t length = kToTheEnd;
  std::vector<std::string> keys = {};
  std::string upload = {};
  uint32_t part = 0;
  std::string after = {};
  std::shared_ptr<Part> memory = {};

  // What is sent.
  std::string_view data() const {
    return memory != nullptr ? memory->bytes() : bytes != nullptr ? std::string_view(*bytes) : std::string_view();
  }
};

struct StoredObject {
  std::string key;
  uint64_t size = 0;
  std::string etag;
  int64_t modified = 0;  // in milliseconds since 1970, by the store's clock
};

struct StoreAnswer {
  StoreFailure failure = StoreFailure::kNone;
  Error error;  // set if there is a failure
  std::string etag;
  std::string bytes;                  // kGet without memory
  std::vector<StoredObject> objects;  // kList; kListUploads, with the upload in `etag`
  std::string next;                   // kList, kListUploads: more follow after this; empty: this was the last page
  std::string upload;                 // kCreateUpload
  // Of a kDelete that was refused: these are still there, and the others are gone. Empty: nobody knows which.
  std::vector<std::string> refused;

  bool ok() const { return failure == StoreFailure::kNone; }
  static StoreAnswer Stopped() {
    return Failed(StoreFailure::kStopped, Error("STORE_STOPPED", "the operation has ended"));
  }
  static StoreAnswer Failed(StoreFailure failure, Error error) {
    StoreAnswer answer;
    answer.failure = failure;
    answer.error = std::move(error);
    return answer;
  }
};

// A request on its way.
class StoreCall {
 public:
  using Clock = std::chrono::steady_clock;

  // For the store. The first answer counts.
  void Finish(StoreAnswer answer);
  // For the store: called once, if the caller gives up before the answer is there. It must not wait.
  void OnCancel(std::function<void()> cancel);

  // Called once, when the answer is there or nobody waits for it any more, on any thread. It must not wait, and must
  // not be the last owner of anything that waits at its end.
  void WhenDone(std::function<void()> done);
  // Waits for the answer. Asks again and again whether to give up: if `instead` returns an answer, cancels the request
  // and returns that one.
  StoreAnswer Await(const std::function<std::optional<StoreAnswer>()>& instead);
  // Nobody waits for the answer any more.
  void Cancel();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<StoreAnswer> answer_;
  bool done_ = false;
  std::function<void()> cancel_;
  std::function<void()> when_done_;
};

// For the store: what a kGet brings.
void SetBytes(const StoreRequest& request, std::string_view bytes, StoreAnswer* answer);

// A text that nobody else has, in no process.
std::string NewUniqueId();

// An object store. Keys have no leading slash. Thread-safe.
//
// - What was put or completed is seen whole by everybody from the moment of the answer.
// - Of two puts with the same condition, one succeeds; see core/stores/conditional_put.h for stores that do not keep
// it.
// - A list is in the order of the keys, and has everything that was there when it began.
// - Every call is answered in the end, also if the server hangs.
class ObjectStore {
 public:
  struct Limits {
    bool has_uploads = false;  // without it, a file is put whole
    uint64_t min_part_bytes = 0;
    uint32_t max_parts = 0;
  };

  ObjectStore() = default;
  virtual ~ObjectStore() = default;
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;
  // No other store has it, also none that has the same name.
  const std::string& identity() const { return identity_; }
  // What messages call it: a URL. Never holds a secret.
  virtual const std::string& name() const = 0;
  // The same in every process, for this place alone: two stores that have the same one show the same objects, and an
  // etag stands for one content for ever. Empty: the store has none, and no cache on a disk may keep its objects.
  virtual std::string lasting_identity() const { return ""; }
  virtual Limits limits() const = 0;
  // The caller promised that only one process writes here. Then the store need not keep the conditions of puts.
  virtual bool single_writer() const { return false; }
  // Until when an object of a backup that was written then cannot be deleted; both in milliseconds since 1970. 0: the
  // store does not say.
  virtual int64_t LockedUntil(int64_t /*written*/) const { return 0; }
  // Whether it has refused such a condition, and has taken the same put without it.
  std::atomic<bool>& refuses_if_absent() { return refuses_if_absent_; }
  std::atomic<bool>& refuses_if_match() { return refuses_if_match_; }
  // Whether it has told whether such a condition holds.
  std::atomic<bool>& knows_if_absent() { return knows_if_absent_; }
  std::atomic<bool>& knows_if_match() { return knows_if_match_; }
  // The store lets go of the request's memory when it has answered, and does not use it any more. If it cannot know
  // that nobody does, it abandons the memory.
  virtual std::shared_ptr<StoreCall> Send(StoreRequest request) = 0;
  // The memory of parts that nobody has any more need not be kept.
  virtual void Trim() {}

 private:
  const std::string identity_ = NewUniqueId();
  std::atomic<bool> refuses_if_absent_{false};
  std::atomic<bool> refuses_if_match_{false};
  std::atomic<bool> knows_if_absent_{false};
  std::atomic<bool> knows_if_match_{false};
};

// How long to wait for an answer that somebody waits for who has stopped the operation: the store may hang.
inline constexpr std::chrono::milliseconds kPatienceAfterStop{300};

// The error of a request that failed: "reading s3://bucket/prefix/meta/1: ...".
Error RequestError(const ObjectStore& store, const StoreAnswer& answer, const std::string& doing,
                   const std::string& key);

// As many keys as one kDelete has.
inline constexpr size_t kMaxDeletes = 1000;

}  // namespace rocksdb_backup
