#include "core/stores/object_files.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace rocksdb_backup {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using Kind = StoreRequest::Kind;

constexpr size_t kMostInFlight = 4;  // parts of one file
constexpr uint64_t kMostBytesInFlight = uint64_t{64} << 20;
// Files that are not larger are written and read without a part. So is what remains of a file, and what is needed of a
// file when there is no part.
constexpr uint64_t kSmallBytes = uint64_t{256} << 10;
// What a read anywhere asks for at least, and how many such pieces a file keeps.

uint64_t PartBytes(const ObjectStore::Limits& limits, uint64_t file_size) {
  constexpr uint64_t kUnit = uint64_t{1} << 20;
  const uint64_t most = std::max<uint64_t>(limits.max_parts, 1);
  const uint64_t least = (file_size + most - 1) / most;
  return std::max({uint64_t{kPartBytes}, limits.min_part_bytes, (least + kUnit - 1) / kUnit * kUnit});
}

}  // namespace

IOStatus Received(StoreClient& client, const std::string& key, const StoreAnswer& answer, const ReceivedRange& range,
                  const std::function<void()>& changed) {
  if (answer.failure == StoreFailure::kNotFound || answer.failure == StoreFailure::kConditionFailed) {
    changed();
  }
  if (IOStatus status = client.ToStatus(answer, "reading", key); !status.ok()) {
    return status;
  }
  if (range.received != range.length) {
    changed();
    return IOStatus::Corruption("reading " + client.store().name() + "/" + key + " from " +
                                std::to_string(range.offset) + ": " + std::to_string(range.received) +
                                " bytes came instead of " + std::to_string(range.length));
  }
  return IOStatus::OK();
}

// ---- Writing

ObjectWritableFile::ObjectWritableFile(std::shared_ptr<StoreClient> client, std::string key, const Settings& settings,
                                       Made made)
    : client_(std::move(client)),
      key_(std::move(key)),
      only_new_(settings.only_new),
      made_(std::move(made)),
      limits_(client_->store().limits()),
      part_bytes_(PartBytes(limits_, settings.expected_size)) {}

ObjectWritableFile::~ObjectWritableFile() {
  if (!closed_) {
    GiveUp();
  }
}

IOStatus ObjectWritableFile::Append(const Slice& data, const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  if (!failed_.ok()) {
    return failed_;
  }
  size_ += data.size();
  if (!limits_.has_uploads || (size_ <= kSmallBytes && part_ == nullptr)) {
    small_.append(data.data(), data.size());
    return IOStatus::OK();
  }
  std::string_view rest(data.data(), data.size());
  while (failed_.ok() && !rest.empty()) {
    if (part_ == nullptr) {
      failed_ = TakePart();
    } else if (part_->size() < part_->capacity()) {
      rest.remove_prefix(part_->Append(rest));
    } else {
      failed_ = SendPart();  // the last one is sent at the end, so that a file of one part is put
    }
  }
  return failed_;
}

IOStatus ObjectWritableFile::TakePart() {
  part_ = client_->TakePart(part_bytes_);
  if (part_ == nullptr) {
    return client_->ToStatus(StoreAnswer::Stopped(), "writing", key_);
  }
  part_->Append(small_);
  small_ = std::string();
  return IOStatus::OK();
}

IOStatus ObjectWritableFile::SendPart() {
  if (etags_.size() + in_flight_.size() == limits_.max_parts) {
    return IOStatus::IOError("writing " + client_->store().name() + "/" + key_,
                             "it is larger than it was said to be: the store takes at most " +
                                 std::to_string(limits_.max_parts) + " parts, and each has " +
                                 std::to_string(part_bytes_) + " bytes");
  }
  if (upload_.empty()) {
    StoreAnswer created = client_->Do({.kind = Kind::kCreateUpload, .key = key_});
    if (IOStatus status = client_->ToStatus(created, "writing", key_); !status.ok()) {
      return status;
    }
    upload_ = std::move(created.upload);
  }
  const size_t most = std::clamp<size_t>(kMostBytesInFlight / part_bytes_, 1, kMostInFlight);
  while (in_flight_.size() >= most) {
    if (IOStatus status = AwaitOldest(); !status.ok()) {
      return status;
    }
  }
  const uint64_t size = part_->size();
  in_flight_.push_back({client_->Send({.kind = Kind::kPart,
                                       .key = key_,
                                       .upload = upload_,
                                       .part = static_cast<uint32_t>(etags_.size() + in_flight_.size() + 1),
                                       .memory = std::move(part_)}),
                        size});
  return IOStatus::OK();
}

IOStatus ObjectWritableFile::AwaitOldest() {
  const Sent oldest = std::move(in_flight_.front());
  in_flight_.pop_front();
  const StoreAnswer answer = client_->Wait(*oldest.call, {});
  etags_.push_back(answer.etag);
  confirmed_ += answer.ok() ? oldest.size : 0;
  return client_->ToStatus(answer, "writing", key_);
}

