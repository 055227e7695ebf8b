#include "napi/runtime/errors.h"

#include <algorithm>

#include "core/base/named_root.h"
#include "napi/runtime/addon_data.h"

namespace rocksdb_backup {
namespace {

// What a RocksDBError has beside its message and its code.
Napi::Object DetailsOf(Napi::Env env, const Error& error) {
  auto details = Napi::Object::New(env);
  const auto set_text = [&](const char* name, const std::string& text) {
    if (!text.empty()) {
      details.Set(name, text);
    }
  };
  const auto set_files = [&](const char* name, const std::vector<std::string>& files) {
    if (!files.empty()) {
      auto list = Napi::Array::New(env, files.size());
      for (size_t i = 0; i < files.size(); ++i) {
        list.Set(static_cast<uint32_t>(i), files[i]);
      }
      details.Set(name, list);
    }
  };
  set_text("subcode", error.subcode());
  set_text("severity", error.severity());
  set_text("advice", error.advice());
  set_files("damagedFiles", error.damaged_files());
  set_files("leftFiles", error.left_files());
  for (const auto& [name, fact] : error.facts()) {
    if (const auto* text = std::get_if<std::string>(&fact)) {
      details.Set(name, ForUsers(*text));
    } else {
      details.Set(name, static_cast<double>(std::get<uint64_t>(fact)));
    }
  }
  return details;
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

// How many letters must be removed, added, changed, or swapped with their neighbor.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> edits(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        edits[i][j] = i + j;
        continue;
      }
      edits[i][j] =
          std::min({edits[i - 1][j] + 1, edits[i][j - 1] + 1, edits[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        edits[i][j] = std::min(edits[i][j], edits[i - 2][j - 2] + 1);
      }
    }
  }
  return edits[a.size()][b.size()];
}

}  // namespace

Napi::Value ToJs(Napi::Env env, const Error& error) {
  const Napi::FunctionReference& error_class = AddonData::Of(env).error_class;
  if (error_class.IsEmpty()) {
    auto plain = Napi::Error::New(env, ForUsers(error.message()));
    plain.Set("code", Napi::String::New(env, error.code()));
    return plain.Value();
  }
  return error_class.Value().New(
      {Napi::String::New(env, ForUsers(error.message())), Napi::String::New(env, error.code()), DetailsOf(env, error)});
}

void Throw(Napi::Env env, const Error& error) { throw Napi::Error(env, ToJs(env, error)); }

void ThrowWrongType(Napi::Env env, std::string_view name, std::string_view expected, Napi::Value actual) {
  ThrowInvalid<Napi::TypeError>(env, MustBe(name, expected, actual));
}

void ThrowOutOfRange(Napi::Env env, std::string_view name, std::string_view expected, Napi::Value actual) {
  ThrowInvalid<Napi::RangeError>(env, MustBe(name, expected, actual));
}

void ThrowUnknownOption(Napi::Env env, std::string_view what, std::string_view name,
                        const std::vector<std::string>& known) {
  std::string text(what);
  text.append(" have no option \"").append(name).append("\"");
  const std::string* nearest = nullptr;
  size_t fewest = std::max<size_t>(1, name.size() / 3) + 1;
  for (const std::string& each : known) {
    const bool begins = name.size() > 1 && each.compare(0, name.size(), name) == 0;
    if (const size_t edits = begins ? 0 : EditDistance(name, each); edits < fewest) {
      fewest = edits;
      nearest = &each;
    }
  }
  if (nearest != nullptr) {
    text.append("; did you mean \"").append(*nearest).append("\"?");
  }
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
