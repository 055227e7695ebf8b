#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/stores/object_store.h"

namespace rocksdb_backup::test {

// An object store in memory. It keeps the contract of core/stores/object_store.h, until a test makes it break it.
class MemoryObjectStore : public ObjectStore {
 public:
  enum class Fault {
    kNone,
    kFails,       // with `failure`, and nothing was done
    kLosesAnswer  // it is done, and the answer is "busy"
  };
  struct Verdict {
    Fault fault = Fault::kNone;
    StoreFailure failure = StoreFailure::kBusy;
    bool hangs = false;  // no answer, until it is cancelled
  };
  // Called before each request, in the order of the requests.
  using Hook = std::function<Verdict(const StoreRequest& request)>;

  explicit MemoryObjectStore(std::string name = "memory://bucket/backups") : name_(std::move(name)) {}

  const std::string& name() const override { return name_; }
  std::string lasting_identity() const override { return lasting; }
  Limits limits() const override { return {has_uploads, 1, max_parts}; }
  bool single_writer() const override { return only_writer; }
  int64_t LockedUntil(int64_t written) const override { return locked_for > 0 ? written + locked_for : 0; }

  std::shared_ptr<StoreCall> Send(StoreRequest request) override {
    auto call = std::make_shared<StoreCall>();
    Hook hook;
    {
      const std::lock_guard lock(mutex_);
      hook = hook_;
      ++counts_[request.kind];
    }
    const Verdict verdict = hook ? hook(request) : Verdict();
    if (verdict.hangs) {
      return call;
    }
    if (verdict.fault == Fault::kFails) {
      call->Finish(Failed(verdict.failure));
      return call;
    }
    StoreAnswer answer = Answer(request);
    call->Finish(verdict.fault == Fault::kLosesAnswer ? Failed(StoreFailure::kBusy) : std::move(answer));
    return call;
  }

  void SetHook(Hook hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }
  std::map<StoreRequest::Kind, int> TakeCounts() {
    const std::lock_guard lock(mutex_);
    return std::exchange(counts_, {});
  }
  std::map<std::string, std::string> Contents() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::string> contents;
    for (const auto& [key, object] : objects_) {
      contents[key] = object.bytes;
    }
    return contents;
  }
  void PutDirectly(const std::string& key, std::string bytes) {
    const std::lock_guard lock(mutex_);
    objects_[key] = {std::move(bytes), NewEtag(), clock};
  }
  void DeleteDirectly(const std::string& key) {
    const std::lock_guard lock(mutex_);
    objects_.erase(key);
  }
  void SetContents(const std::map<std::string, std::string>& contents) {
    const std::lock_guard lock(mutex_);
    objects_.clear();
    for (const auto& [key, bytes] : contents) {
      objects_[key] = {bytes, NewEtag(), clock};
    }
  }
  size_t uploads() const {
    const std::lock_guard lock(mutex_);
    return uploads_.size();
  }

  std::string lasting = "a store in memory";
  bool has_uploads = true;
  uint32_t max_parts = 10'000;
  bool counts_for_itself = false;
  // What it does with the conditions of puts. Of a store that refuses or ignores them, nobody gets a repository without
  // `only_writer`.
  enum class Conditions { kKept, kRefused, kIgnored };
  Conditions conditions = Conditions::kKept;
  bool only_writer = false;
  // Which objects cannot be deleted, and whether the answer names them.
  std::function<bool(const std::string& key)> locks;
  bool names_refused = true;
  // What is said of a lock, in milliseconds from when an object was written. 0: nothing.
  int64_t locked_for = 0;
  size_t page_size = 1000;
  // When objects are written, in milliseconds since 1970.
  int64_t clock = 0;

 private:
  using Kind = StoreRequest::Kind;
  struct Object {
    std::string bytes;
    std::string etag;
    int64_t written = 0;
  };
  struct Upload {
    std::string key;
    std::map<uint32_t, std::string> parts;
  };

  static StoreAnswer Failed(StoreFailure failure) {
    static const std::map<StoreFailure, std::pair<const char*, const char*>> kErrors = {
        {StoreFailure::kNotFound, {"STORE_NOT_FOUND", "the store has no such object"}},
        {StoreFailure::kConditionFailed, {"STORE_CONDITION_FAILED", "the condition does not hold"}},
        {StoreFailure::kDenied, {"STORE_DENIED", "this user may not do that (403 AccessDenied)"}},
        {StoreFailure::kNoBucket, {"STORE_NO_BUCKET", "there is no such bucket (404 NoSuchBucket)"}},
        {StoreFailure::kBusy, {"STORE_UNREACHABLE", "the store does not answer (503 SlowDown)"}},
        {StoreFailure::kRefused, {"STORE_REFUSED", "the store refuses it"}},
    };
    const auto& [code, message] = kErrors.at(failure);
    return StoreAnswer::Failed(failure, Error(code, message));
  }

