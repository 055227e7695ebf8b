#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "napi/runtime/errors.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// Option tables say which JS option goes into which field of which struct. They are written once, for reading and
// writing.
//
//     const OptionTable<rocksdb::WriteOptions> kWriteOptions("write options", {
//         Field("sync", &rocksdb::WriteOptions::sync),
//         Field("disableWAL", &rocksdb::WriteOptions::disableWAL),
//     });
//     rocksdb::WriteOptions options;                    // as RocksDB constructs it, so its defaults survive
//     kWriteOptions.Read(env, args[2], &options);
//
// An option that is absent or undefined changes nothing. An unknown key, a wrong type or an unknown name of a choice is
// a TypeError. A number out of range is a RangeError. Both say which option it is, what was expected and what was
// given.

template <typename S>
struct Option {
  std::string name;
  std::function<void(Napi::Env, std::string_view name, Napi::Value, S*)> read;  // empty: accepted and ignored
  std::function<Napi::Value(Napi::Env, const S&)> write;                        // empty: not written
};

// The limits of a number, in addition to those of its type.
struct Range {
  std::optional<int64_t> min = {};
  std::optional<int64_t> max = {};
};

bool ReadBool(Napi::Env env, std::string_view name, Napi::Value value);
double ReadDouble(Napi::Env env, std::string_view name, Napi::Value value, Range range);
std::string ReadString(Napi::Env env, std::string_view name, Napi::Value value);
// A number without fraction, or a bigint, within both ranges.
int64_t ReadInt64(Napi::Env env, std::string_view name, Napi::Value value, int64_t min, int64_t max);
uint64_t ReadUint64(Napi::Env env, std::string_view name, Napi::Value value, uint64_t min, uint64_t max);
// A number, or a bigint if a number would lose digits.
Napi::Value WriteInt64(Napi::Env env, int64_t value);
Napi::Value WriteUint64(Napi::Env env, uint64_t value);

template <typename M>
M ReadValue(Napi::Env env, std::string_view name, Napi::Value value, Range range) {
  using Limits = std::numeric_limits<M>;
  if constexpr (std::is_same_v<M, bool>) {
    return ReadBool(env, name, value);
  } else if constexpr (std::is_floating_point_v<M>) {
    return static_cast<M>(ReadDouble(env, name, value, range));
  } else if constexpr (std::is_same_v<M, std::string>) {
    return ReadString(env, name, value);
  } else if constexpr (std::is_signed_v<M>) {
    const int64_t min = range.min.value_or(Limits::min());
    const int64_t max = range.max.value_or(Limits::max());
    return static_cast<M>(ReadInt64(env, name, value, min, max));
  } else {
    static_assert(std::is_unsigned_v<M>);
    const auto min = static_cast<uint64_t>(range.min.value_or(0));
    const uint64_t max = range.max ? static_cast<uint64_t>(*range.max) : Limits::max();
    return static_cast<M>(ReadUint64(env, name, value, min, max));
  }
}

template <typename M>
Napi::Value WriteValue(Napi::Env env, const M& value) {
  if constexpr (std::is_same_v<M, bool>) {
    return Napi::Boolean::New(env, value);
  } else if constexpr (std::is_floating_point_v<M>) {
    return Napi::Number::New(env, value);
  } else if constexpr (std::is_same_v<M, std::string>) {
    return Napi::String::New(env, value);
  } else if constexpr (std::is_signed_v<M>) {
    return WriteInt64(env, value);
  } else {
    return WriteUint64(env, value);
  }
}

// Field and Choice return these structs. They convert to an Option of any struct that has, or inherits, the member.
template <typename M, typename B>
struct FieldSpec {
  const char* name;
  M B::*member;
  Range range;

  template <typename S>
  operator Option<S>() const {  // NOLINT(google-explicit-constructor): that is its purpose
    return {name,
            [member = member, range = range](Napi::Env env, std::string_view name, Napi::Value value, S* out) {
              out->*member = ReadValue<M>(env, name, value, range);
            },
            [member = member](Napi::Env env, const S& in) { return WriteValue<M>(env, in.*member); }};
  }
};

template <typename M, typename B>
FieldSpec<M, B> Field(const char* name, M B::*member, Range range = {}) {
  return {name, member, range};
}

template <typename E>
using Choices = std::vector<std::pair<const char*, E>>;

