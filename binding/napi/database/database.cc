#include "napi/database/database.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/base/named_root.h"
#include "core/database/iterator.h"
#include "core/database/snapshot.h"
#include "napi/database/database_options.h"
#include "napi/database/iterator.h"
#include "napi/database/snapshot.h"
#include "napi/database/write_batch.h"
#include "napi/values/options.h"
#include "napi/values/values.h"

namespace rocksdb_backup {
namespace {

// Database.open(path, options)
Napi::Value Open(const Args& args) {
  const Napi::Env env = args.Env();
  return Async<std::shared_ptr<Database>>(
      env, Lane::kLong, Leases(),
      [path = PathArgument(env, args[0], "path"), options = DatabaseOptionsOf(env, args[1])](
          std::shared_ptr<Database>& opened) { return Database::Open(path, options, &opened); },
      [](Napi::Env env, std::shared_ptr<Database>& opened) -> Napi::Value {
        return DatabaseHandle::New(env, std::move(opened));
      });
}

// Database.attach(token)
Napi::Value Attach(const Args& args) {
  const Napi::Env env = args.Env();
  auto database = std::dynamic_pointer_cast<Database>(FindResource(StringArgument(env, args[0], "token")));
  if (database == nullptr) {
    Throw(env, Error("DATABASE_CLOSED", "no open database of this process has that token"));
  }
  return DatabaseHandle::New(env, std::move(database));
}

Napi::Value ListColumnFamilies(const Args& args) {
  const Napi::Env env = args.Env();
  return Async<std::vector<std::string>>(
      env, Lane::kLong, Leases(),
      [path = PathArgument(env, args[0], "path")](std::vector<std::string>& names) {
        return Database::ListColumnFamilies(path, &names);
      },
      [](Napi::Env env, std::vector<std::string>& names) { return ToJs(env, names); });
}

Napi::Value Destroy(const Args& args) {
  const Napi::Env env = args.Env();
  return Async(env, Lane::kLong, Leases(),
               [path = PathArgument(env, args[0], "path"), options = DatabaseOptionsOf(env, args[1])] {
                 return Database::Destroy(path, options);
               });
}

Napi::Value Repair(const Args& args) {
  const Napi::Env env = args.Env();
  return Async(env, Lane::kLong, Leases(),
               [path = PathArgument(env, args[0], "path"), options = DatabaseOptionsOf(env, args[1])] {
                 return Database::Repair(path, options);
               });
}

struct CompactCall {
  std::optional<std::string> begin, end;
  rocksdb::CompactRangeOptions options;
};

Option<CompactCall> CompactBound(const char* name, std::optional<std::string> CompactCall::*bound) {
  return Custom<CompactCall>(name, [bound](Napi::Env env, std::string_view name, Napi::Value value, CompactCall* call) {
    call->*bound = Bytes(env, value, name).Copy();
  });
}

const OptionTable<CompactCall>& CompactTable() {
  using rocksdb::BottommostLevelCompaction;
  using rocksdb::CompactRangeOptions;
  static const OptionTable<CompactRangeOptions> of_rocksdb(
      "compactRange options",
      {
          Choice("bottommostLevelCompaction", &CompactRangeOptions::bottommost_level_compaction,
                 {{"skip", BottommostLevelCompaction::kSkip},
                  {"ifHaveCompactionFilter", BottommostLevelCompaction::kIfHaveCompactionFilter},
                  {"force", BottommostLevelCompaction::kForce},
                  {"forceOptimized", BottommostLevelCompaction::kForceOptimized}}),
          Field("exclusiveManualCompaction", &CompactRangeOptions::exclusive_manual_compaction),
          Field("changeLevel", &CompactRangeOptions::change_level),
          Field("targetLevel", &CompactRangeOptions::target_level, {.min = -1}),
          Field("maxSubcompactions", &CompactRangeOptions::max_subcompactions),
          Field("allowWriteStall", &CompactRangeOptions::allow_write_stall),
      });
  static const auto* table = new OptionTable<CompactCall>(
      OptionTable<CompactCall>("compactRange options",
                               {
                                   CompactBound("start", &CompactCall::begin),
                                   CompactBound("end", &CompactCall::end),
                               })
          .With(of_rocksdb.Within<CompactCall>([](CompactCall* call) { return &call->options; })));
  return *table;
}

}  // namespace

void DatabaseHandle::Define(Napi::Env env, Napi::Object exports) {
  exports["Database"] =
      DefineClass<DatabaseHandle>(env, "Database",
                                  {
                                      AsyncStatic<Open>("open"),
                                      Static<Attach>("attach"),
                                      AsyncStatic<ListColumnFamilies>("listColumnFamilies"),
                                      AsyncStatic<Destroy>("destroy"),
                                      AsyncStatic<Repair>("repair"),
                                      AsyncMethod<&DatabaseHandle::get>("get"),
                                      Method<&DatabaseHandle::getSync>("getSync"),
                                      AsyncMethod<&DatabaseHandle::getMany>("getMany"),
                                      AsyncMethod<&DatabaseHandle::has>("has"),
                                      AsyncMethod<&DatabaseHandle::writePacked>("writePacked"),
                                      AsyncMethod<&DatabaseHandle::hasMany>("hasMany"),
                                      AsyncMethod<&DatabaseHandle::put>("put"),
                                      Method<&DatabaseHandle::putSync>("putSync"),
                                      AsyncMethod<&DatabaseHandle::del>("delete"),
                                      Method<&DatabaseHandle::deleteSync>("deleteSync"),
                                      AsyncMethod<&DatabaseHandle::singleDelete>("singleDelete"),
                                      AsyncMethod<&DatabaseHandle::deleteRange>("deleteRange"),
                                      AsyncMethod<&DatabaseHandle::merge>("merge"),
                                      Method<&DatabaseHandle::batch>("batch"),
                                      Method<&DatabaseHandle::iterator>("iterator"),
                                      Method<&DatabaseHandle::snapshot>("snapshot"),
                                      Method<&DatabaseHandle::columnFamily>("columnFamily"),
                                      Method<&DatabaseHandle::columnFamilies>("columnFamilies"),
                                      AsyncMethod<&DatabaseHandle::createColumnFamily>("createColumnFamily"),
                                      AsyncMethod<&DatabaseHandle::dropColumnFamily>("dropColumnFamily"),
                                      AsyncMethod<&DatabaseHandle::flush>("flush"),
                                      AsyncMethod<&DatabaseHandle::compactRange>("compactRange"),
                                      AsyncMethod<&DatabaseHandle::approximateSize>("approximateSize"),
                                      Method<&DatabaseHandle::property>("property"),
                                      AsyncMethod<&DatabaseHandle::checkpoint>("checkpoint"),
                                      AsyncMethod<&DatabaseHandle::tryCatchUpWithPrimary>("tryCatchUpWithPrimary"),
                                      AsyncMethod<&DatabaseHandle::content>("content"),
                                      AsyncMethod<&DatabaseHandle::resume>("resume"),
                                      Method<&DatabaseHandle::onEvent>("onEvent"),
                                      AsyncMethod<&DatabaseHandle::close>("close"),
                                      Getter<&DatabaseHandle::path>("path"),
                                      Getter<&DatabaseHandle::token>("token"),
                                      Getter<&DatabaseHandle::mode>("mode"),
                                      Getter<&DatabaseHandle::identity>("identity"),
                                      Getter<&DatabaseHandle::diskCache>("diskCache"),
                                      Getter<&DatabaseHandle::latestSequenceNumber>("latestSequenceNumber"),
                                  });
}

Napi::Object DatabaseHandle::New(Napi::Env env, std::shared_ptr<Database> database) {
  if (!database->AddHandle()) {
    Throw(env, Database::ClosedError());
  }
  return Wrap(env, std::make_unique<DatabaseHandle>(std::move(database)));
}

void DatabaseHandle::AddChild(const std::shared_ptr<Database::Child>& child) {
  if (children_.size() == children_.capacity()) {
    std::erase_if(children_, [](const auto& weak) { return weak.expired(); });
    children_.reserve(std::max<size_t>(16, children_.size() * 2));
  }
  children_.push_back(child);
}

void DatabaseHandle::BeforeClose() {
  Unsubscribe();
  *open_ = false;
  for (const auto& weak : std::exchange(children_, {})) {
    if (auto child = weak.lock()) {
      child->Close();
    }
  }
}

Resource::Lease DatabaseHandle::LeaseOf(Napi::Env env) const {
  Resource::Lease lease = resource(env).Acquire();
  if (!lease) {
    Throw(env, Database::ClosedError());
  }
  return lease;
}

Napi::Value DatabaseHandle::batch(const Args& args) {
  const Napi::Env env = args.Env();
  return Wrap(env, std::make_unique<WriteBatchHandle>(shared_resource(env), open_));
}

// iterator(family, options)
Napi::Value DatabaseHandle::iterator(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  const Database::FamilyPtr family = FamilyOf(env, *database, args[0]);
  auto iterator = IteratorHandle::Open(env, database, family, args[1]);
  AddChild(iterator);
  return Wrap(env, std::make_unique<IteratorHandle>(database, std::move(iterator)));
}

Napi::Value DatabaseHandle::snapshot(const Args& args) {
  const Napi::Env env = args.Env();
  auto snapshot = Snapshot::New(shared_resource(env));
  if (snapshot == nullptr) {
    Throw(env, Error("ROCKSDB_NOT_SUPPORTED", "a database opened in this mode makes no snapshots"));
  }
  AddChild(snapshot);
  return Wrap(env, std::make_unique<SnapshotHandle>(std::move(snapshot)));
}

// columnFamily(name): returns its id, or undefined.
Napi::Value DatabaseHandle::columnFamily(const Args& args) {
  const Napi::Env env = args.Env();
  const Database::FamilyPtr family = resource(env).FamilyByName(StringArgument(env, args[0], "name"));
  return family == nullptr ? env.Undefined() : Napi::Number::New(env, family->handle->GetID()).As<Napi::Value>();
}

// The names, in the order of creation.
Napi::Value DatabaseHandle::columnFamilies(const Args& args) {
  return ToJs(args.Env(), resource(args.Env()).FamilyNames());
}

// createColumnFamily(name, options): its id.
Napi::Value DatabaseHandle::createColumnFamily(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database> database = shared_resource(env);  // a getter in the options may close the handle
  const std::string name = StringArgument(env, args[0], "name");
  CheckNewFamilyName(env, name);
  return Async<uint32_t>(
      env, Lane::kLong, Leases(LeaseOf(env)),
      [database, name, options = FamilyOptionsOf(env, args[1], database->family_options())](uint32_t& id) {
        return database->CreateFamily(name, options, &id);
      },
      [](Napi::Env env, uint32_t& id) { return Napi::Number::New(env, id); });
}

Napi::Value DatabaseHandle::dropColumnFamily(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  return Async(env, Lane::kLong, Leases(LeaseOf(env)),
               [database, name = StringArgument(env, args[0], "name")] { return database->DropFamily(name); });
}

// flush(family): flushes all families if `family` is undefined.
Napi::Value DatabaseHandle::flush(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  Database::FamilyPtr family = args[0].IsUndefined() ? nullptr : FamilyOf(env, *database, args[0]);
  return Async(env, Lane::kLong, Leases(LeaseOf(env)),
               [database, family = std::move(family)] { return database->Flush(family); });
}

// compactRange(family, options)
Napi::Value DatabaseHandle::compactRange(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  Database::FamilyPtr family = FamilyOf(env, *database, args[0]);
  CompactCall call;
  CompactTable().Read(env, args[1], &call);
  auto canceled = std::make_shared<std::atomic<bool>>(false);
  return Async(
      env, Lane::kLong, Leases(LeaseOf(env)),
      [database, family = std::move(family), call = std::move(call), canceled] {
        const rocksdb::Slice begin = call.begin ? rocksdb::Slice(*call.begin) : rocksdb::Slice();
        const rocksdb::Slice end = call.end ? rocksdb::Slice(*call.end) : rocksdb::Slice();
        return database->CompactRange(family, call.begin ? &begin : nullptr, call.end ? &end : nullptr, call.options,
                                      canceled);
      },
      [canceled] { *canceled = true; });
}

// approximateSize(family, start, end)
Napi::Value DatabaseHandle::approximateSize(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  Database::FamilyPtr family = FamilyOf(env, *database, args[0]);
  return Async<uint64_t>(
      env, Lane::kShort, Leases(LeaseOf(env)),
      [database, family = std::move(family), start = Bytes(env, args[1], "start").Copy(),
       end = Bytes(env, args[2], "end").Copy()](uint64_t& size) {
        return database->ApproximateSize(family, start, end, &size);
      },
      [](Napi::Env env, uint64_t& size) { return Napi::Number::New(env, static_cast<double>(size)); });
}

// property(family, name): its value, or undefined if there is no such property.
Napi::Value DatabaseHandle::property(const Args& args) {
  const Napi::Env env = args.Env();
  Database& database = resource(env);
  const Database::FamilyPtr family = FamilyOf(env, database, args[0]);
  std::string value;
  if (!database.db()->GetProperty(family->handle, StringArgument(env, args[1], "name"), &value)) {
    return env.Undefined();
  }
  return Napi::String::New(env, value);
}

Napi::Value DatabaseHandle::checkpoint(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  return Async(env, Lane::kLong, Leases(LeaseOf(env)),
               [database, path = PathArgument(env, args[0], "path")] { return database->Checkpoint(path); });
}

Napi::Value DatabaseHandle::tryCatchUpWithPrimary(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  return Async(env, Lane::kLong, Leases(LeaseOf(env)), [database] {
    return Error::From(database->db()->TryCatchUpWithPrimary(), "catch up with the primary of " + database->path())
        .With("path", database->path());
  });
}

// content(tables): { state, tables, inMemory }, a description of what the database holds. See
// core/database/database_content.h.
Napi::Value DatabaseHandle::content(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  const ContentParts parts = args[0].ToBoolean() ? ContentParts::kAll : ContentParts::kState;
  return Async<DatabaseContent>(
      env, Lane::kLong, Leases(LeaseOf(env)),
      [database, parts](DatabaseContent& content) { return database->Content(parts, &content); },
      [](Napi::Env env, DatabaseContent& content) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("state", Napi::Buffer<char>::Copy(env, content.state.data(), content.state.size()));
        object.Set("tables", Napi::Buffer<char>::Copy(env, content.tables.data(), content.tables.size()));
        object.Set("inMemory", content.in_memory);
        return object;
      });
}

