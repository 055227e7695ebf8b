#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The way from any thread into one env's JS thread. The queue is ours and Node's thread-safe function only rings the
// bell: so a burst of posts costs one wake-up, and what was posted to an ending env can be destroyed on its JS thread
// while references into it are still valid.
//
// An idle channel does not keep the event loop alive; Ref does, once per pending operation.
class JsChannel : public std::enable_shared_from_this<JsChannel> {
 public:
  using Call = std::function<void(Napi::Env)>;

  static std::shared_ptr<JsChannel> New(Napi::Env env);

  // Any thread. Once the channel is closed the call is dropped and destroyed at once, on this thread: calls that hold
  // JS references belong to long tasks, for which the env waits before it closes the channel.
  void Post(Call call);

  // JS thread.
  void Ref(Napi::Env env);
  void Unref(Napi::Env env);

  // JS thread, when the env ends: what was posted and did not run is destroyed.
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
