#include "napi/runtime/js_channel.h"

#include <utility>

namespace rocksdb_backup {

std::shared_ptr<JsChannel> JsChannel::New(Napi::Env env) {
  auto channel = std::make_shared<JsChannel>();
  auto* context = new std::shared_ptr<JsChannel>(channel);
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, Napi::String::New(env, "rocksdb-backup"), 0, 1, context,
      [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<JsChannel>*>(data); }, context, Wake,
      &channel->bell_);
  if (status != napi_ok) {
    delete context;
    throw Napi::Error::New(env);
  }
  napi_unref_threadsafe_function(env, channel->bell_);
  return channel;
}

void JsChannel::Post(Call call) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    return;
  }
  calls_.push_back(std::move(call));
  if (!std::exchange(rung_, true)) {
    napi_call_threadsafe_function(bell_, nullptr, napi_tsfn_nonblocking);
  }
}

void JsChannel::Ref(Napi::Env env) {
  if (refs_++ == 0) {
    napi_ref_threadsafe_function(env, bell_);
  }
}

void JsChannel::Unref(Napi::Env env) {
  if (--refs_ == 0) {
    napi_unref_threadsafe_function(env, bell_);
  }
}

void JsChannel::Close() {
  std::deque<Call> dropped;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(calls_);
}

void JsChannel::Wake(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) {
    return;  // the env is ending
  }
  // A copy, because the context may be destroyed while a call runs.
  const std::shared_ptr<JsChannel> self = *static_cast<std::shared_ptr<JsChannel>*>(context);
  self->Drain(env);
}

void JsChannel::Drain(Napi::Env env) {
  std::deque<Call> calls;
  {
    const std::lock_guard lock(mutex_);
    rung_ = false;
    calls.swap(calls_);
  }
  while (!calls.empty()) {
    const Napi::HandleScope scope(env);
    const Call call = std::move(calls.front());
    calls.pop_front();
    try {
      call(env);
    } catch (const Napi::Error& error) {
      // The same as an exception in a timer: 'uncaughtException'. In an ending Worker it fails silently, as it should.
      napi_fatal_exception(env, error.Value());
    }
  }
}

}  // namespace rocksdb_backup
