#include "napi/values/values.h"

#include <memory>

#include "napi/runtime/errors.h"

namespace rocksdb_backup {
namespace {

// From this size on, memory is handed over to JS instead of being copied. lib/native/block.ts knows this number.
constexpr size_t kHandOver = size_t{1} << 20;

}  // namespace

Bytes::Bytes(Napi::Env env, Napi::Value value, std::string_view name, int64_t index) {
  bool is_bytes = false;
  if (!value.IsEmpty() && napi_is_buffer(env, value, &is_bytes) == napi_ok && is_bytes) {
    void* data = nullptr;
    size_t size = 0;
    napi_get_buffer_info(env, value, &data, &size);
    // An empty array has no memory, but RocksDB needs a pointer.
    slice_ = size == 0 ? rocksdb::Slice(inline_, 0) : rocksdb::Slice(static_cast<const char*>(data), size);
    return;
  }
  size_t size = 0;
  if (value.IsEmpty() || napi_get_value_string_utf8(env, value, inline_, kInline, &size) != napi_ok) {
    const std::string full_name = std::string(name) + (index < 0 ? "" : "[" + std::to_string(index) + "]");
    ThrowWrongType(env, full_name, "a string, a Buffer or a Uint8Array", value.IsEmpty() ? env.Undefined() : value);
  }
  if (size < kInline - 4) {  // a character has at most four bytes, so nothing was cut off
    slice_ = rocksdb::Slice(inline_, size);
    return;
  }
  text_ = value.As<Napi::String>().Utf8Value();
  slice_ = text_;
}

std::vector<std::string> CopyKeys(Napi::Env env, Napi::Value value, std::string_view name) {
  if (!value.IsArray()) {
    ThrowWrongType(env, name, "an array of keys", value);
  }
  const auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();
  std::vector<std::string> keys;
  keys.reserve(length);
  for (uint32_t i = 0; i < length; ++i) {
    const Napi::HandleScope scope(env);
    keys.push_back(Bytes(env, array.Get(i), name, i).Copy());
  }
  return keys;
}

Napi::Value ToJs(Napi::Env env, const rocksdb::Slice& bytes, Encoding encoding) {
  if (encoding == Encoding::kUtf8) {
    return Napi::String::New(env, bytes.data(), bytes.size());
  }
  return Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size());
}

Napi::Value ToJs(Napi::Env env, std::string&& bytes, Encoding encoding) {
  if (encoding == Encoding::kUtf8 || bytes.size() < kHandOver) {
    return ToJs(env, rocksdb::Slice(bytes), encoding);
  }
  auto owned = std::make_unique<std::string>(std::move(bytes));
  napi_value buffer = nullptr;
  // Some hosts (Electron) do not allow memory from outside.
  const napi_status status = napi_create_external_buffer(
      env, owned->size(), owned->data(), [](napi_env, void*, void* hint) { delete static_cast<std::string*>(hint); },
      owned.get(), &buffer);
  if (status != napi_ok) {
    return ToJs(env, rocksdb::Slice(*owned), encoding);
  }
  (void)owned.release();  // the Buffer owns it now
  return Napi::Value(env, buffer);
}

Napi::Value ToJs(Napi::Env env, const std::vector<std::string>& strings) {
  return ArrayOf(env, strings, [env](const std::string& text) { return Napi::String::New(env, text); });
}

std::string StringArgument(Napi::Env env, Napi::Value value, std::string_view name) {
  if (value.IsEmpty() || !value.IsString()) {
    ThrowWrongType(env, name, "a string", value.IsEmpty() ? env.Undefined() : value);
  }
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) {
    ThrowWrongType(env, name, "a string without NUL characters", value);
  }
  return text;
}

std::string PathArgument(Napi::Env env, Napi::Value value, std::string_view name) {
  std::string path = StringArgument(env, value, name);
  if (path.empty()) {
    ThrowWrongType(env, name, "a path", value);
  }
  return path;
}

}  // namespace rocksdb_backup
