#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/stores/object_store.h"
#include "napi/runtime/js_callback.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// An object store whose requests are answered by JS, on any JS thread of the process. That thread serves the store by
// its id (serveStore). Requests that come earlier wait for it. If it ends, all requests fail.
class JsStore : public ObjectStore, public std::enable_shared_from_this<JsStore> {
 public:
  static std::shared_ptr<JsStore> New(std::string name);
  // Null if there is none any more.
  static std::shared_ptr<JsStore> Find(const std::string& id);

  explicit JsStore(std::string name) : name_(std::move(name)) {}
  ~JsStore() override;

  const std::string& id() const { return id_; }
  const std::string& name() const override { return name_; }
  std::string lasting_identity() const override;
  Limits limits() const override;
  std::shared_ptr<StoreCall> Send(StoreRequest request) override;

  // JS thread that serves. `send(callId, request)` and `cancel(callId)` are JS functions.
  void Serve(const JsCallback::Caller& send, JsCallback::Caller cancel, Limits limits, std::string lasting_identity);
  void Answer(uint32_t call_id, StoreAnswer answer);
  // Nobody will serve the store. Every request fails with this error, now and later.
  void Fail(Error error);

 private:
  void Post(const JsCallback::Caller& send, uint32_t call_id, StoreRequest request);
  void Forget(uint32_t call_id);

  std::string id_;
  const std::string name_;
  mutable std::mutex mutex_;  // guards all members below
  Error failed_;
  Limits limits_;
  std::string lasting_identity_;
  std::optional<JsCallback::Caller> send_;  // not set: nobody serves the store yet
  std::optional<JsCallback::Caller> cancel_;
  uint32_t last_call_ = 0;
  std::unordered_map<uint32_t, std::shared_ptr<StoreCall>> calls_;
  std::vector<std::pair<uint32_t, StoreRequest>> waiting_;
};

// Defines newStore(name), serveStore(id, send, cancel, about), and failStore(id, message).
void RegisterStores(Napi::Env env, Napi::Object exports);

}  // namespace rocksdb_backup
