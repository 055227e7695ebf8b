#pragma once

#include <memory>
#include <vector>

#include "core/database/database.h"
#include "napi/database/call_options.h"
#include "napi/runtime/js_callback.h"
#include "napi/runtime/wrap.h"

namespace rocksdb_backup {

// The native half of lib/database/database.ts: one JS thread's handle on a Database. Methods that work on a column
// family take its id as the first argument; the default family's is 0. If there is nothing to wait for, get, getMany,
// put and similar methods may return their result itself instead of a promise.
class DatabaseHandle final : public Handle<Database> {
 public:
  static void Define(Napi::Env env, Napi::Object exports);
  // A handle on `database`, for JS. Throws if the database is closing.
  static Napi::Object New(Napi::Env env, std::shared_ptr<Database> database);

  explicit DatabaseHandle(std::shared_ptr<Database> database)
      : Handle(TypeId<DatabaseHandle>::id(), std::move(database)) {}
  ~DatabaseHandle() override { DatabaseHandle::BeforeClose(); }

 protected:
  void BeforeClose() override;

 private:
  // Reading and writing, in napi/database/database_data.cc.
  Napi::Value get(const Args& args);
  Napi::Value getSync(const Args& args);
  Napi::Value getMany(const Args& args);
  Napi::Value has(const Args& args);
  Napi::Value writePacked(const Args& args);
  Napi::Value hasMany(const Args& args);
  Napi::Value put(const Args& args);
  Napi::Value putSync(const Args& args);
  Napi::Value del(const Args& args);
  Napi::Value deleteSync(const Args& args);
  Napi::Value singleDelete(const Args& args);
  Napi::Value deleteRange(const Args& args);
  Napi::Value merge(const Args& args);

  // Everything else, in napi/database/database.cc.
  Napi::Value batch(const Args& args);
  Napi::Value iterator(const Args& args);
  Napi::Value snapshot(const Args& args);
  Napi::Value columnFamily(const Args& args);
  Napi::Value columnFamilies(const Args& args);
  Napi::Value createColumnFamily(const Args& args);
  Napi::Value dropColumnFamily(const Args& args);
  Napi::Value flush(const Args& args);
  Napi::Value compactRange(const Args& args);
  Napi::Value approximateSize(const Args& args);
  Napi::Value property(const Args& args);
  Napi::Value checkpoint(const Args& args);
  Napi::Value tryCatchUpWithPrimary(const Args& args);
  Napi::Value content(const Args& args);
  Napi::Value resume(const Args& args);
  void onEvent(const Args& args);
  Napi::Value close(const Args& args);
  Napi::Value path(const Args& args);
  Napi::Value token(const Args& args);
  Napi::Value mode(const Args& args);
  Napi::Value identity(const Args& args);
  Napi::Value diskCache(const Args& args);
  Napi::Value latestSequenceNumber(const Args& args);

  bool NextReadIsDirect(const ReadCall& call);
  Resource::Lease LeaseOf(Napi::Env env) const;
  void Unsubscribe();

  template <auto kOperation, bool kTwo, bool kNow>
  Napi::Value WriteOne(const Args& args);

  // Adds what this handle opened. It must end with this handle, even while other handles keep the database open.
  void AddChild(const std::shared_ptr<Database::Child>& child);

  const std::shared_ptr<bool> open_ = std::make_shared<bool>(true);
  std::vector<std::weak_ptr<Database::Child>> children_;
  // The listener for errors that the database has by itself. It lives as long as this handle is open.
  JsCallback on_event_;
  std::shared_ptr<DatabaseEvents> subscribed_;
  uint64_t subscription_ = 0;
  // How many of the next reads go to the pool without being tried here first.
  int skip_direct_reads_ = 0;
};

}  // namespace rocksdb_backup
