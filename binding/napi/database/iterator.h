#pragma once

#include <memory>

#include "core/database/iterator.h"
#include "napi/runtime/wrap.h"

namespace rocksdb_backup {

// The native half of lib/database/iterator.ts.
class IteratorHandle final : public Wrapped {
 public:
  static void Define(Napi::Env env, Napi::Object exports);

  // An iterator over a family of `database`, with the options of lib/database/iterator.ts. The caller must make it end
  // with its handle.
  static std::shared_ptr<Iterator> Open(Napi::Env env, const std::shared_ptr<Database>& database,
                                        const Database::FamilyPtr& family, Napi::Value options);

  IteratorHandle(std::shared_ptr<Database> database, std::shared_ptr<Iterator> iterator)
      : Wrapped(TypeId<IteratorHandle>::id()), database_(std::move(database)), iterator_(std::move(iterator)) {}

 private:
  Napi::Value next(const Args& args);
  void close(const Args& args);

  const std::shared_ptr<Database> database_;
  const std::shared_ptr<Iterator> iterator_;
};

}  // namespace rocksdb_backup
