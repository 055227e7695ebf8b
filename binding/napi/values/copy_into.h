#pragma once

#include <cstring>

#include "napi/runtime/napi_setup.h"
#include "rocksdb/slice.h"

namespace rocksdb_backup {

// Copies bytes to the beginning of a Buffer and returns their number. Returns an empty Value if there is no Buffer, or
// if it is too small.
inline Napi::Value CopyInto(Napi::Env env, Napi::Value buffer, const rocksdb::Slice& bytes) {
  void* data = nullptr;
  size_t size = 0;
  if (buffer.IsUndefined() || napi_get_buffer_info(env, buffer, &data, &size) != napi_ok || bytes.size() > size) {
    return {};
  }
  if (!bytes.empty()) {
    std::memcpy(data, bytes.data(), bytes.size());
  }
  return Napi::Number::New(env, static_cast<double>(bytes.size()));
}

}  // namespace rocksdb_backup
