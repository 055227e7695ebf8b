#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "napi/runtime/napi_setup.h"
#include "rocksdb/slice.h"

namespace rocksdb_backup {

// A key or a value from JS: a string (taken as UTF-8), a Buffer, or a Uint8Array at any offset. The memory of byte
// arrays is used in place, so a Bytes must not outlive the call that it was passed to. What goes to another thread is
// copied.
class Bytes {
 public:
  // If the value is none of these, throws a TypeError that names the argument: "key", or "keys[7]" if there is an
  // index.
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

// Copies an array of keys.
std::vector<std::string> CopyKeys(Napi::Env env, Napi::Value value, std::string_view name);

enum class Encoding { kBuffer, kUtf8 };

// Converts bytes for JS, to a Buffer or a string. The second form hands over large memory instead of copying it.
Napi::Value ToJs(Napi::Env env, const rocksdb::Slice& bytes, Encoding encoding);
Napi::Value ToJs(Napi::Env env, std::string&& bytes, Encoding encoding);

// An array of what `make` makes of each item.
template <typename Items, typename Make>
Napi::Array ArrayOf(Napi::Env env, const Items& items, Make make) {
  auto array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); ++i) {
    array.Set(i, make(items[i]));
  }
  return array;
}

Napi::Value ToJs(Napi::Env env, const std::vector<std::string>& strings);

// A required string argument, for names and paths. Rejects other types. Rejects NUL bytes, which would cut a path
// short.
std::string StringArgument(Napi::Env env, Napi::Value value, std::string_view name);

// A path: a string that is not empty.
std::string PathArgument(Napi::Env env, Napi::Value value, std::string_view name);

}  // namespace rocksdb_backup
