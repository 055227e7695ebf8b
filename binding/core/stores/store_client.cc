#include "core/stores/store_client.h"

#include <algorithm>

namespace rocksdb_backup {
namespace {

using rocksdb::IOStatus;
using Clock = StoreCall::Clock;
using Kind = StoreRequest::Kind;

// How often a thread that waits looks whether the operation was stopped.
constexpr std::chrono::milliseconds kLook{25};

StoreAnswer Stopped() {
  return StoreAnswer::Failed(StoreFailure::kStopped, Error("STORE_STOPPED", "the operation has ended"));
}

}  // namespace

bool PartSlots::TryTake() {
  const std::lock_guard lock(mutex_);
  if (free_ == 0) {
    return false;
  }
  --free_;
  return true;
}

void PartSlots::Take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return free_ > 0; });
  --free_;
}

void PartSlots::Release() {
  {
    const std::lock_guard lock(mutex_);
    ++free_;
  }
  changed_.notify_one();
}

std::shared_ptr<StoreCall> StoreClient::SendInSlot(StoreRequest request) {
  slots_->Take();
  auto call = store_->Send(std::move(request));
  call->WhenDone([slots = slots_] { slots->Release(); });
  return call;
}

void StoreClient::SetFence(std::function<Error()> still_held) {
  const std::lock_guard lock(mutex_);
  still_held_ = std::move(still_held);
}

Error StoreClient::LostLock() const {
  std::function<Error()> still_held;
  {
    const std::lock_guard lock(mutex_);
    still_held = still_held_;
  }
  return still_held ? still_held() : Error();
}

StoreAnswer StoreClient::Wait(StoreCall& call, Watch watch) {
  std::optional<Clock::time_point> patience;
  for (;;) {
    if (auto answer = call.WaitUntil(Clock::now() + kLook)) {
      return std::move(*answer);
    }
    if (Clock::now() >= watch.until) {
      call.Cancel();
      return StoreAnswer::Failed(StoreFailure::kBusy, Error("STORE_UNREACHABLE", "the store does not answer"));
    }
    if (Error lost = watch.fenced ? LostLock() : Error(); !lost.ok()) {
      call.Cancel();
      return StoreAnswer::Failed(StoreFailure::kStopped, std::move(lost));
    }
    if (!ended()) {
      continue;
    }
    if (!patience) {
      patience = Clock::now() + (watch.moves_data ? std::chrono::milliseconds(0) : kPatience);
    }
    if (hangs_ || Clock::now() >= *patience) {
      hangs_ = hangs_ || !watch.moves_data;
      call.Cancel();
      return Stopped();
    }
  }
}

StoreAnswer StoreClient::Do(StoreRequest request) {
  const bool moves_data = request.kind == Kind::kPut || request.kind == Kind::kPart || request.kind == Kind::kGet ||
                          request.kind == Kind::kCreateUpload || request.kind == Kind::kComplete;
  if (ended() && (moves_data || hangs_)) {
    return Stopped();
  }
  if (Error lost = LostLock(); !lost.ok()) {
    return StoreAnswer::Failed(StoreFailure::kStopped, std::move(lost));
  }
  const auto call = store_->Send(std::move(request));
  return Wait(*call, {.moves_data = moves_data});
}

StoreAnswer StoreClient::ReadSoon(const std::string& key, Clock::time_point until) {
  const auto call = store_->Send({.kind = Kind::kGet, .key = key});
  return Wait(*call, {.moves_data = false, .fenced = false, .until = until});
}

IOStatus StoreClient::ToStatus(const StoreAnswer& answer, const std::string& doing, const std::string& key) {
  if (answer.ok()) {
    return IOStatus::OK();
  }
  const std::string path = store_->name() + "/" + key;
  const std::string message = doing + " " + path + ": " + answer.error.message();
  switch (answer.failure) {
    case StoreFailure::kNotFound:
      return IOStatus::NotFound(message);
    case StoreFailure::kStopped:
      return IOStatus::Aborted(message);
    default:
      break;
  }
  const std::lock_guard lock(mutex_);
  if (failure_.ok()) {
    failure_ = Error(answer.error).Reworded(message).With("path", path);
  }
  return IOStatus::IOError(message);
}

Error StoreClient::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace rocksdb_backup
