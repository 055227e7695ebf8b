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

// JS classes over C++ objects. They cost less than Napi::ObjectWrap, and they are safe against a wrong `this`: the
// wrapped pointer is used only if it is a live object of this env and of the right class. (Type tags would do the same,
// for the price of another property lookup for each call.)

// The arguments of a call. A missing argument reads as undefined.
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

// The id of a type is the address of its tag.
template <typename T>
struct TypeId {
  static inline const char tag = 0;
  static const void* id() { return &tag; }
};

// The C++ side of one JS object, which lives as long as that object. It is created, used and destroyed on its env's JS
// thread.
class Wrapped {
 public:
  virtual ~Wrapped();
  Wrapped(const Wrapped&) = delete;
  Wrapped& operator=(const Wrapped&) = delete;

  const void* type_id() const { return type_id_; }

  // The env ends: gives up everything that is shared with other threads. The destructor runs some time later and must
  // not use AddonData any more.
  void EnvEnds() { Detach(*std::exchange(addon_, nullptr)); }

 protected:
  explicit Wrapped(const void* type_id) : type_id_(type_id) {}
  virtual void Detach(AddonData& /*addon*/) {}
  // Null if the env is ending.
  AddonData* addon() const { return addon_; }

 private:
  friend class Wrapping;
  const void* const type_id_;
  AddonData* addon_ = nullptr;
};

// The part of the code that needs no template.
class Wrapping {
 public:
  using Function = napi_value (*)(napi_env, napi_callback_info);

  static Napi::Function Define(Napi::Env env, const char* name, const void* type_id,
                               std::span<const napi_property_descriptor> properties);
  static Napi::Object Wrap(Napi::Env env, std::unique_ptr<Wrapped> object);
  // Null if `value` is not such an object.
  static Wrapped* Unwrap(Napi::Env env, napi_value value, const void* type_id);
  [[noreturn]] static void ThrowWrongReceiver(Napi::Env env);

  // Runs `body` with the arguments of the call. An exception of it becomes a JS exception or a rejected promise.
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

// Gives a new C++ object to JS. DefineClass must have defined its class.
template <typename T>
Napi::Object Wrap(Napi::Env env, std::unique_ptr<T> object) {
  return Wrapping::Wrap(env, std::move(object));
}

// The C++ object of a JS value. Null if the value is not a T.
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

inline napi_property_descriptor Property(const char* name, napi_callback method, napi_callback getter, int attributes) {
  return {name, nullptr, method, getter, nullptr, nullptr, napi_property_attributes(attributes), nullptr};
}

// T::method(const Args&). Its exceptions are thrown into JS.
template <auto kMethod>
napi_property_descriptor Method(const char* name) {
  return Property(name, MethodTraits<kMethod>::template Invoke<false>, nullptr, napi_default_method);
}

// The same for a method that returns a promise. Its exceptions reject the promise.
template <auto kMethod>
napi_property_descriptor AsyncMethod(const char* name) {
  return Property(name, MethodTraits<kMethod>::template Invoke<true>, nullptr, napi_default_method);
}

template <auto kMethod>
napi_property_descriptor Getter(const char* name) {
  return Property(name, nullptr, MethodTraits<kMethod>::template Invoke<false>, napi_configurable);
}

// A free function(const Args&), as a static method.
template <auto kFunction>
napi_property_descriptor Static(const char* name) {
  return Property(name, InvokeFunction<kFunction, false>, nullptr, napi_default_method | napi_static);
}

template <auto kFunction>
napi_property_descriptor AsyncStatic(const char* name) {
  return Property(name, InvokeFunction<kFunction, true>, nullptr, napi_default_method | napi_static);
}

// Defines the JS class of T. `new` in JS throws; objects are made by Wrap.
template <typename T>
Napi::Function DefineClass(Napi::Env env, const char* name,
                           std::initializer_list<napi_property_descriptor> properties) {
  return Wrapping::Define(env, name, TypeId<T>::id(), {properties.begin(), properties.size()});
}

// A free function(const Args&), as a JS function.
template <auto kFunction, bool kReject = false>
Napi::Function MakeFunction(Napi::Env env, const char* name) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, InvokeFunction<kFunction, kReject>, nullptr, &function);
  return Napi::Function(env, function);
}

// A JS object's share in a Resource. It is the base of every class over a resource. Closing drops the share, and the
// resource closes with its last share.
template <typename R>
class Handle : public Wrapped {
 public:
  // The object was garbage collected while it was open. A derived class that overrides BeforeClose must do the same in
  // its own destructor.
  ~Handle() override {
    if (resource_ != nullptr && addon() != nullptr) {
      addon()->RemoveHandle(std::exchange(resource_, nullptr), {});
    }
  }

  bool open() const { return resource_ != nullptr; }

  // The resource. Throws an error into JS if this handle was closed.
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

  // If this was the last handle, the promise resolves when the resource is closed. Otherwise it waits for nothing. A
  // second close returns the promise of the first.
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
  // AddHandle of `resource` must have succeeded for this object.
  Handle(const void* type_id, std::shared_ptr<R> resource) : Wrapped(type_id), resource_(std::move(resource)) {}

  // Ends what this handle opened, such as iterators and snapshots. Runs on the JS thread; must not block.
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
