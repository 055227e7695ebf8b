#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "napi/runtime/napi_setup.h"
#include "rocksdb/slice.h"

namespace rocksdb_backup {

// Memory from JS (lib/native/reads.ts) that small values are copied into, one after another. JS gives new memory before
// this is full.
class ReadPool {
 public:
  static constexpr size_t kMaxValue = 4096;

  void Use(Napi::Env env, Napi::Value buffer) {
    void* data = nullptr;
    size_t size = 0;
    if (napi_get_buffer_info(env, buffer, &data, &size) != napi_ok || size > kMaxSize) {
      throw Napi::TypeError::New(env, "the read pool is a Buffer of at most 256 KiB");
    }
    memory_ = Napi::Persistent(buffer.As<Napi::Uint8Array>().ArrayBuffer());
    data_ = static_cast<char*>(data);
    size_ = size;
    used_ = 0;
  }

  void Release() {
    memory_.Reset();
    size_ = used_ = 0;
  }

  // Copies a value and returns its place, for lib/native/reads.ts. Returns an empty Value if the value does not fit.
  Napi::Value Put(Napi::Env env, const rocksdb::Slice& value) {
    if (size_ == 0 || value.size() > kMaxValue || value.size() > size_ - used_) {
      return {};
    }
    if (memory_.Value().IsDetached()) {  // JS code transferred the memory of a value, so it is no longer ours
      Release();
      return {};
    }
    if (!value.empty()) {
      std::memcpy(data_ + used_, value.data(), value.size());
    }
    const auto place = static_cast<uint32_t>(used_ << kSizeBits | value.size());
    constexpr size_t kAlignment = 8;
    used_ = std::min(size_, (used_ + value.size() + kAlignment - 1) / kAlignment * kAlignment);
    return Napi::Number::New(env, place);
  }

 private:
  static constexpr size_t kSizeBits = 13;
  static constexpr size_t kMaxSize = size_t{1} << (31 - kSizeBits);

  Napi::Reference<Napi::ArrayBuffer> memory_;
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t used_ = 0;
};

}  // namespace rocksdb_backup
