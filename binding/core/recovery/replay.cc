#include "core/recovery/replay.h"

#include <future>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "core/database/database.h"
#include "rocksdb/convenience.h"

namespace rocksdb_backup {
namespace {

using rocksdb::Slice;
using rocksdb::Status;

// Batches are applied together up to this size.
constexpr size_t kTogether = size_t{4} << 20;

// Whether a batch writes to families that exist. RocksDB would take an unknown one for damage of the database.
class FamilyCheck : public rocksdb::WriteBatch::Handler {
 public:
  explicit FamilyCheck(const std::set<uint32_t>& known) : known_(known) {}
  uint32_t unknown() const { return unknown_; }

  Status PutCF(uint32_t id, const Slice&, const Slice&) override { return Check(id); }
  Status TimedPutCF(uint32_t id, const Slice&, const Slice&, uint64_t) override { return Check(id); }
  Status PutEntityCF(uint32_t id, const Slice&, const Slice&) override { return Check(id); }
  Status DeleteCF(uint32_t id, const Slice&) override { return Check(id); }
  Status SingleDeleteCF(uint32_t id, const Slice&) override { return Check(id); }
  Status DeleteRangeCF(uint32_t id, const Slice&, const Slice&) override { return Check(id); }
  Status MergeCF(uint32_t id, const Slice&, const Slice&) override { return Check(id); }
  Status PutBlobIndexCF(uint32_t id, const Slice&, const Slice&) override { return Check(id); }
  Status MarkNoop(bool) override { return Status::OK(); }

 private:
  Status Check(uint32_t id) {
    if (known_.contains(id)) {
      return Status::OK();
    }
    unknown_ = id;
    return Status::Corruption("an unknown column family");
  }
  const std::set<uint32_t>& known_;
  uint32_t unknown_ = 0;
};

// A database that one thread has open for a while.
class OpenForReplay {
 public:
  ~OpenForReplay() { (void)Close(); }
  Error Open(const std::string& directory, const DatabaseOptions& options) {
    if (Error error = Database::Open(directory, options, &database_); !error.ok()) {
      return error;
    }
    database_->AddHandle();
    return Error();
  }
  Error Close() {
    if (database_ == nullptr) {
      return Error();
    }
    std::promise<Error> closed;
    database_->RemoveHandle([&closed](const Error& error) { closed.set_value(error); });
    database_ = nullptr;
    return closed.get_future().get();
  }
  Database& operator*() const { return *database_; }
  Database* operator->() const { return database_.get(); }

 private:
  std::shared_ptr<Database> database_;
};

class Replayer {
 public:
  Replayer(Archive& archive, const RecoveryPlan& plan, Operation& operation, ReplayResult* result)
      : archive_(archive), plan_(plan), operation_(operation), result_(*result) {}

  Error Run(const std::string& directory, const DatabaseOptions& options) {
    if (Error error = database_.Open(directory, options); !error.ok()) {
      return error;
    }
    result_.from = result_.sequence = database_->db()->GetLatestSequenceNumber();
    if (result_.from > plan_.base.sequence) {
      return Error("ARCHIVE_CORRUPT", "backup " + std::to_string(plan_.base.backup_id) + " of " + archive_.name() +
                                          " has writes up to " + std::to_string(result_.from) +
                                          ", which is more than the archive knows of it (" +
                                          std::to_string(plan_.base.sequence) + ")");
    }
    for (const Database::FamilyPtr& family : database_->AllFamilies()) {
      known_.insert(family->handle->GetID());
    }
    for (const SegmentName& name : plan_.timeline.segments) {
      if (name.last <= result_.from || name.first > plan_.sequence) {
        continue;
      }
      if (Error error = ReplaySegment(name); !error.ok()) {
        return error;
      }
    }
    Error error = Apply();
    if (error.ok() && result_.sequence != plan_.sequence) {
      error = Error("ARCHIVE_GAP", archive_.name() + " lacks the writes from sequence number " +
                                       std::to_string(result_.sequence + 1) + " up to " +
                                       std::to_string(plan_.sequence) + ": segments are missing");
    }
    // Nothing of what was replayed is in a log.
    if (error.ok()) {
      error = database_->Flush(nullptr);
    }
    Error closed = database_.Close();
    return error.ok() ? closed : error;
  }

