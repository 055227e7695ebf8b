#include "napi/stores/js_memory.h"

#include <utility>

namespace rocksdb_backup {

Napi::Value JsMemory::BufferOf(Napi::Env env, const std::shared_ptr<PartMemory>& memory) {
  if (const auto known = known_.find(memory.get()); known != known_.end()) {
    return known->second.buffer.Value();
  }
  ForgetAbandoned();
  auto* kept = new std::shared_ptr<PartMemory>(memory);
  napi_value value = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, memory->bytes, memory->capacity,
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<PartMemory>*>(hint); }, kept, &value);
  if (status != napi_ok) {
    delete kept;
    return env.Undefined();
  }
  const Napi::ArrayBuffer buffer(env, value);
  known_.emplace(memory.get(), Known{memory, Napi::Persistent(buffer)});
  return buffer;
}

// Somebody in JS may still use it. So it goes when JS has collected its objects.
void JsMemory::ForgetAbandoned() {
  std::erase_if(known_, [](const auto& known) { return known.second.memory->abandoned.load(); });
}

void JsMemory::Trim(Napi::Env env) {
  const Napi::HandleScope scope(env);
  ForgetAbandoned();
  std::erase_if(known_, [](auto& known) {
    auto& [memory, buffer] = known.second;
    // One owner is this, the other one is the ArrayBuffer.
    if (memory.use_count() > 2) {
      return false;
    }
    buffer.Value().Detach();
    return true;
  });
}

}  // namespace rocksdb_backup
