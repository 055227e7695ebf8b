#include "core/database/snapshot.h"

#include <utility>

namespace rocksdb_backup {

Snapshot::Pin Snapshot::Take(const Database& database) {
  rocksdb::DB* db = database.db();
  const rocksdb::Snapshot* made = db->GetSnapshot();
  return made == nullptr ? nullptr
                         : Pin(made, [db](const rocksdb::Snapshot* snapshot) { db->ReleaseSnapshot(snapshot); });
}

std::shared_ptr<Snapshot> Snapshot::New(const std::shared_ptr<Database>& database) {
  Pin pin = Take(*database);
  if (!pin) {
    return nullptr;
  }
  std::shared_ptr<Snapshot> snapshot(new Snapshot(database, std::move(pin)));
  database->AddChild(snapshot.get());
  return snapshot;
}

Snapshot::Snapshot(std::shared_ptr<Database> database, Pin pin)
    : database_(std::move(database)), sequence_number_(pin->GetSequenceNumber()), pin_(std::move(pin)) {}

Snapshot::~Snapshot() { database_->EndChild(this); }

Snapshot::Pin Snapshot::pin() {
  const std::lock_guard lock(mutex_);
  return pin_;
}

void Snapshot::End() {
  const std::lock_guard lock(mutex_);
  pin_ = nullptr;
}

}  // namespace rocksdb_backup
