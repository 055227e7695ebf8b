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
constexpr uint64_t kPartsOfFirstSize = 1000;

}  // namespace

IOStatus Received(StoreClient& client, const std::string& key, const StoreAnswer& answer, uint64_t offset,
                  uint64_t length, const std::function<void()>& changed) {
  if (answer.failure == StoreFailure::kNotFound || answer.failure == StoreFailure::kConditionFailed) {
    changed();
  }
  if (IOStatus status = client.ToStatus(answer, "reading", key); !status.ok()) {
    return status;
  }
  if (answer.bytes.size() != length) {
    changed();
    return IOStatus::Corruption("reading " + client.store().name() + "/" + key + " from " + std::to_string(offset) +
                                ": " + std::to_string(answer.bytes.size()) + " bytes came instead of " +
                                std::to_string(length));
  }
  return IOStatus::OK();
}

// ---- Writing

ObjectWritableFile::~ObjectWritableFile() {
  if (!closed_) {
    GiveUp();
  }
}

uint64_t ObjectWritableFile::PartBytes() const {
  const uint64_t growth = 1 + etags_.size() / kPartsOfFirstSize;
  return std::max(kPartBytes * growth, limits_.min_part_bytes);
}

IOStatus ObjectWritableFile::Append(const Slice& data, const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  if (!failed_.ok()) {
    return failed_;
  }
  Slice rest = data;
  while (!rest.empty()) {
    const bool in_parts = limits_.has_uploads;
    const size_t room = in_parts ? PartBytes() - buffer_.size() : rest.size();
    const size_t taken = std::min(room, rest.size());
    buffer_.append(rest.data(), taken);
    rest.remove_prefix(taken);
    // The last part is sent when the file is closed, so that a small file is none in parts.
    if (in_parts && buffer_.size() == PartBytes() && !rest.empty()) {
      if (failed_ = SendPart(); !failed_.ok()) {
        return failed_;
      }
    }
  }
  size_ += data.size();
  return IOStatus::OK();
}

IOStatus ObjectWritableFile::SendPart() {
  if (upload_.empty()) {
    StoreAnswer created = client_->Do({.kind = Kind::kCreateUpload, .key = key_});
    if (IOStatus status = client_->ToStatus(created, "writing", key_); !status.ok()) {
      return status;
    }
    upload_ = std::move(created.upload);
  }
  while (in_flight_.size() >= kMostInFlight) {
    if (IOStatus status = AwaitOldest(); !status.ok()) {
      return status;
    }
  }
  StoreRequest request{.kind = Kind::kPart,
                       .key = key_,
                       .bytes = std::make_shared<const std::string>(std::move(buffer_)),
                       .upload = upload_,
                       .part = static_cast<uint32_t>(etags_.size() + in_flight_.size() + 1)};
  buffer_.clear();
  in_flight_.push_back(client_->SendInSlot(std::move(request)));
  return IOStatus::OK();
}

IOStatus ObjectWritableFile::AwaitOldest() {
  const StoreAnswer answer = client_->Wait(*in_flight_.front(), {});
  in_flight_.pop_front();
  etags_.push_back(answer.etag);
  return client_->ToStatus(answer, "writing", key_);
}

IOStatus ObjectWritableFile::Finish(std::string* etag) {
  if (upload_.empty()) {
    const StoreAnswer put = client_->Do({.kind = Kind::kPut,
                                         .key = key_,
                                         .bytes = std::make_shared<const std::string>(std::move(buffer_)),
                                         .if_absent = only_new_});
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
  made_(size_, etag);
  return IOStatus::OK();
}

void ObjectWritableFile::GiveUp() {
  for (const auto& call : in_flight_) {
    call->Cancel();
  }
  in_flight_.clear();
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

// The part that is needed next always goes out. Others only while there is memory for them.
void ObjectSequentialFile::ReadAhead() {
  while (asked_ < size_ && ahead_.size() < kMostInFlight) {
    if (!client_->slots()->TryTake()) {
      if (!ahead_.empty()) {
        return;
      }
      client_->slots()->Take();
    }
    const uint64_t length = std::min(kPartBytes, size_ - asked_);
    auto call = client_->Send({.kind = Kind::kGet, .key = key_, .if_match = etag_, .offset = asked_, .length = length});
    call->WhenDone([slots = client_->slots()] { slots->Release(); });
    ahead_.push_back({std::move(call), length});
    asked_ += length;
  }
}

IOStatus ObjectSequentialFile::NextPart() {
  part_.clear();
  used_ = 0;
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
  if (IOStatus status = Received(*client_, key_, answer, offset, next.length, changed_); !status.ok()) {
    return status;
  }
  part_ = std::move(answer.bytes);
  ReadAhead();
  return IOStatus::OK();
}

IOStatus ObjectSequentialFile::Read(size_t n, const IOOptions& /*options*/, Slice* result, char* scratch,
                                    IODebugContext* /*debug*/) {
  *result = Slice();
  size_t filled = 0;
  while (filled < n) {
    if (used_ == part_.size()) {
      if (IOStatus status = NextPart(); !status.ok()) {
        return status;
      }
      if (part_.empty()) {
        break;
      }
    }
    const size_t taken = std::min(n - filled, part_.size() - used_);
    memcpy(scratch + filled, part_.data() + used_, taken);
    filled += taken;
    used_ += taken;
  }
  *result = Slice(scratch, filled);
  return IOStatus::OK();
}

IOStatus ObjectSequentialFile::Skip(uint64_t n) {
  const uint64_t in_part = std::min<uint64_t>(n, part_.size() - used_);
  used_ += in_part;
  n -= in_part;
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
