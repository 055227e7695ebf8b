#include "core/stores/store_client.h"

#include <algorithm>

namespace rocksdb_backup {
namespace {

using rocksdb::IOStatus;
using Clock = StoreCall::Clock;
using Kind = StoreRequest::Kind;

// How many threads may fail in one moment and still find out why.
constexpr size_t kMostFailures = 64;

}  // namespace

void StoreClient::SetLease(const std::shared_ptr<Lease>& lease) {
  const std::lock_guard lock(mutex_);
  needs_lease_ = true;
  lease_ = lease;
}

Error StoreClient::CheckLease(Error (Lease::*check)()) const {
  std::shared_ptr<Lease> lease;
  {
    const std::lock_guard lock(mutex_);
    if (!needs_lease_) {
      return Error();
    }
    lease = lease_.lock();
  }
  return lease != nullptr ? (lease.get()->*check)() : Error("LOCK_LOST", "the lock was released");
}

StoreAnswer StoreClient::Wait(StoreCall& call, Watch watch) { return call.Await(WhenToGiveUp(watch)); }

Instead StoreClient::WhenToGiveUp(Watch watch) {
  return [this, watch, patience = std::optional<Clock::time_point>()]() mutable -> std::optional<StoreAnswer> {
    if (Clock::now() >= watch.until) {
      return StoreAnswer::Failed(StoreFailure::kBusy, Error("STORE_UNREACHABLE", "the store does not answer"));
    }
    if (Error lost = watch.needs_lease ? CheckLease(&Lease::StillHeld) : Error(); !lost.ok()) {
      return StoreAnswer::Failed(StoreFailure::kStopped, std::move(lost));
    }
    if (!ended()) {
      return std::nullopt;
    }
    if (!patience) {
      patience = Clock::now() + (watch.moves_data ? std::chrono::milliseconds(0) : kPatienceAfterStop);
    }
    if (!hangs_ && Clock::now() < *patience) {
      return std::nullopt;
    }
    hangs_ = hangs_ || !watch.moves_data;
    return StoreAnswer::Stopped();
  };
}

StoreAnswer StoreClient::Do(StoreRequest request) {
  const bool moves_data = request.kind == Kind::kPut || request.kind == Kind::kPart || request.kind == Kind::kGet ||
                          request.kind == Kind::kCreateUpload || request.kind == Kind::kComplete;
  if (ended() && (moves_data || hangs_)) {
    return StoreAnswer::Stopped();
  }
  const bool makes_backup = request.kind == Kind::kPut && request.key.starts_with("meta/");
  const bool renews = request.kind == Kind::kDelete || (makes_backup && store_->single_writer());
  if (Error lost = CheckLease(renews ? &Lease::Renew : &Lease::StillHeld); !lost.ok()) {
    return StoreAnswer::Failed(StoreFailure::kStopped, std::move(lost));
  }
  return Ask(*store_, std::move(request), WhenToGiveUp({.moves_data = moves_data}));
}

StoreAnswer StoreClient::ReadSoon(const std::string& key, Clock::time_point until) {
  const auto call = store_->Send({.kind = Kind::kGet, .key = key});
  return Wait(*call, {.moves_data = false, .needs_lease = false, .until = until});
}

StoreAnswer StoreClient::List(Kind kind, const std::string& prefix,
                              const std::function<bool(const StoredObject&)>& listed) {
  std::string after;
  do {
    StoreAnswer page = Do({.kind = kind, .key = prefix, .after = after});
    if (!page.ok()) {
      return page;
    }
    if (!page.next.empty() && page.next == after) {
      return StoreAnswer::Failed(StoreFailure::kRefused,
                                 Error("STORE_FAILED", "the store sends the same page of a list again"));
    }
    for (const StoredObject& object : page.objects) {
      if (!listed(object)) {
        return StoreAnswer();
      }
    }
    after = page.next;
  } while (!after.empty());
  return StoreAnswer();
}

IOStatus StoreClient::ToStatus(const StoreAnswer& answer, const std::string& doing, const std::string& key) {
  if (answer.ok()) {
    return IOStatus::OK();
  }
  Error error = RequestError(*store_, answer, doing, key);
  if (answer.failure == StoreFailure::kStopped && error.code() != "LOCK_LOST") {
    return IOStatus::Aborted(error.message());
  }
  IOStatus status = answer.failure == StoreFailure::kStopped    ? IOStatus::Aborted(error.message())
                    : answer.failure == StoreFailure::kNotFound ? IOStatus::PathNotFound(error.message())
                                                                : IOStatus::IOError(error.message());
  const std::lock_guard lock(mutex_);
  if (last_failures_.size() == kMostFailures) {
    last_failures_.pop_front();
  }
  last_failures_.push_back(error);
  if (failure_.ok() || error.code() == "LOCK_LOST") {
    failure_ = std::move(error);
  }
  return status;
}

Error StoreClient::FailureIn(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(last_failures_.rbegin(), last_failures_.rend(), [text](const Error& failure) {
    return text.find(failure.message()) != std::string_view::npos;
  });
  return found == last_failures_.rend() ? Error() : *found;
}

Error StoreClient::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace rocksdb_backup