Napi::Value DatabaseHandle::resume(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  return Async(env, Lane::kLong, Leases(LeaseOf(env)), [database] { return database->Resume(); });
}

// onEvent(listener | undefined): the listener is called with (kind, during, error) from now on. It replaces the
// listener before.
void DatabaseHandle::onEvent(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<DatabaseEvents> events = resource(env).events();
  Unsubscribe();
  if (args[0].IsUndefined()) {
    return;
  }
  if (!args[0].IsFunction()) {
    ThrowWrongType(env, "listener", "a function", args[0]);
  }
  on_event_ = JsCallback(args[0].As<Napi::Function>());
  subscribed_ = events;
  subscription_ = events->Subscribe([call = on_event_.caller()](const DatabaseEvent& event) {
    call([event](Napi::Env env, const Napi::Function& function) {
      const char* kind = event.kind == DatabaseEvent::Kind::kError ? "error" : "recovered";
      const Napi::Value error = event.error.ok() ? env.Undefined() : ToJs(env, event.error);
      function.Call({Napi::String::New(env, kind), Napi::String::New(env, event.during), error});
    });
  });
}

void DatabaseHandle::Unsubscribe() {
  if (subscribed_ != nullptr) {
    subscribed_->Unsubscribe(subscription_);
    subscribed_.reset();
  }
  on_event_.Reset();
}

