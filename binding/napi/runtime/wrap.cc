#include "napi/runtime/wrap.h"

namespace rocksdb_backup {

Wrapped::~Wrapped() {
  if (addon_ != nullptr) {
    addon_->RemoveWrapped(this);
  }
}

Napi::Function Wrapping::Define(Napi::Env env, const char* name, const void* type_id,
                                std::span<const napi_property_descriptor> properties) {
  napi_value constructor = nullptr;
  if (napi_define_class(env, name, NAPI_AUTO_LENGTH, Construct, nullptr, properties.size(), properties.data(),
                        &constructor) != napi_ok) {
    throw Napi::Error::New(env);
  }
  Napi::Function function(env, constructor);
  AddonData::Of(env).classes[type_id] = Napi::Persistent(function);
  return function;
}

Napi::Object Wrapping::Wrap(Napi::Env env, std::unique_ptr<Wrapped> object) {
  AddonData& addon = AddonData::Of(env);
  addon.constructing = object.get();
  Napi::Object result;
  try {
    result = addon.classes[object->type_id()].New({});
  } catch (...) {
    addon.constructing = nullptr;
    throw;
  }
  Wrapped* wrapped = object.release();  // the JS object owns it now
  wrapped->addon_ = &addon;
  addon.AddWrapped(wrapped);
  return result;
}

napi_value Wrapping::Construct(napi_env env, napi_callback_info info) {
  return Call(env, info, false, [env](const Args& args) -> napi_value {
    AddonData& addon = AddonData::Of(env);
    Wrapped* wrapped = std::exchange(addon.constructing, nullptr);
    if (wrapped == nullptr) {
      throw Napi::TypeError::New(env, "Illegal constructor");
    }
    const napi_status status = napi_wrap(
        env, args.This(), wrapped, [](napi_env, void* data, void*) { delete static_cast<Wrapped*>(data); }, nullptr,
        nullptr);
    if (status != napi_ok) {
      throw Napi::Error::New(env);
    }
    return args.This();
  });
}

Wrapped* Wrapping::Unwrap(Napi::Env env, napi_value value, const void* type_id) {
  void* pointer = nullptr;
  if (napi_unwrap(env, value, &pointer) != napi_ok || !AddonData::Of(env).IsWrapped(pointer)) {
    return nullptr;
  }
  auto* wrapped = static_cast<Wrapped*>(pointer);
  return wrapped->type_id() == type_id ? wrapped : nullptr;
}

void Wrapping::ThrowWrongReceiver(Napi::Env env) { throw Napi::TypeError::New(env, "Illegal invocation"); }

napi_value Wrapping::Failed(napi_env env, bool reject, napi_value error) noexcept {
  if (!reject) {
    napi_throw(env, error);
    return nullptr;
  }
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env, &deferred, &promise) == napi_ok) {
    napi_reject_deferred(env, deferred, error);
  }
  return promise;
}

napi_value Wrapping::Failed(napi_env env, bool reject, const std::exception& error) noexcept {
  try {
    return Failed(env, reject, ToJs(env, Error("ROCKSDB_ABORTED", error.what())));
  } catch (...) {
    return nullptr;  // the env is ending, so nothing can be reported to JS
  }
}

}  // namespace rocksdb_backup
