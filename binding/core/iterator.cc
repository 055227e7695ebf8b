#include "core/iterator.h"

#include <cstring>
#include <utility>

namespace rocksdb_backup {

using rocksdb::Slice;

std::shared_ptr<Iterator> Iterator::New(const std::shared_ptr<Database>& database, const Database::FamilyPtr& family,
                                        rocksdb::ReadOptions read, Snapshot::Pin pin, Options options) {
  read.background_purge_on_iterator_cleanup = true;  // it may end on a JS thread
  std::shared_ptr<Iterator> iterator(
      new Iterator(database, read, std::move(pin), std::move(options), family->handle->GetComparator()));
  iterator->SetBounds();
  iterator->iterator_.reset(database->db()->NewIterator(iterator->read_, family->handle));
  database->AddChild(iterator.get());
  return iterator;
}

Iterator::Iterator(std::shared_ptr<Database> database, rocksdb::ReadOptions read, Snapshot::Pin pin, Options options,
                   const rocksdb::Comparator* comparator)
    : database_(std::move(database)),
      read_(read),
      pin_(std::move(pin)),
      options_(std::move(options)),
      comparator_(comparator) {}

Iterator::~Iterator() { database_->EndChild(this); }

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
  // RocksDB's lower bound includes its key, its upper bound does not. Ours are checked as well (InRange), so RocksDB's
  // may let one key too many through.
  if (lower_) {
    lower_slice_ = *lower_;
    read_.iterate_lower_bound = &lower_slice_;
  }
  if (upper_ && upper_open_) {
    upper_slice_ = *upper_;
    read_.iterate_upper_bound = &upper_slice_;
  }
}

void Iterator::Position(const std::optional<std::string>& target) {
  const auto beyond = [this](const std::string& key) {
    return options_.reverse ? upper_ && comparator_->Compare(key, *upper_) > 0
                            : lower_ && comparator_->Compare(key, *lower_) < 0;
  };
  positioned_ = true;
  if (!options_.reverse) {
    const auto& from = target && !beyond(*target) ? target : lower_;
    if (from) {
      iterator_->Seek(*from);
    } else {
      iterator_->SeekToFirst();
    }
    if (lower_open_ && iterator_->Valid() && iterator_->key() == *lower_) {
      iterator_->Next();
    }
  } else {
    const auto& from = target && !beyond(*target) ? target : upper_;
    if (from) {
      iterator_->SeekForPrev(*from);
    } else {
      iterator_->SeekToLast();
    }
    if (upper_open_ && iterator_->Valid() && iterator_->key() == *upper_) {
      iterator_->Prev();
    }
  }
}

bool Iterator::InRange() const {
  if (options_.reverse) {
    if (!lower_) {
      return true;
    }
    const int order = comparator_->Compare(iterator_->key(), *lower_);
    return lower_open_ ? order > 0 : order >= 0;
  }
  if (!upper_) {
    return true;
  }
  const int order = comparator_->Compare(iterator_->key(), *upper_);
  return upper_open_ ? order < 0 : order <= 0;
}

Error Iterator::Next(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target,
                     std::string* block) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) {
      return Database::ClosedError();  // with which it ended: nobody reads from an iterator he closed
    }
    if (reading_) {
      return Error("ITERATOR_BUSY", "the iterator is reading already");
    }
    reading_ = true;
  }
  Error error = ReadBlock(max_entries, max_bytes, target, block);
  const std::lock_guard lock(mutex_);
  reading_ = false;
  if (ended_) {
    iterator_.reset();
    pin_.reset();
  }
  return error;
}

Error Iterator::ReadBlock(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target,
                          std::string* block) {
  ends_.clear();
  bytes_.clear();
  uint32_t count = 0;
  bool finished = false;
  if (target || !positioned_) {
    Position(target);
  }
  while (true) {
    if (!iterator_->Valid() || !InRange()) {
      finished = true;
      break;
    }
    if (count == max_entries || bytes_.size() >= max_bytes) {
      break;
    }
    if (options_.keys) {
      const Slice key = iterator_->key();
      bytes_.append(key.data(), key.size());
      ends_.push_back(static_cast<uint32_t>(bytes_.size()));
    }
    if (options_.values) {
      const Slice value = iterator_->value();
      bytes_.append(value.data(), value.size());
      ends_.push_back(static_cast<uint32_t>(bytes_.size()));
    }
    ++count;
    if (options_.reverse) {
      iterator_->Prev();
    } else {
      iterator_->Next();
    }
  }
  const rocksdb::Status status = iterator_->status();
  if (!status.ok()) {
    return Error::From(status, "iterate over " + database_->path());
  }
  const uint32_t head[2] = {count, finished ? 1U : 0U};
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
    bytes_ = {};  // after a giant value
  }
  return Error();
}

void Iterator::End() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  if (!reading_) {
    iterator_.reset();
    pin_.reset();
  }
}

}  // namespace rocksdb_backup
