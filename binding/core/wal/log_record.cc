#include "core/wal/log_record.h"

#include <cstring>
#include <string>

namespace rocksdb_backup {
namespace {

using rocksdb::Slice;
using rocksdb::Status;

// Counts operations, and ends a batch at each stamp.
class Splitter : public rocksdb::WriteBatch::Handler {
 public:
  Splitter(std::string_view record, uint64_t first, std::vector<LoggedBatch>* batches)
      : record_(record), begin_(kBatchHeaderBytes), next_(first), batches_(*batches) {}

  Status PutCF(uint32_t, const Slice&, const Slice&) override { return Count(); }
  Status TimedPutCF(uint32_t, const Slice&, const Slice&, uint64_t) override { return Count(); }
  Status PutEntityCF(uint32_t, const Slice&, const Slice&) override { return Count(); }
  Status DeleteCF(uint32_t, const Slice&) override { return Count(); }
  Status SingleDeleteCF(uint32_t, const Slice&) override { return Count(); }
  Status DeleteRangeCF(uint32_t, const Slice&, const Slice&) override { return Count(); }
  Status MergeCF(uint32_t, const Slice&, const Slice&) override { return Count(); }
  Status PutBlobIndexCF(uint32_t, const Slice&, const Slice&) override { return Count(); }
  Status MarkNoop(bool) override { return Status::OK(); }

  void LogData(const Slice& data) override {
    if (const auto stamp = ParseStamp(data)) {
      // The data is its own end: RocksDB writes nothing after it. Before it stand one byte for its kind and one for its
      // length.
      const size_t end = static_cast<size_t>(data.data() - record_.data());
      End(end - 2, *stamp);
      begin_ = end + data.size();
    }
  }

  // What follows the last stamp.
  void Finish() {
    if (begin_ < record_.size()) {
      End(record_.size(), {});
    }
  }

 private:
  Status Count() {
    ++count_;
    return Status::OK();
  }
  void End(size_t end, const CommitStamp& stamp) {
    if (count_ > 0) {
      batches_.push_back({next_, count_, stamp, record_.substr(begin_, end - begin_)});
    }
    next_ += count_;
    count_ = 0;
  }

  const std::string_view record_;
  size_t begin_;
  uint64_t next_;
  uint32_t count_ = 0;
  std::vector<LoggedBatch>& batches_;
};

}  // namespace

std::string BatchHeader(uint64_t first, uint32_t count) {
  std::string header(kBatchHeaderBytes, '\0');
  std::memcpy(header.data(), &first, sizeof first);
  std::memcpy(header.data() + sizeof first, &count, sizeof count);
  return header;
}

Status SplitByWriters(const rocksdb::WriteBatch& record, uint64_t first, std::vector<LoggedBatch>* batches) {
  batches->clear();
  Splitter splitter(record.Data(), first, batches);
  Status status = record.Iterate(&splitter);
  splitter.Finish();
  uint64_t count = 0;
  for (const LoggedBatch& batch : *batches) {
    count += batch.count;
  }
  if (status.ok() && count != record.Count()) {
    status = Status::Corruption("a record of the log has " + std::to_string(record.Count()) + " operations, and " +
                                std::to_string(count) + " were found in it");
  }
  return status.IsInvalidArgument() ? Status::NotSupported(status.getState()) : status;
}

}  // namespace rocksdb_backup
