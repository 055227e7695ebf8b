#pragma once

#include <memory>
#include <mutex>

#include "core/database/database.h"
#include "rocksdb/snapshot.h"

namespace rocksdb_backup {

// A view of the database as it was when the snapshot was made. A reader holds its Pin while it reads, so that the
// snapshot may safely be released during a read.
class Snapshot final : public Database::Child {
 public:
  using Pin = std::shared_ptr<const rocksdb::Snapshot>;

  // Null if the database makes no snapshots (a secondary).
  static std::shared_ptr<Snapshot> New(const std::shared_ptr<Database>& database);

  // Takes only a pin, for a child of the database. The database must be open when the pin is dropped, so the child
  // drops it while a lease is held, or when the database ends the child. Null if the database makes no snapshots.
  static Pin Take(const Database& database);
  ~Snapshot() override;

  const Database* database() const { return database_.get(); }
  uint64_t sequence_number() const { return sequence_number_; }
  // Null after the snapshot has ended.
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
