#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace rocksdb_backup {

// Why a request to an object store failed. Only kNotFound means that nothing is there: the store said so.
enum class StoreFailure {
  kNone,
  kNotFound,
  kConditionFailed,  // if_absent or if_match does not hold
  kDenied,           // no right, no credentials, an expired token
  kNoBucket,         // no such bucket, or it lies elsewhere
  kBusy,             // no answer, or a failure of the server, also after repetitions. It may have been done
  kRefused,          // the store will never do it
  kStopped,          // the operation ended, and nobody waits any more
};

// One request. What each kind uses is in the order of its members.
struct StoreRequest {
  enum class Kind {
    kPut,           // key, bytes, if_absent, if_match
    kGet,           // key, offset, length, if_match
    kList,          // key (a prefix), after
    kDelete,        // keys
    kCreateUpload,  // key
    kPart,          // key, upload, part (from 1), bytes
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
  std::string bytes;                  // kGet
  std::vector<StoredObject> objects;  // kList; kListUploads, with the upload in `etag`
  std::string next;                   // kList, kListUploads: more follow after this; empty: this was the last page
  std::string upload;                 // kCreateUpload

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

// A text that nobody else has, in no process.
std::string NewUniqueId();

// An object store. Keys have no leading slash. Thread-safe.
//
// - What was put or completed is seen whole by everybody from the moment of the answer.
// - Of two puts with the same condition, one succeeds.
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
  virtual std::shared_ptr<StoreCall> Send(StoreRequest request) = 0;

 private:
  const std::string identity_ = NewUniqueId();
};

// How long to wait for an answer that somebody waits for who has stopped the operation: the store may hang.
inline constexpr std::chrono::milliseconds kPatienceAfterStop{300};

// The error of a request that failed: "reading s3://bucket/prefix/meta/1: ...".
Error RequestError(const ObjectStore& store, const StoreAnswer& answer, const std::string& doing,
                   const std::string& key);

// As many keys as one kDelete has.
inline constexpr size_t kMaxDeletes = 1000;

}  // namespace rocksdb_backup
