#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// Carries calls from any thread to the JS thread of one env. The queue is our own; Node's thread-safe function only
// wakes the JS thread. So a burst of posts costs one wake-up. And calls that were posted to an ending env can be
// destroyed on its JS thread, while references into the env are still valid.
//
// An idle channel does not keep the event loop alive. Ref does; it is called once for each pending operation.
class JsChannel : public std::enable_shared_from_this<JsChannel> {
 public:
  using Call = std::function<void(Napi::Env)>;

  static std::shared_ptr<JsChannel> New(Napi::Env env);

  // May be called on any thread. After the channel is closed, the call is dropped and destroyed at once, on this
  // thread. That is safe, because calls that hold JS references belong to long tasks, and the env waits for those
  // before it closes the channel.
  void Post(Call call);

  // JS thread only.
  void Ref(Napi::Env env);
  void Unref(Napi::Env env);

  // JS thread only, when the env ends. Destroys the calls that were posted and did not run.
  void Close();

 private:
  static void Wake(napi_env env, napi_value, void* context, void*);
  void Drain(Napi::Env env);

  std::mutex mutex_;
  std::deque<Call> calls_;
  napi_threadsafe_function bell_ = nullptr;
  bool closed_ = false;
  bool rung_ = false;
  int refs_ = 0;  // JS thread only
};

}  // namespace rocksdb_backup