 private:
  Error ReplaySegment(const SegmentName& name) {
    if (operation_.stopped()) {
      return Error("RESTORE_STOPPED", "the recovery was stopped");
    }
    Segment segment;
    if (Error error = archive_.Read(plan_.timeline.id, name, &segment); !error.ok()) {
      return error;
    }
    at_ = name.first - 1;
    return segment.ForEach({.batch = [&](const LoggedBatch& batch) { return Add(batch); },
                            .event = [&](const ArchivedEvent& event) { return Follow(event); }});
  }

  Error Add(const LoggedBatch& batch) {
    at_ = batch.last();
    if (batch.last() <= result_.sequence + pending_count_ || batch.last() > plan_.sequence) {
      return Error();
    }
    const uint64_t next = result_.sequence + pending_count_ + 1;
    if (batch.first != next) {
      return Error("ARCHIVE_GAP", archive_.name() + " has no write with the sequence number " + std::to_string(next) +
                                      ": the next one is " + std::to_string(batch.first))
          .With("firstSequence", next);
    }
    pending_ += batch.operations;
    pending_count_ += batch.count;
    ++result_.batches;
    result_.time = batch.stamp.micros;
    return pending_.size() >= kTogether ? Apply() : Error();
  }

  Error Follow(const ArchivedEvent& event) {
    // What happened before the backup is in it, and what happened after the target is not wanted.
    if (at_ < result_.from || at_ >= plan_.sequence) {
      return Error();
    }
    if (Error error = Apply(); !error.ok()) {
      return error;
    }
    if (event.kind == ArchivedEvent::Kind::kFamilyMade) {
      return known_.contains(event.family.id) ? Error() : Make(event.family);
    }
    if (!known_.contains(event.family.id)) {
      return Error();
    }
    known_.erase(event.family.id);
    return database_->DropFamily(event.family.name);
  }

  Error Make(const ArchivedFamily& family) {
    FamilyOptions options = database_->family_options().Inherited();
    rocksdb::ConfigOptions config;
    config.ignore_unknown_options = true;
    if (const Status status = GetColumnFamilyOptionsFromString(config, options.family, family.options, &options.family);
        !status.ok()) {
      return Error::From(status, "making the column family \"" + family.name + "\"");
    }
    uint32_t id = 0;
    if (Error error = database_->CreateFamily(family.name, options, &id); !error.ok()) {
      return error;
    }
    if (id != family.id) {
      return Error("ARCHIVE_CORRUPT", "the column family \"" + family.name + "\" was number " +
                                          std::to_string(family.id) + " in the database, and would be number " +
                                          std::to_string(id) + " now");
    }
    known_.insert(id);
    return Error();
  }

  Error Apply() {
    if (pending_count_ == 0) {
      return Error();
    }
    rocksdb::WriteBatch batch(BatchHeader(0, pending_count_) + pending_);
    FamilyCheck check(known_);
    if (const Status status = batch.Iterate(&check); !status.ok()) {
      return Error("ARCHIVE_CORRUPT", archive_.name() + " has a write near sequence number " +
                                          std::to_string(result_.sequence + 1) + " to the column family " +
                                          std::to_string(check.unknown()) +
                                          ", of which the archive says nothing: " + status.ToString());
    }
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    if (Error error = database_->Write(options, &batch); !error.ok()) {
      return error;
    }
    result_.bytes += pending_.size();
    result_.sequence += pending_count_;
    if (const uint64_t now = database_->db()->GetLatestSequenceNumber(); now != result_.sequence) {
      return Error("ARCHIVE_CORRUPT", "after the replay up to " + std::to_string(result_.sequence) +
                                          ", the last sequence number is " + std::to_string(now));
    }
    pending_.clear();
    pending_count_ = 0;
    return Error();
  }

  Archive& archive_;
  const RecoveryPlan& plan_;
  Operation& operation_;
  ReplayResult& result_;
  OpenForReplay database_;
  std::set<uint32_t> known_;  // the families that there are
  uint64_t at_ = 0;           // the last write that was read
  std::string pending_;
  uint32_t pending_count_ = 0;
};

}  // namespace

Error Replay(Archive& archive, const RecoveryPlan& plan, const std::string& directory, const DatabaseOptions& options,
             Operation& operation, ReplayResult* result) {
  return Replayer(archive, plan, operation, result).Run(directory, options);
}

}  // namespace rocksdb_backup
