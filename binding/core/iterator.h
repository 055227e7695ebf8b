#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/snapshot.h"
#include "rocksdb/comparator.h"
#include "rocksdb/iterator.h"

namespace rocksdb_backup {

// A range of keys in the order of the family's comparator. Of two lower or two upper bounds, the tighter counts.
struct KeyRange {
  std::optional<std::string> gt, gte, lt, lte;
};

// Reads a range in blocks. It sees the database as it was when it was made, or as its snapshot did.
class Iterator final : public Database::Child {
 public:
  struct Options {
    KeyRange range;
    bool reverse = false;
    bool keys = true;
    bool values = true;
  };

  // `read.snapshot` is `pin`, if there is one.
  static std::shared_ptr<Iterator> New(const std::shared_ptr<Database>& database, const Database::FamilyPtr& family,
                                       rocksdb::ReadOptions read, Snapshot::Pin pin, Options options);
  ~Iterator() override;

  // The next entries, as one piece of memory that crosses to JS at once:
  //
  //   uint32 count, uint32 finished, uint32 ends[...], bytes
  //
  // `bytes` are all keys and values, in turn, one after the other; ends[i] is where the i-th of them ends. Stops after
  // `max_entries`, or when `max_bytes` are reached: so at least one entry comes if there is any. `finished` says that
  // there is no more. If there is a `target`, the iterator first goes to it, or to the next key in its direction.
  Error Next(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target, std::string* block);

  void Close() override { database_->EndChild(this); }

 private:
  void End() override;
  Iterator(std::shared_ptr<Database> database, rocksdb::ReadOptions read, Snapshot::Pin pin, Options options,
           const rocksdb::Comparator* comparator);

  void SetBounds();
  void Position(const std::optional<std::string>& target);
  bool InRange() const;
  Error ReadBlock(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target, std::string* block);

  const std::shared_ptr<Database> database_;
  rocksdb::ReadOptions read_;
  Snapshot::Pin pin_;
  const Options options_;
  const rocksdb::Comparator* const comparator_;  // one of RocksDB's own, which live for ever
  std::optional<std::string> lower_, upper_;     // the effective bounds
  bool lower_open_ = false, upper_open_ = false;
  rocksdb::Slice lower_slice_, upper_slice_;  // what read_ points to
  bool positioned_ = false;
  std::vector<uint32_t> ends_;  // kept for its memory
  std::string bytes_;

  std::mutex mutex_;  // for what follows
  bool reading_ = false;
  bool ended_ = false;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace rocksdb_backup
