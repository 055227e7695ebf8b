#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "napi/runtime/napi_setup.h"
#include "rocksdb/slice.h"

namespace rocksdb_backup {

// A key or a value that JS passed: a string (taken as UTF-8), a Buffer or a Uint8Array of any offset. The memory of
// byte arrays is used in place, so a Bytes must not outlive the call it was passed to: what goes to another thread is
// copied.
class Bytes {
 public:
  // Throws a TypeError that names the argument ("key", or "keys[7]" if there is an index) if the value is neither.
  Bytes(Napi::Env env, Napi::Value value, std::string_view name, int64_t index = -1);
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  const rocksdb::Slice& slice() const { return slice_; }
  std::string Copy() const { return slice_.ToString(); }
  size_t size() const { return slice_.size(); }

 private:
  static constexpr size_t kInline = 256;
  rocksdb::Slice slice_;
  char inline_[kInline];
  std::string text_;
};

// An array of keys.
std::vector<std::string> CopyKeys(Napi::Env env, Napi::Value value, std::string_view name);

enum class Encoding { kBuffer, kUtf8 };

// Bytes for JS: a Buffer, or a string. The second form hands large memory over instead of copying it.
Napi::Value ToJs(Napi::Env env, const rocksdb::Slice& bytes, Encoding encoding);
Napi::Value ToJs(Napi::Env env, std::string&& bytes, Encoding encoding);

Napi::Value ToJs(Napi::Env env, const std::vector<std::string>& strings);

// A required string argument, for names and paths. Refuses other types, and NUL bytes, which would cut a path short.
std::string StringArgument(Napi::Env env, Napi::Value value, std::string_view name);

// A path: a string that is not empty.
std::string PathArgument(Napi::Env env, Napi::Value value, std::string_view name);

}  // namespace rocksdb_backup