Napi::Value DatabaseHandle::close(const Args& args) { return CloseHandle(args.Env()); }

Napi::Value DatabaseHandle::path(const Args& args) {
  return Napi::String::New(args.Env(), ForUsers(resource(args.Env()).path()));
}

Napi::Value DatabaseHandle::token(const Args& args) {
  return Napi::String::New(args.Env(), resource(args.Env()).token());
}

Napi::Value DatabaseHandle::mode(const Args& args) {
  using Mode = DatabaseOptions::Mode;
  return WriteChoice<Mode>(
      args.Env(), resource(args.Env()).mode(),
      {{"readWrite", Mode::kReadWrite}, {"readOnly", Mode::kReadOnly}, {"secondary", Mode::kSecondary}});
}

Napi::Value DatabaseHandle::identity(const Args& args) {
  const Napi::Env env = args.Env();
  std::string identity;
  ThrowIfError(env, Error::From(resource(env).db()->GetDbIdentity(identity), "identity of " + resource(env).path())
                        .With("path", resource(env).path()));
  return Napi::String::New(env, identity);
}

Napi::Value DatabaseHandle::diskCache(const Args& args) {
  const Napi::Env env = args.Env();
  const auto& cache = resource(env).disk_cache();
  if (cache == nullptr) {
    return env.Undefined();
  }
  const auto statistics = cache->statistics();
  auto status = Napi::Object::New(env);
  status.Set("hits", WriteUint64(env, statistics.hits));
  status.Set("misses", WriteUint64(env, statistics.misses));
  status.Set("damaged", WriteUint64(env, statistics.damaged));
  status.Set("bytesRead", WriteUint64(env, statistics.bytes_read));
  status.Set("bytesWritten", WriteUint64(env, statistics.bytes_written));
  status.Set("problem", statistics.problem.empty() ? env.Undefined() : Napi::String::New(env, statistics.problem));
  return status;
}

Napi::Value DatabaseHandle::latestSequenceNumber(const Args& args) {
  return Napi::BigInt::New(args.Env(), uint64_t{resource(args.Env()).db()->GetLatestSequenceNumber()});
}

}  // namespace rocksdb_backup
