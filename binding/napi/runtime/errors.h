#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// Turns an Error into a JS error. The class RocksDBError is defined in lib/base/errors.ts and is passed to the addon
// once for each thread, by `setErrorClass`.

// A new RocksDBError with code, subcode and severity; these are undefined if there is none. `error` must not be ok.
Napi::Value ToJs(Napi::Env env, const Error& error);

[[noreturn]] void Throw(Napi::Env env, const Error& error);

inline void ThrowIfError(Napi::Env env, const Error& error) {
  if (!error.ok()) {
    Throw(env, error);
  }
}

// The three ways in which an argument can be wrong. Each gets the code INVALID_OPTION. `name` is what the caller wrote
// ("sync", "key"); `expected` completes the sentence 'name must be ...'.
[[noreturn]] void ThrowWrongType(Napi::Env env, std::string_view name, std::string_view expected, Napi::Value actual);
[[noreturn]] void ThrowOutOfRange(Napi::Env env, std::string_view name, std::string_view expected, Napi::Value actual);
// Asks in its message whether one of the known options was meant, as lib/base/unknown-option.ts does.
[[noreturn]] void ThrowUnknownOption(Napi::Env env, std::string_view what, std::string_view name,
                                     const std::vector<std::string>& known = {});

// A value as an error message shows it: 'the string "yes"', '12', 'an array', 'undefined'.
std::string Describe(Napi::Value value);

}  // namespace rocksdb_backup
