#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "napi/runtime/addon_data.h"
#include "napi/runtime/errors.h"
#include "napi/runtime/napi_setup.h"
#include "napi/runtime/task.h"

namespace rocksdb_backup {

// JS classes over C++ objects. Leaner than Napi::ObjectWrap, and safe against a wrong `this`: the wrapped pointer is
// used only if it is one of this env's live objects and of the right class. (Type tags would do the same for the price
// of another property lookup per call.)

// The arguments of a call. A missing one reads as undefined.
class Args {
 public:
  static constexpr size_t kMax = 8;

  Args(Napi::Env env, napi_value self, std::span<const napi_value> values) : env_(env), self_(self), values_(values) {}
  Napi::Env Env() const { return env_; }
  Napi::Object This() const { return Napi::Object(env_, self_); }
  size_t size() const { return values_.size(); }
  Napi::Value operator[](size_t i) const {
    return i < values_.size() ? Napi::Value(env_, values_[i]) : env_.Undefined();
  }

 private:
  Napi::Env env_;
  napi_value self_;
  std::span<const napi_value> values_;
};

// The address of a type's tag is its id.
template <typename T>
struct TypeId {
  static inline const char tag = 0;
  static const void* id() { return &tag; }
};

// One JS object. Lives as long as it; created, used and destroyed on its env's JS thread.
class Wrapped {
 public:
  virtual ~Wrapped();
  Wrapped(const Wrapped&) = delete;
  Wrapped& operator=(const Wrapped&) = delete;

  const void* type_id() const { return type_id_; }

  // The env ends: let go of everything that is shared with other threads. The destructor, which follows some time
  // later, must not use AddonData any more.
  void EnvEnds() { Detach(*std::exchange(addon_, nullptr)); }

 protected:
  explicit Wrapped(const void* type_id) : type_id_(type_id) {}
  virtual void Detach(AddonData& /*addon*/) {}
  // Null when the env is ending.
  AddonData* addon() const { return addon_; }

 private:
  friend class Wrapping;
  const void* const type_id_;
  AddonData* addon_ = nullptr;
};

// The part of the machinery that needs no template.
class Wrapping {
 public:
  using Function = napi_value (*)(napi_env, napi_callback_info);

  static Napi::Function Define(Napi::Env env, const char* name, const void* type_id,
                               std::span<const napi_property_descriptor> properties);
  static Napi::Object Wrap(Napi::Env env, std::unique_ptr<Wrapped> object);
  // Null when `value` is not such an object.
  static Wrapped* Unwrap(Napi::Env env, napi_value value, const void* type_id);
  [[noreturn]] static void ThrowWrongReceiver(Napi::Env env);

  // Runs `body` with the arguments of the call; whatever it throws becomes a JS exception, or a rejected promise.
  template <typename Body>
  static napi_value Call(napi_env env, napi_callback_info info, bool reject, Body&& body) noexcept {
    try {
      napi_value values[Args::kMax];
      size_t count = Args::kMax;
      napi_value self = nullptr;
      napi_get_cb_info(env, info, &count, values, &self, nullptr);
      return body(Args(env, self, {values, std::min(count, Args::kMax)}));
    } catch (const Napi::Error& error) {
      return Failed(env, reject, error.Value());
    } catch (const std::exception& error) {
      return Failed(env, reject, error);
    }
  }

