#pragma once

#include <memory>
#include <unordered_map>

#include "core/stores/object_store.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The memory of parts, as one JS thread sees it: for each an ArrayBuffer, which is used for many requests. A new one
// for each request would be left to the garbage collection, and with it the memory of many parts.
class JsMemory {
 public:
  // Undefined if this runtime knows no ArrayBuffer over memory of native code.
  Napi::Value BufferOf(Napi::Env env, const std::shared_ptr<PartMemory>& memory);
  // Lets go of the memory that only JS has.
  void Trim(Napi::Env env);

 private:
  struct Known {
    std::shared_ptr<PartMemory> memory;
    Napi::Reference<Napi::ArrayBuffer> buffer;
  };
  void ForgetAbandoned();

  std::unordered_map<const PartMemory*, Known> known_;
};

}  // namespace rocksdb_backup
