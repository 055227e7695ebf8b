#pragma once

#include <memory>
#include <mutex>

#include "core/database/database.h"
#include "rocksdb/snapshot.h"

namespace rocksdb_backup {

// A view of the database as it was when the snapshot was made. Whoever reads from it holds its Pin meanwhile, so that
// releasing it during a read is safe.
class Snapshot final : public Database::Child {
 public:
  using Pin = std::shared_ptr<const rocksdb::Snapshot>;

  // Null where the database makes none (a secondary).
  static std::shared_ptr<Snapshot> New(const std::shared_ptr<Database>& database);

  // A pin alone, for a child of the database: who lets it go holds a lease or ends it, so that the database is open
  // then. Null where the database makes none.
  static Pin Take(const Database& database);
  ~Snapshot() override;

  const Database* database() const { return database_.get(); }
  uint64_t sequence_number() const { return sequence_number_; }
  // Null after the end.
  Pin pin();
  void Close() override { database_->EndChild(this); }

 private:
  void End() override;
  Snapshot(std::shared_ptr<Database> database, Pin pin);

  const std::shared_ptr<Database> database_;
  const uint64_t sequence_number_;
  std::mutex mutex_;
  Pin pin_;
};

}  // namespace rocksdb_backup