IOStatus ObjectWritableFile::Finish(std::string* etag) {
  if (upload_.empty()) {
    StoreRequest request{.kind = Kind::kPut, .key = key_, .if_absent = only_new_, .memory = std::move(part_)};
    if (request.memory == nullptr) {
      request.bytes = std::make_shared<const std::string>(std::move(small_));
    }
    const StoreAnswer put = client_->Do(std::move(request));
    *etag = put.etag;
    return client_->ToStatus(put, "writing", key_);
  }
  if (IOStatus status = SendPart(); !status.ok()) {
    return status;
  }
  while (!in_flight_.empty()) {
    if (IOStatus status = AwaitOldest(); !status.ok()) {
      return status;
    }
  }
  const StoreAnswer made = client_->Do({.kind = Kind::kComplete, .key = key_, .keys = etags_, .upload = upload_});
  *etag = made.etag;
  return client_->ToStatus(made, "writing", key_);
}

IOStatus ObjectWritableFile::Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  if (closed_) {
    return failed_;
  }
  closed_ = true;
  std::string etag;
  if (failed_.ok()) {
    failed_ = Finish(&etag);
  }
  if (!failed_.ok()) {
    GiveUp();
    return failed_;
  }
  confirmed_ = size_;
  made_(size_, etag);
  return IOStatus::OK();
}

void ObjectWritableFile::GiveUp() {
  for (const Sent& sent : in_flight_) {
    sent.call->Cancel();
  }
  in_flight_.clear();
  part_ = nullptr;
  if (!upload_.empty()) {
    // If this fails, the next clean-up finds the upload.
    (void)client_->Do({.kind = Kind::kAbort, .key = key_, .upload = upload_});
    upload_.clear();
  }
}

// ---- Reading in order

ObjectSequentialFile::~ObjectSequentialFile() { DropAhead(); }

void ObjectSequentialFile::DropAhead() {
  for (const Ahead& ahead : ahead_) {
    ahead.call->Cancel();
  }
  ahead_.clear();
}

// What is needed next is always asked for, in a small piece if there is no memory for a large one.
void ObjectSequentialFile::ReadAhead() {
  while (asked_ < size_ && ahead_.size() < kMostInFlight) {
    uint64_t length = size_ - asked_;
    std::shared_ptr<Part> memory;
    if (length > kSmallBytes) {
      if (!reader_) {
        reader_.emplace(client_->parts());
      }
      memory = reader_->TryTake();
      if (memory == nullptr && !ahead_.empty()) {
        return;
      }
      length = std::min(length, memory == nullptr ? kSmallBytes : memory->capacity());
    }
    auto call = client_->Send(
        {.kind = Kind::kGet, .key = key_, .if_match = etag_, .offset = asked_, .length = length, .memory = memory});
    ahead_.push_back({std::move(call), length, std::move(memory)});
    asked_ += length;
  }
}

IOStatus ObjectSequentialFile::NextPiece() {
  rest_ = {};
  part_ = nullptr;
  ReadAhead();
  if (ahead_.empty()) {
    return IOStatus::OK();  // the end
  }
  const Ahead next = std::move(ahead_.front());
  ahead_.pop_front();
  uint64_t offset = asked_ - next.length;
  for (const Ahead& ahead : ahead_) {
    offset -= ahead.length;
  }
  StoreAnswer answer = client_->Wait(*next.call, {});
  const std::string_view bytes = next.memory != nullptr ? next.memory->bytes() : std::string_view(answer.bytes);
  if (IOStatus status = Received(*client_, key_, answer, {offset, next.length, bytes.size()}, changed_); !status.ok()) {
    return status;
  }
  part_ = next.memory;
  small_ = std::move(answer.bytes);
  rest_ = part_ != nullptr ? part_->bytes() : std::string_view(small_);
  ReadAhead();
  return IOStatus::OK();
}

IOStatus ObjectSequentialFile::Read(size_t n, const IOOptions& /*options*/, Slice* result, char* scratch,
                                    IODebugContext* /*debug*/) {
  *result = Slice();
  size_t filled = 0;
  while (filled < n) {
    if (rest_.empty()) {
      if (IOStatus status = NextPiece(); !status.ok()) {
        return status;
      }
      if (rest_.empty()) {
        break;
      }
    }
    const size_t taken = std::min(n - filled, rest_.size());
    memcpy(scratch + filled, rest_.data(), taken);
    filled += taken;
    rest_.remove_prefix(taken);
  }
  *result = Slice(scratch, filled);
  return IOStatus::OK();
}

IOStatus ObjectSequentialFile::Skip(uint64_t n) {
  const uint64_t in_piece = std::min<uint64_t>(n, rest_.size());
  rest_.remove_prefix(in_piece);
  n -= in_piece;
  if (n == 0) {
    return IOStatus::OK();
  }
  for (const Ahead& ahead : ahead_) {
    asked_ -= ahead.length;
  }
  DropAhead();
  asked_ = std::min(size_, asked_ + n);
  return IOStatus::OK();
}

}  // namespace rocksdb_backup