 private:
  static napi_value Construct(napi_env env, napi_callback_info info);
  static napi_value Failed(napi_env env, bool reject, napi_value error) noexcept;
  static napi_value Failed(napi_env env, bool reject, const std::exception& error) noexcept;
};

// Hands a new C++ object to JS. Its class was defined by DefineClass.
template <typename T>
Napi::Object Wrap(Napi::Env env, std::unique_ptr<T> object) {
  return Wrapping::Wrap(env, std::move(object));
}

// The C++ object of a JS value, or null when the value is not a T.
template <typename T>
T* Unwrap(Napi::Env env, napi_value value) {
  return static_cast<T*>(Wrapping::Unwrap(env, value, TypeId<T>::id()));
}

template <auto kMethod>
struct MethodTraits;

template <typename T, typename R, R (T::*kMethod)(const Args&)>
struct MethodTraits<kMethod> {
  template <bool kReject>
  static napi_value Invoke(napi_env env, napi_callback_info info) {
    return Wrapping::Call(env, info, kReject, [env](const Args& args) -> napi_value {
      T* self = Unwrap<T>(env, args.This());
      if (self == nullptr) {
        Wrapping::ThrowWrongReceiver(env);
      }
      if constexpr (std::is_void_v<R>) {
        (self->*kMethod)(args);
        return nullptr;
      } else {
        return (self->*kMethod)(args);
      }
    });
  }
};

template <auto kFunction, bool kReject>
napi_value InvokeFunction(napi_env env, napi_callback_info info) {
  return Wrapping::Call(env, info, kReject, [](const Args& args) -> napi_value {
    if constexpr (std::is_void_v<decltype(kFunction(args))>) {
      kFunction(args);
      return nullptr;
    } else {
      return kFunction(args);
    }
  });
}

// T::method(const Args&); exceptions are thrown into JS.
template <auto kMethod>
napi_property_descriptor Method(const char* name) {
  return {
      name,   nullptr, MethodTraits<kMethod>::template Invoke<false>, nullptr, nullptr, nullptr, napi_default_method,
      nullptr};
}

// The same for a method that returns a promise: exceptions reject it.
template <auto kMethod>
napi_property_descriptor AsyncMethod(const char* name) {
  return {name,   nullptr, MethodTraits<kMethod>::template Invoke<true>, nullptr, nullptr, nullptr, napi_default_method,
          nullptr};
}

template <auto kMethod>
napi_property_descriptor Getter(const char* name) {
  return {name,
          nullptr,
          nullptr,
          MethodTraits<kMethod>::template Invoke<false>,
          nullptr,
          nullptr,
          napi_property_attributes(napi_configurable),
          nullptr};
}

// A free function(const Args&) as a static method.
template <auto kFunction>
napi_property_descriptor Static(const char* name) {
  return {name,
          nullptr,
          InvokeFunction<kFunction, false>,
          nullptr,
          nullptr,
          nullptr,
          napi_property_attributes(napi_default_method | napi_static),
          nullptr};
}

template <auto kFunction>
napi_property_descriptor AsyncStatic(const char* name) {
  return {name,
          nullptr,
          InvokeFunction<kFunction, true>,
          nullptr,
          nullptr,
          nullptr,
          napi_property_attributes(napi_default_method | napi_static),
          nullptr};
}

// Defines the JS class of T. `new` from JS throws; objects come from Wrap.
template <typename T>
Napi::Function DefineClass(Napi::Env env, const char* name,
                           std::initializer_list<napi_property_descriptor> properties) {
  return Wrapping::Define(env, name, TypeId<T>::id(), {properties.begin(), properties.size()});
}

// A free function(const Args&) as a JS function.
template <auto kFunction, bool kReject = false>
Napi::Function MakeFunction(Napi::Env env, const char* name) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, InvokeFunction<kFunction, kReject>, nullptr, &function);
  return Napi::Function(env, function);
}

// A JS object's share in a Resource: the base of every class over one. Closing drops the share; the resource closes
// with its last one.
template <typename R>
class Handle : public Wrapped {
 public:
  // Garbage collected while open. A derived class that overrides BeforeClose does the same in its own destructor.
  ~Handle() override {
    if (resource_ != nullptr && addon() != nullptr) {
      addon()->RemoveHandle(std::exchange(resource_, nullptr), {});
    }
  }

  bool open() const { return resource_ != nullptr; }

  // The resource, or an error thrown into JS when this handle was closed.
  R& resource(Napi::Env env) const {
    if (resource_ == nullptr) {
      Throw(env, R::ClosedError());
    }
    return *resource_;
  }
  const std::shared_ptr<R>& shared_resource(Napi::Env env) const {
    resource(env);
    return resource_;
  }

  // A promise of the resource's end if this was its last handle, of nothing otherwise. A second close waits for the
  // first.
  Napi::Value CloseHandle(Napi::Env env) {
    if (resource_ != nullptr) {
      BeforeClose();
      Napi::Promise promise;
      Resource::Done done = Completion(env, &promise);
      closing_ = Napi::Persistent(promise.As<Napi::Object>());
      addon()->RemoveHandle(std::exchange(resource_, nullptr), std::move(done));
    }
    return closing_.Value();
  }

 protected:
  // `resource` must have got a handle for this object by AddHandle.
  Handle(const void* type_id, std::shared_ptr<R> resource) : Wrapped(type_id), resource_(std::move(resource)) {}

  // Ends what this handle opened: iterators, snapshots. JS thread; must not block.
  virtual void BeforeClose() {}

  void Detach(AddonData& addon) override {
    if (resource_ != nullptr) {
      BeforeClose();
      addon.RemoveHandle(std::exchange(resource_, nullptr), {});
    }
    closing_.Reset();
  }

 private:
  std::shared_ptr<R> resource_;
  Napi::ObjectReference closing_;
};

}  // namespace rocksdb_backup
