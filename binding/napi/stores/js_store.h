#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/stores/object_store.h"
#include "napi/runtime/js_callback.h"
#include "napi/runtime/napi_setup.h"
#include "napi/stores/js_memory.h"

namespace rocksdb_backup {

// An object store whose requests are answered by JS, on any JS thread of the process. That thread serves the store by
// its id (serveStore). Requests that come earlier wait for it. If it ends, all requests fail.
class JsStore : public ObjectStore, public std::enable_shared_from_this<JsStore> {
 public:
  // What is known of a store before some thread serves it.
  struct Settings {
    bool single_writer = false;
    // Objects of backups are locked for so long after they were written, or until then. In milliseconds; 0: they are
    // not.
    int64_t locked_for = 0;
    int64_t locked_until = 0;
  };
  static std::shared_ptr<JsStore> New(std::string name, const Settings& settings);
  // Null if there is none any more.
  static std::shared_ptr<JsStore> Find(const std::string& id);

  JsStore(std::string name, const Settings& settings) : name_(std::move(name)), settings_(settings) {}
  ~JsStore() override;

  const std::string& id() const { return id_; }
  const std::string& name() const override { return name_; }
  std::string lasting_identity() const override;
  Limits limits() const override;
  bool single_writer() const override { return settings_.single_writer; }
  int64_t LockedUntil(int64_t written) const override {
    return settings_.locked_for > 0 ? written + settings_.locked_for : settings_.locked_until;
  }
  std::shared_ptr<StoreCall> Send(StoreRequest request) override;

  void Trim() override;

  // JS thread that serves. `send(callId, request)` and `cancel(callId)` are JS functions.
  void Serve(const JsCallback::Caller& send, JsCallback::Caller cancel, Limits limits, std::string lasting_identity,
             std::weak_ptr<JsMemory> memory);
  // `bytes` are what a kGet brought. `repeated`: the request was sent more than once, and nobody knows whether an
  // earlier one still uses its memory.
  void Answer(uint32_t call_id, StoreAnswer answer, std::string_view bytes = {}, bool repeated = false);
  // Nobody will serve the store. Every request fails with this error, now and later.
  void Fail(Error error);

 private:
  struct Call {
    std::shared_ptr<StoreCall> call;
    StoreRequest::Kind kind;
    std::shared_ptr<Part> memory;
  };
  // The call of a request that gets no answer, or that is not the last user of its memory.
  static void Abandon(const Call& call);
  void Post(const JsCallback::Caller& send, uint32_t call_id, StoreRequest request);
  void Forget(uint32_t call_id);

  std::string id_;
  const std::string name_;
  const Settings settings_;
  mutable std::mutex mutex_;  // guards all members below
  Error failed_;
  Limits limits_;
  std::string lasting_identity_;
  std::optional<JsCallback::Caller> send_;  // not set: nobody serves the store yet
  std::optional<JsCallback::Caller> cancel_;
  std::weak_ptr<JsMemory> memory_;
  uint32_t last_call_ = 0;
  std::unordered_map<uint32_t, Call> calls_;
  std::vector<std::pair<uint32_t, StoreRequest>> waiting_;
};

// Defines newStore(name, settings), serveStore(id, send, cancel, about), and failStore(id, message).
void RegisterStores(Napi::Env env, Napi::Object exports);

}  // namespace rocksdb_backup
