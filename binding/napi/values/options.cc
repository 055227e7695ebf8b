#include "napi/values/options.h"

#include <cmath>

namespace rocksdb_backup {
namespace {

constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;

template <typename Int>
std::string Whole(Int min, Int max) {
  return "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

}  // namespace

bool ReadBool(Napi::Env env, std::string_view name, Napi::Value value) {
  if (!value.IsBoolean()) {
    ThrowWrongType(env, name, "true or false", value);
  }
  return value.As<Napi::Boolean>().Value();
}

double ReadDouble(Napi::Env env, std::string_view name, Napi::Value value, Range range) {
  if (!value.IsNumber()) {
    ThrowWrongType(env, name, "a number", value);
  }
  const double number = value.As<Napi::Number>().DoubleValue();
  const bool too_small = range.min && number < static_cast<double>(*range.min);
  const bool too_large = range.max && number > static_cast<double>(*range.max);
  if (!std::isfinite(number) || too_small || too_large) {
    std::string expected = "a finite number";
    if (range.min) {
      expected += " from " + std::to_string(*range.min);
    }
    if (range.max) {
      expected += " up to " + std::to_string(*range.max);
    }
    ThrowOutOfRange(env, name, expected, value);
  }
  return number;
}

std::string ReadString(Napi::Env env, std::string_view name, Napi::Value value) {
  if (!value.IsString()) {
    ThrowWrongType(env, name, "a string", value);
  }
  return value.As<Napi::String>().Utf8Value();
}

int64_t ReadInt64(Napi::Env env, std::string_view name, Napi::Value value, int64_t min, int64_t max) {
  int64_t result = 0;
  if (value.IsBigInt()) {
    bool lossless = false;
    result = value.As<Napi::BigInt>().Int64Value(&lossless);
    if (!lossless) {
      ThrowOutOfRange(env, name, Whole(min, max), value);
    }
  } else if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (std::trunc(number) != number || std::abs(number) > kMaxSafeInteger) {
      ThrowOutOfRange(env, name, Whole(min, max), value);
    }
    result = static_cast<int64_t>(number);
  } else {
    ThrowWrongType(env, name, Whole(min, max), value);
  }
  if (result < min || result > max) {
    ThrowOutOfRange(env, name, Whole(min, max), value);
  }
  return result;
}

uint64_t ReadUint64(Napi::Env env, std::string_view name, Napi::Value value, uint64_t min, uint64_t max) {
  uint64_t result = 0;
  if (value.IsBigInt()) {
    bool lossless = false;
    result = value.As<Napi::BigInt>().Uint64Value(&lossless);
    if (!lossless) {
      ThrowOutOfRange(env, name, Whole(min, max), value);
    }
  } else if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (!(number >= 0) || std::trunc(number) != number || number > kMaxSafeInteger) {
      ThrowOutOfRange(env, name, Whole(min, max), value);
    }
    result = static_cast<uint64_t>(number);
  } else {
    ThrowWrongType(env, name, Whole(min, max), value);
  }
  if (result < min || result > max) {
    ThrowOutOfRange(env, name, Whole(min, max), value);
  }
  return result;
}

Napi::Value WriteInt64(Napi::Env env, int64_t value) {
  if (value >= -kMaxSafeInteger && value <= kMaxSafeInteger) {
    return Napi::Number::New(env, static_cast<double>(value));
  }
  return Napi::BigInt::New(env, value);
}

Napi::Value WriteUint64(Napi::Env env, uint64_t value) {
  if (value <= static_cast<uint64_t>(kMaxSafeInteger)) {
    return Napi::Number::New(env, static_cast<double>(value));
  }
  return Napi::BigInt::New(env, value);
}

std::vector<std::pair<std::string, Napi::Value>> ReadEntries(Napi::Env env, std::string_view what, Napi::Value value) {
  if (!value.IsObject() || value.IsArray() || value.IsFunction() || value.IsBuffer()) {
    ThrowWrongType(env, what, "an object", value);
  }
  const auto object = value.As<Napi::Object>();
  const Napi::Array names = object.GetPropertyNames();
  const uint32_t length = names.Length();
  std::vector<std::pair<std::string, Napi::Value>> entries;
  entries.reserve(length);
  for (uint32_t i = 0; i < length; ++i) {
    const Napi::Value name = names.Get(i);
    const Napi::Value entry = object.Get(name);
    if (!entry.IsUndefined()) {
      entries.emplace_back(name.ToString().Utf8Value(), entry);
    }
  }
  return entries;
}

}  // namespace rocksdb_backup
