#include "core/stores/object_random_file.h"

#include <algorithm>

#include "core/stores/object_files.h"

namespace rocksdb_backup {
namespace {

constexpr uint64_t kBlockBytes = ObjectBlocks::kBlockBytes;
// A file that is read in order is read this far ahead in the end. A merge of many files that are read in order needs so
// much memory for each of them; with less, some blocks are fetched twice.
constexpr uint64_t kMostAhead = (uint64_t{4} << 20) / kBlockBytes;

}  // namespace

rocksdb::IOStatus ObjectRandomAccessFile::Read(uint64_t offset, size_t n, const rocksdb::IOOptions& /*options*/,
                                               rocksdb::Slice* result, char* scratch,
                                               rocksdb::IODebugContext* /*debug*/) const {
  *result = rocksdb::Slice();
  if (offset >= object_.size || n == 0) {
    return rocksdb::IOStatus::OK();
  }
  n = std::min<uint64_t>(n, object_.size - offset);
  const uint64_t last = (offset + n - 1) / kBlockBytes;
  for (size_t filled = 0; filled < n;) {
    const uint64_t index = (offset + filled) / kBlockBytes;
    ObjectBlocks::Block block;
    if (rocksdb::IOStatus status = Get(index, last, &block); !status.ok()) {
      return status;
    }
    const uint64_t begin = offset + filled - index * kBlockBytes;
    const size_t taken = std::min<uint64_t>(n - filled, block->size() - begin);
    std::copy_n(block->data() + begin, taken, scratch + filled);
    filled += taken;
  }
  *result = rocksdb::Slice(scratch, n);
  return rocksdb::IOStatus::OK();
}

// Threads that need the same block send one request.
rocksdb::IOStatus ObjectRandomAccessFile::Get(uint64_t index, uint64_t last, ObjectBlocks::Block* block) const {
  for (;;) {
    if (*block = blocks_->Find(object_, index); *block != nullptr) {
      return rocksdb::IOStatus::OK();
    }
    std::unique_lock lock(mutex_);
    if (fetching_.insert(index).second) {
      break;
    }
    fetched_.wait(lock, [&] { return !fetching_.contains(index); });
  }
  rocksdb::IOStatus status = Fetch(index, last, block);
  {
    const std::lock_guard lock(mutex_);
    fetching_.erase(index);
  }
  fetched_.notify_all();
  return status;
}

// Fetches a block with those that follow it up to `last`, and more if the file is read in order, but none that is
// there.
rocksdb::IOStatus ObjectRandomAccessFile::Fetch(uint64_t index, uint64_t last, ObjectBlocks::Block* block) const {
  const uint64_t blocks = (object_.size + kBlockBytes - 1) / kBlockBytes;
  {
    const std::lock_guard lock(mutex_);
    ahead_ = index != next_ || index == 0 ? 0 : std::clamp<uint64_t>(ahead_ * 2, 1, kMostAhead);
    last = std::min(last + ahead_, blocks - 1);
  }
  uint64_t end = index + 1;
  while (end <= last && !blocks_->Has(object_, end)) {
    ++end;
  }
  const uint64_t offset = index * kBlockBytes;
  const uint64_t length = std::min(end * kBlockBytes, object_.size) - offset;
  StoreAnswer answer = client_->Do({.kind = StoreRequest::Kind::kGet,
                                    .key = object_.key,
                                    .if_match = object_.etag,
                                    .offset = offset,
                                    .length = length});
  if (rocksdb::IOStatus status =
          Received(*client_, object_.key, answer, {offset, length, answer.bytes.size()}, changed_);
      !status.ok()) {
    return status;
  }
  // The first is kept last, so that it is not the first that goes.
  for (uint64_t i = end; i-- > index;) {
    *block = blocks_->Keep(object_, i, answer.bytes.substr((i - index) * kBlockBytes, kBlockBytes));
  }
  const std::lock_guard lock(mutex_);
  next_ = end;
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus SequentialThroughBlocks::Read(size_t n, const rocksdb::IOOptions& options, rocksdb::Slice* result,
                                                char* scratch, rocksdb::IODebugContext* debug) {
  *result = rocksdb::Slice();
  size_t filled = 0;
  while (filled < n && (used_ < part_.size() || part_end_ < size_)) {
    if (used_ == part_.size()) {
      part_.resize(std::min(kPartBytes, size_ - part_end_));
      used_ = 0;
      rocksdb::Slice read;
      rocksdb::IOStatus status = file_->Read(part_end_, part_.size(), options, &read, part_.data(), debug);
      if (!status.ok()) {
        part_.clear();
        return status;
      }
      part_end_ += part_.size();
    }
    const size_t taken = std::min(n - filled, part_.size() - used_);
    std::copy_n(part_.data() + used_, taken, scratch + filled);
    filled += taken;
    used_ += taken;
  }
  *result = rocksdb::Slice(scratch, filled);
  return rocksdb::IOStatus::OK();
}

rocksdb::IOStatus SequentialThroughBlocks::Skip(uint64_t n) {
  const uint64_t in_part = std::min<uint64_t>(n, part_.size() - used_);
  used_ += in_part;
  part_end_ = std::min(size_, part_end_ + n - in_part);
  return rocksdb::IOStatus::OK();
}

}  // namespace rocksdb_backup