template <typename E>
E ReadChoice(Napi::Env env, std::string_view name, Napi::Value value, const Choices<E>& choices) {
  std::string expected;
  const std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
  for (const auto& [choice, meaning] : choices) {
    if (value.IsString() && text == choice) {
      return meaning;
    }
    expected += (expected.empty() ? "one of \"" : ", \"") + std::string(choice) + "\"";
  }
  ThrowWrongType(env, name, expected, value);
}

template <typename E>
Napi::Value WriteChoice(Napi::Env env, E value, const Choices<E>& choices) {
  for (const auto& [choice, meaning] : choices) {
    if (meaning == value) {
      return Napi::String::New(env, choice);
    }
  }
  return env.Undefined();
}

template <typename M, typename B>
struct ChoiceSpec {
  const char* name;
  M B::*member;
  Choices<M> choices;

  template <typename S>
  operator Option<S>() const {  // NOLINT(google-explicit-constructor): that is its purpose
    return {name,
            [member = member, choices = choices](Napi::Env env, std::string_view name, Napi::Value value, S* out) {
              out->*member = ReadChoice<M>(env, name, value, choices);
            },
            [member = member, choices = choices](Napi::Env env, const S& in) {
              return WriteChoice<M>(env, in.*member, choices);
            }};
  }
};

template <typename M, typename B>
ChoiceSpec<M, B> Choice(const char* name, M B::*member, std::type_identity_t<Choices<M>> choices) {
  return {name, member, std::move(choices)};
}

// For any other option: a reader of its own, void(Napi::Env, std::string_view name, Napi::Value, S*).
template <typename S>
Option<S> Custom(const char* name, decltype(Option<S>::read) read, decltype(Option<S>::write) write = {}) {
  return {name, std::move(read), std::move(write)};
}

// The object's enumerable string keys, its own and inherited ones, with their values. Undefined values are left out.
// Throws a TypeError if `value` is not a plain object.
std::vector<std::pair<std::string, Napi::Value>> ReadEntries(Napi::Env env, std::string_view what, Napi::Value value);

template <typename S>
class OptionTable {
 public:
  // `what` begins a sentence about an unknown key: "write options".
  OptionTable(const char* what, std::initializer_list<Option<S>> options) : what_(what), options_(options) {}

  // A table with all options of this table and of `other`.
  OptionTable With(const OptionTable& other) const {
    OptionTable table = *this;
    table.options_.insert(table.options_.end(), other.options_.begin(), other.options_.end());
    return table;
  }

  // The same options, for a struct that has an S as a part. `part` returns that part.
  template <typename Whole>
  OptionTable<Whole> Within(S* (*part)(Whole*)) const {
    OptionTable<Whole> table(what_, {});
    for (const Option<S>& option : options_) {
      Option<Whole> of_whole{option.name, {}, {}};
      if (option.read) {
        of_whole.read = [read = option.read, part](Napi::Env env, std::string_view name, Napi::Value value,
                                                   Whole* out) { read(env, name, value, part(out)); };
      }
      if (option.write) {
        of_whole.write = [write = option.write, part](Napi::Env env, const Whole& in) {
          return write(env, *part(const_cast<Whole*>(&in)));
        };
      }
      table.options_.push_back(std::move(of_whole));
    }
    return table;
  }

  // Undefined means that there are no options.
  void Read(Napi::Env env, Napi::Value value, S* out) const {
    if (value.IsEmpty() || value.IsUndefined()) {
      return;
    }
    for (const auto& [name, entry] : ReadEntries(env, what_, value)) {
      const Option<S>* option = Find(name);
      if (option == nullptr) {
        std::vector<std::string> known;
        for (const Option<S>& each : options_) {
          known.push_back(each.name);
        }
        ThrowUnknownOption(env, what_, name, known);
      }
      if (option->read) {
        option->read(env, name, entry, out);
      }
    }
  }

  Napi::Object Write(Napi::Env env, const S& in) const {
    auto object = Napi::Object::New(env);
    for (const Option<S>& option : options_) {
      if (option.write) {
        object.Set(option.name, option.write(env, in));
      }
    }
    return object;
  }

 private:
  template <typename Other>
  friend class OptionTable;

  const Option<S>* Find(std::string_view name) const {
    for (const Option<S>& option : options_) {
      if (option.name == name) {
        return &option;
      }
    }
    return nullptr;
  }

  const char* what_;
  std::vector<Option<S>> options_;
};

}  // namespace rocksdb_backup