  // Never the same twice, in no store of this process, unless the store counts for itself.
  std::string NewEtag() {
    static std::atomic<uint64_t> etags{0};
    return "\"" + std::to_string(counts_for_itself ? ++own_etags_ : ++etags) + "\"";
  }

  StoreAnswer Store(const std::string& key, std::string bytes) {
    StoreAnswer answer;
    Object& object = objects_[key];
    object = {std::move(bytes), NewEtag(), clock};
    answer.etag = object.etag;
    return answer;
  }

  StoreAnswer Delete(const std::vector<std::string>& keys) {
    StoreAnswer answer;
    for (const auto& key : keys) {
      if (!locks || !locks(key)) {
        objects_.erase(key);
        continue;
      }
      std::vector<std::string> refused = std::move(answer.refused);
      answer = Failed(StoreFailure::kRefused);
      refused.push_back(key);
      answer.refused = std::move(refused);
      if (!names_refused) {
        answer.refused.clear();
        return answer;  // and what comes after this key stays, too
      }
    }
    return answer;
  }

  // Of a put.
  bool Fails(const StoreRequest& request, const Object* there) const {
    return conditions == Conditions::kKept &&
           ((request.if_absent && there != nullptr) ||
            (!request.if_match.empty() && (there == nullptr || there->etag != request.if_match)));
  }

  StoreAnswer Answer(const StoreRequest& request) {
    const std::lock_guard lock(mutex_);
    StoreAnswer answer;
    const auto object = objects_.find(request.key);
    const bool there = object != objects_.end();
    switch (request.kind) {
      case Kind::kPut:
        if (conditions == Conditions::kRefused && (request.if_absent || !request.if_match.empty())) {
          return Failed(StoreFailure::kRefused);
        }
        if (Fails(request, there ? &object->second : nullptr)) {
          return Failed(StoreFailure::kConditionFailed);
        }
        return Store(request.key, std::string(request.data()));
      case Kind::kGet:
        if (!there) {
          return Failed(StoreFailure::kNotFound);
        }
        if (!request.if_match.empty() && object->second.etag != request.if_match) {
          return Failed(StoreFailure::kConditionFailed);
        }
        answer.etag = object->second.etag;
        if (const std::string& bytes = object->second.bytes; request.offset < bytes.size()) {
          SetBytes(request, std::string_view(bytes).substr(request.offset, request.length), &answer);
        }
        return answer;
      case Kind::kList:
        for (auto next = objects_.lower_bound(std::max(request.key, request.after));
             next != objects_.end() && next->first.starts_with(request.key); ++next) {
          if (next->first == request.after) {
            continue;
          }
          if (answer.objects.size() == page_size) {
            answer.next = answer.objects.back().key;
            break;
          }
          answer.objects.push_back({next->first, next->second.bytes.size(), next->second.etag, next->second.written});
        }
        return answer;
      case Kind::kDelete:
        return Delete(request.keys);
      case Kind::kCreateUpload:
        answer.upload = "upload " + NewEtag();
        uploads_[answer.upload].key = request.key;
        return answer;
      case Kind::kPart:
        if (!uploads_.contains(request.upload)) {
          return Failed(StoreFailure::kNotFound);
        }
        uploads_[request.upload].parts[request.part] = request.data();
        answer.etag = NewEtag();
        return answer;
      case Kind::kComplete: {
        if (!uploads_.contains(request.upload)) {
          return Failed(StoreFailure::kNotFound);
        }
        std::string whole;
        for (const auto& [number, bytes] : uploads_[request.upload].parts) {
          whole += bytes;
        }
        uploads_.erase(request.upload);
        return Store(request.key, std::move(whole));
      }
      case Kind::kAbort:
        uploads_.erase(request.upload);
        return answer;
      case Kind::kListUploads:
        for (const auto& [upload, begun] : uploads_) {
          answer.objects.push_back({begun.key, 0, upload, 0});
        }
        return answer;
    }
    return answer;
  }

  const std::string name_;
  mutable std::mutex mutex_;  // guards all members below
  Hook hook_;
  std::map<Kind, int> counts_;
  std::map<std::string, Object> objects_;
  std::map<std::string, Upload> uploads_;
  uint64_t own_etags_ = 0;
};

}  // namespace rocksdb_backup::test
