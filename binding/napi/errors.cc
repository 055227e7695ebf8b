#include "napi/errors.h"

#include "napi/addon_data.h"

namespace rocksdb_backup {
namespace {

Napi::Value TextOrUndefined(Napi::Env env, const std::string& text) {
  return text.empty() ? env.Undefined() : Napi::String::New(env, text).As<Napi::Value>();
}

template <typename ErrorType>
[[noreturn]] void ThrowInvalid(Napi::Env env, const std::string& message) {
  auto error = ErrorType::New(env, message);
  error.Set("code", Napi::String::New(env, "INVALID_OPTION"));
  throw error;
}

std::string MustBe(std::string_view name, std::string_view expected, Napi::Value actual) {
  std::string text(name);
  text.append(" must be ").append(expected).append(", not ").append(Describe(actual));
  return text;
}

}  // namespace

Napi::Value ToJs(Napi::Env env, const Error& error) {
  const Napi::FunctionReference& error_class = AddonData::Of(env).error_class;
  if (error_class.IsEmpty()) {
    auto plain = Napi::Error::New(env, error.message());
    plain.Set("code", Napi::String::New(env, error.code()));
    return plain.Value();
  }
  return error_class.Value().New({Napi::String::New(env, error.message()), Napi::String::New(env, error.code()),
                                  TextOrUndefined(env, error.subcode()), TextOrUndefined(env, error.severity())});
}

void Throw(Napi::Env env, const Error& error) { throw Napi::Error(env, ToJs(env, error)); }

void ThrowWrongType(Napi::Env env, std::string_view name, std::string_view expected, Napi::Value actual) {
  ThrowInvalid<Napi::TypeError>(env, MustBe(name, expected, actual));
}

void ThrowOutOfRange(Napi::Env env, std::string_view name, std::string_view expected, Napi::Value actual) {
  ThrowInvalid<Napi::RangeError>(env, MustBe(name, expected, actual));
}

void ThrowUnknownOption(Napi::Env env, std::string_view what, std::string_view name) {
  std::string text(what);
  text.append(" have no option \"").append(name).append("\"");
  ThrowInvalid<Napi::TypeError>(env, text);
}

std::string Describe(Napi::Value value) {
  switch (value.Type()) {
    case napi_string: {
      std::string text = value.As<Napi::String>().Utf8Value();
      if (text.size() > 100) {
        text = text.substr(0, 100) + "...";
      }
      return "the string \"" + text + "\"";
    }
    case napi_number:
    case napi_boolean:
    case napi_null:
    case napi_undefined:
      return value.ToString().Utf8Value();
    case napi_bigint:
      return value.ToString().Utf8Value() + "n";
    case napi_function:
      return "a function";
    case napi_symbol:
      return "a symbol";
    default:
      return value.IsArray() ? "an array" : value.IsBuffer() ? "bytes" : "an object";
  }
}

}  // namespace rocksdb_backup
