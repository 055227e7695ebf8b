#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// Error -> JS. The class RocksDBError lives in lib/base/errors.ts and is handed over once per thread, by
// `setErrorClass`.

// A new RocksDBError with code, subcode and severity (undefined when there is none). `error` must not be ok.
Napi::Value ToJs(Napi::Env env, const Error& error);

[[noreturn]] void Throw(Napi::Env env, const Error& error);

inline void ThrowIfError(Napi::Env env, const Error& error) {
  if (!error.ok()) {
    Throw(env, error);
  }
}

// The three ways in which an argument is wrong; each gets code INVALID_OPTION. `name` is what the caller wrote ("sync",
// "key"), `expected` completes the sentence 'name must be ...'.
[[noreturn]] void ThrowWrongType(Napi::Env env, std::string_view name, std::string_view expected, Napi::Value actual);
[[noreturn]] void ThrowOutOfRange(Napi::Env env, std::string_view name, std::string_view expected, Napi::Value actual);
// Asks whether one of the known options was meant, as lib/base/unknown-option.ts does.
[[noreturn]] void ThrowUnknownOption(Napi::Env env, std::string_view what, std::string_view name,
                                     const std::vector<std::string>& known = {});

// A value as an error message shows it: 'the string "yes"', '12', 'an array', 'undefined'.
std::string Describe(Napi::Value value);

}  // namespace rocksdb_backup
