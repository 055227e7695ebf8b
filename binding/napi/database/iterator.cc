#include "napi/database/iterator.h"

#include <optional>
#include <utility>

#include "napi/database/call_options.h"
#include "napi/values/copy_into.h"

namespace rocksdb_backup {
namespace {

struct IteratorCall {
  ReadCall read;
  Iterator::Options options;
};

template <std::optional<std::string> KeyRange::*kBound>
Option<IteratorCall> BoundOf(const char* name) {
  return Custom<IteratorCall>(name, [](Napi::Env env, std::string_view name, Napi::Value value, IteratorCall* call) {
    call->options.range.*kBound = Bytes(env, value, name).Copy();
  });
}

const OptionTable<IteratorCall>& IteratorTable() {
  static const auto* table = new OptionTable<IteratorCall>(
      OptionTable<IteratorCall>(
          "iterator options",
          {
              BoundOf<&KeyRange::gt>("gt"),
              BoundOf<&KeyRange::gte>("gte"),
              BoundOf<&KeyRange::lt>("lt"),
              BoundOf<&KeyRange::lte>("lte"),
              Custom<IteratorCall>("reverse",
                                   [](Napi::Env env, std::string_view name, Napi::Value value, IteratorCall* call) {
                                     call->options.reverse = ReadBool(env, name, value);
                                   }),
              Custom<IteratorCall>("keys", [](Napi::Env env, std::string_view name, Napi::Value value,
                                              IteratorCall* call) { call->options.keys = ReadBool(env, name, value); }),
              Custom<IteratorCall>("values",
                                   [](Napi::Env env, std::string_view name, Napi::Value value, IteratorCall* call) {
                                     call->options.values = ReadBool(env, name, value);
                                   }),
              Custom<IteratorCall>("seeksInsideOnly",
                                   [](Napi::Env env, std::string_view name, Napi::Value value, IteratorCall* call) {
                                     call->options.seeks_inside_only = ReadBool(env, name, value);
                                   }),
              // Only used in JS.
              Custom<IteratorCall>("limit", {}),
          })
          .With(ReadTable().Within<IteratorCall>([](IteratorCall* call) { return &call->read; })));
  return *table;
}

}  // namespace

void IteratorHandle::Define(Napi::Env env, Napi::Object exports) {
  exports["Iterator"] = DefineClass<IteratorHandle>(env, "Iterator",
                                                    {
                                                        AsyncMethod<&IteratorHandle::next>("next"),
                                                        Method<&IteratorHandle::close>("close"),
                                                    });
}

std::shared_ptr<Iterator> IteratorHandle::Open(Napi::Env env, const std::shared_ptr<Database>& database,
                                               const Database::FamilyPtr& family, Napi::Value options) {
  IteratorCall call;
  IteratorTable().Read(env, options, &call);
  CheckSnapshot(env, call.read, *database);
  return Iterator::New(database, family, call.read.options, std::move(call.read.pin), std::move(call.options));
}

// next(maxEntries, maxBytes, target?, into?): returns the next block, or a promise of it. Iterator::Next describes its
// layout.
Napi::Value IteratorHandle::next(const Args& args) {
  const Napi::Env env = args.Env();
  const auto max_entries = ReadValue<uint32_t>(env, "maxEntries", args[0], {});
  const auto max_bytes = ReadValue<uint32_t>(env, "maxBytes", args[1], {});
  std::optional<std::string> target;
  if (!args[2].IsUndefined()) {
    target = Bytes(env, args[2], "target").Copy();
  }
  Resource::Lease lease = database_->Acquire();
  if (!lease) {
    Throw(env, Database::ClosedError());
  }
  std::string block;
  bool answered = false;
  ThrowIfError(env, iterator_->NextFromMemory(max_entries, max_bytes, target, &block, &answered));
  if (answered) {
    const Napi::Value size = CopyInto(env, args[3], block);
    if (!size.IsEmpty()) {
      return size;
    }
    return ToJs(env, std::move(block), Encoding::kBuffer);
  }
  return Async<std::string>(
      env, Lane::kShort, Leases(std::move(lease)),
      [iterator = iterator_, max_entries, max_bytes, target = std::move(target)](std::string& block) {
        return iterator->Next(max_entries, max_bytes, target, &block);
      },
      [](Napi::Env env, std::string& block) { return ToJs(env, std::move(block), Encoding::kBuffer); });
}

void IteratorHandle::close(const Args&) { iterator_->Close(); }

}  // namespace rocksdb_backup
