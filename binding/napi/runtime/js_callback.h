#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "napi/runtime/addon_data.h"
#include "napi/runtime/js_channel.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// A JS function that other threads call. The JsCallback itself is kept on the JS thread. Other threads only have the
// Caller, which does nothing after the function is gone.
class JsCallback {
 public:
  // Builds the arguments, on the JS thread, and calls the function with them. An exception of the function leaves
  // `Invoke`.
  using Invoke = std::function<void(Napi::Env, const Napi::Function&)>;

  class Caller {
   public:
    Caller() = default;
    Caller(std::weak_ptr<Napi::FunctionReference> function, std::shared_ptr<JsChannel> channel)
        : function_(std::move(function)), channel_(std::move(channel)) {}

    // May be called on any thread. If the function is gone or the env ends, `invoke` is destroyed without being called.
    void operator()(Invoke invoke) const {
      channel_->Post([function = function_, invoke = std::move(invoke)](Napi::Env env) {
        if (const auto alive = function.lock()) {
          invoke(env, alive->Value());
        }
      });
    }

   private:
    std::weak_ptr<Napi::FunctionReference> function_;
    std::shared_ptr<JsChannel> channel_;
  };

  JsCallback() = default;
  explicit JsCallback(Napi::Function function)
      : function_(std::make_shared<Napi::FunctionReference>(Napi::Persistent(function))),
        channel_(AddonData::Of(function.Env()).channel()) {}

  explicit operator bool() const { return function_ != nullptr; }
  Caller caller() const { return Caller(function_, channel_); }
  void Reset() { function_.reset(); }

 private:
  std::shared_ptr<Napi::FunctionReference> function_;
  std::shared_ptr<JsChannel> channel_;
};

}  // namespace rocksdb_backup
