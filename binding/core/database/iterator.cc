#include "core/database/iterator.h"

#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

#include "core/database/no_wait_fs.h"

namespace rocksdb_backup {

using rocksdb::Slice;

namespace {

// After kMaxMisses seeks in a row that memory could not answer, the next kSkipAfterMisses seeks do not try memory.
constexpr int kMaxMisses = 3;
constexpr int kSkipAfterMisses = 8;

// A JS thread copies no larger entry than this.
constexpr size_t kMaxEntryFromMemory = size_t{256} << 10;

// Deleted entries that still exist take time and give no result. A JS thread skips at most kMaxSkippedInMemory of them
// on the way to the next existing entry. It works on one block for at most kMaxTimeInMemory, and reads the clock once
// in every kEntriesBetweenLooks entries.
constexpr uint64_t kMaxSkippedInMemory = 2000;
constexpr auto kMaxTimeInMemory = std::chrono::microseconds(500);
constexpr uint32_t kEntriesBetweenLooks = 16;

}  // namespace

std::shared_ptr<Iterator> Iterator::New(const std::shared_ptr<Database>& database, const Database::FamilyPtr& family,
                                        rocksdb::ReadOptions read, Snapshot::Pin pin, Options options) {
  read.background_purge_on_iterator_cleanup = true;  // the iterator may end on a JS thread
  read.total_order_seek = true;                      // all keys, even if the family has a prefix extractor
  const bool try_memory = read.read_tier == rocksdb::kReadAllTier;
  if (!pin && try_memory) {
    pin = Snapshot::Take(*database);
    read.snapshot = pin.get();
  }
  std::shared_ptr<Iterator> iterator(new Iterator(database, family, read, std::move(pin), std::move(options)));
  iterator->SetBounds();
  if (iterator->pin_ && try_memory) {
    iterator->memory_ = iterator->MakeForMemory();
  } else {
    iterator->disk_ = iterator->MakeForDisk();
  }
  database->AddChild(iterator.get());
  return iterator;
}

Iterator::Iterator(std::shared_ptr<Database> database, Database::FamilyPtr family, rocksdb::ReadOptions read,
                   Snapshot::Pin pin, Options options)
    : database_(std::move(database)),
      family_(std::move(family)),
      read_(read),
      pin_(std::move(pin)),
      options_(std::move(options)),
      comparator_(family_->handle->GetComparator()) {}

Iterator::~Iterator() { database_->EndChild(this); }

std::unique_ptr<rocksdb::Iterator> Iterator::MakeForMemory() const {
  const NoWait no_wait;
  rocksdb::ReadOptions read = read_;
  if (!database_->reads_without_waiting()) {
    read.read_tier = rocksdb::kBlockCacheTier;
  }
  read.max_skippable_internal_keys = kMaxSkippedInMemory;
  return std::unique_ptr<rocksdb::Iterator>(database_->db()->NewIterator(read, family_->handle));
}

std::unique_ptr<rocksdb::Iterator> Iterator::MakeForDisk() const {
  return std::unique_ptr<rocksdb::Iterator>(database_->db()->NewIterator(read_, family_->handle));
}

void Iterator::SetBounds() {
  const KeyRange& range = options_.range;
  lower_ = range.gte;
  if (range.gt && (!lower_ || comparator_->Compare(*range.gt, *lower_) >= 0)) {
    lower_ = range.gt;
    lower_open_ = true;
  }
  upper_ = range.lte;
  if (range.lt && (!upper_ || comparator_->Compare(*range.lt, *upper_) <= 0)) {
    upper_ = range.lt;
    upper_open_ = true;
  }
  // RocksDB's lower bound includes its key, and its upper bound does not. InRange also checks our own bounds, so
  // RocksDB's bounds may let one key too many through.
  if (lower_) {
    lower_slice_ = *lower_;
    read_.iterate_lower_bound = &lower_slice_;
  }
  if (upper_ && upper_open_) {
    upper_slice_ = *upper_;
    read_.iterate_upper_bound = &upper_slice_;
  }
}

void Iterator::Position(rocksdb::Iterator& at, const std::optional<std::string>& target) const {
  const auto beyond = [this](const std::string& key) {
    return options_.reverse ? upper_ && comparator_->Compare(key, *upper_) > 0
                            : lower_ && comparator_->Compare(key, *lower_) < 0;
  };
  const std::optional<std::string>& bound = options_.reverse ? upper_ : lower_;
  const std::optional<std::string>& from = target && !beyond(*target) ? target : bound;
  if (!options_.reverse) {
    if (from) {
      at.Seek(*from);
    } else {
      at.SeekToFirst();
    }
  } else {
    if (from) {
      at.SeekForPrev(*from);
    } else {
      at.SeekToLast();
    }
  }
  if ((options_.reverse ? upper_open_ : lower_open_) && at.Valid() && at.key() == *bound) {
    Step(at);
  }
}

void Iterator::Step(rocksdb::Iterator& at) const {
  if (options_.reverse) {
    at.Prev();
  } else {
    at.Next();
  }
}

bool Iterator::InRange(const rocksdb::Iterator& at) const {
  if (options_.reverse) {
    if (!lower_) {
      return true;
    }
    const int order = comparator_->Compare(at.key(), *lower_);
    return lower_open_ ? order > 0 : order >= 0;
  }
  if (!upper_ || upper_open_) {
    return true;  // RocksDB checks an open upper bound itself
  }
  return comparator_->Compare(at.key(), *upper_) <= 0;
}

bool Iterator::IsOutside(const std::string& key) const {
  const int from_lower = lower_ ? comparator_->Compare(key, *lower_) : 1;
  const int from_upper = upper_ ? comparator_->Compare(key, *upper_) : -1;
  return from_lower < 0 || (from_lower == 0 && lower_open_) || from_upper > 0 || (from_upper == 0 && upper_open_);
}

// A turn of reading. Only one thread reads at a time. If the iterator is ended during a read, it is released when the
// read is over.
class Iterator::Turn {
 public:
  explicit Turn(Iterator& iterator) : iterator_(iterator) {
    const std::lock_guard lock(iterator_.mutex_);
    if (iterator_.ended_) {
      error_ = Database::ClosedError();  // the database closed: nobody reads from an iterator that he closed himself
    } else if (iterator_.reading_) {
      error_ = Error("ITERATOR_BUSY", "the iterator is reading already");
    } else {
      iterator_.reading_ = true;
    }
  }
  ~Turn() {
    if (!error_.ok()) {
      return;
    }
    const std::lock_guard lock(iterator_.mutex_);
    iterator_.reading_ = false;
    if (iterator_.ended_) {
      iterator_.Release();
    }
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  const Error& error() const { return error_; }

 private:
  Iterator& iterator_;
  Error error_;
};

Error Iterator::Next(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target,
                     std::string* block) {
  const Turn turn(*this);
  if (!turn.error().ok()) {
    return turn.error();
  }
  if (!disk_) {
    disk_ = MakeForDisk();
  }
  if (target || !positioned_) {
    Position(*disk_, target);
  } else if (at_ != disk_.get()) {
    Position(*disk_, last_key_);
    if (disk_->Valid() && disk_->key() == last_key_) {
      Step(*disk_);
    }
  }
  at_ = disk_.get();
  positioned_ = true;
  const bool finished = Collect(*disk_, max_entries, max_bytes, std::numeric_limits<size_t>::max());
  const rocksdb::Status status = disk_->status();
  if (!status.ok()) {
    return ReadError(status);
  }
  PutTogether(finished, max_bytes, block);
  return Error();
}

Error Iterator::NextFromMemory(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target,
                               std::string* block, bool* answered) {
  *answered = false;
  const Turn turn(*this);
  if (!turn.error().ok()) {
    return turn.error();
  }
  if (target && options_.seeks_inside_only && IsOutside(*target)) {
    count_ = 0;
    ends_.clear();
    bytes_.clear();
    *answered = true;
    PutTogether(true, max_bytes, block);
    return Error();
  }
  const bool goes_on = !target && positioned_;
  if (!memory_ || (goes_on && at_ != memory_.get())) {
    return Error();
  }
  if (!goes_on && skip_ > 0) {
    --skip_;
    return Error();
  }
  const NoWait no_wait;
  if (!goes_on) {
    Position(*memory_, target);
  }
  const bool finished = Collect(*memory_, max_entries, max_bytes, kMaxEntryFromMemory);
  const rocksdb::Status status = memory_->status();
  const bool missed = status.IsIncomplete() || (!status.ok() && no_wait.missed());
  if (!status.ok() && !missed) {
    return ReadError(status);
  }
  misses_ = missed ? misses_ + 1 : 0;
  if (misses_ >= kMaxMisses) {
    skip_ = kSkipAfterMisses;
  }
  const bool incomplete = missed || stopped_at_large_entry_;
  at_ = incomplete ? nullptr : memory_.get();
  if (incomplete && count_ == 0) {
    return Error();
  }
  // The entries that were collected are valid.
  positioned_ = true;
  *answered = true;
  PutTogether(finished && !incomplete, max_bytes, block);
  return Error();
}

bool Iterator::Collect(rocksdb::Iterator& at, uint32_t max_entries, size_t max_bytes, size_t max_entry_bytes) {
  ends_.clear();
  bytes_.clear();
  count_ = 0;
  stopped_at_large_entry_ = false;
  const bool from_memory = &at == memory_.get();
  const auto begin = from_memory ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
  while (at.Valid() && InRange(at)) {
    if (count_ == max_entries || bytes_.size() >= max_bytes) {
      return false;
    }
    if (from_memory && count_ % kEntriesBetweenLooks == kEntriesBetweenLooks - 1 &&
        std::chrono::steady_clock::now() - begin > kMaxTimeInMemory) {
      return false;
    }
    const Slice key = at.key();
    if ((options_.keys ? key.size() : 0) + (options_.values ? at.value().size() : 0) > max_entry_bytes) {
      stopped_at_large_entry_ = true;
      return false;
    }
    if (options_.keys) {
      bytes_.append(key.data(), key.size());
      ends_.push_back(static_cast<uint32_t>(bytes_.size()));
    }
    if (options_.values) {
      const Slice value = at.value();
      bytes_.append(value.data(), value.size());
      ends_.push_back(static_cast<uint32_t>(bytes_.size()));
    }
    if (memory_) {
      last_key_.assign(key.data(), key.size());
    }
    ++count_;
    Step(at);
  }
  return true;
}

void Iterator::PutTogether(bool finished, size_t max_bytes, std::string* block) {
  const uint32_t head[2] = {count_, finished ? 1U : 0U};
  block->resize(sizeof(head) + ends_.size() * sizeof(uint32_t) + bytes_.size());
  char* out = block->data();
  const auto put = [&out](const void* from, size_t size) {
    if (size != 0) {
      std::memcpy(out, from, size);
      out += size;
    }
  };
  put(head, sizeof(head));
  put(ends_.data(), ends_.size() * sizeof(uint32_t));
  put(bytes_.data(), bytes_.size());
  if (bytes_.capacity() > 4 * max_bytes) {
    bytes_ = {};  // frees the memory of a very large value
  }
}

Error Iterator::ReadError(const rocksdb::Status& status) const {
  return database_->Explained(Error::From(status, "iterate over " + database_->path()).With("path", database_->path()));
}

void Iterator::Release() {
  at_ = nullptr;
  memory_.reset();
  disk_.reset();
  pin_.reset();
  family_.reset();
}

void Iterator::End() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  if (!reading_) {
    Release();
  }
}

}  // namespace rocksdb_backup
