#include "core/base/operation.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rocksdb_backup {
namespace {

constexpr std::chrono::milliseconds kEmitInterval{50};
// The reported speed is about the speed of the last three seconds.
constexpr double kSpeedMemorySeconds = 3.0;

std::string BaseName(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

Operation::Operation(Sink sink) : sink_(std::move(sink)) {}

bool Operation::RequestStop() {
  State expected = State::kRunning;
  if (!state_.compare_exchange_strong(expected, State::kStopRequested)) {
    return expected == State::kStopRequested;
  }
  std::function<void()> then;
  {
    const std::lock_guard lock(when_stopped_mutex_);
    then.swap(when_stopped_);
  }
  if (then) {
    then();
  }
  return true;
}

void Operation::WhenStopped(std::function<void()> then) {
  {
    const std::lock_guard lock(when_stopped_mutex_);
    if (!stopped()) {
      when_stopped_ = std::move(then);
      return;
    }
  }
  then();
}

bool Operation::Commit() {
  State expected = State::kRunning;
  return state_.compare_exchange_strong(expected, State::kCommitted) || expected == State::kCommitted;
}

bool Operation::Fail() {
  State expected = State::kRunning;
  return state_.compare_exchange_strong(expected, State::kFailed) || expected != State::kStopRequested;
}

void Operation::Begin(Phase phase, uint64_t bytes_total, uint32_t files_total) {
  const std::lock_guard lock(mutex_);
  begun_ = true;
  phase_ = phase;
  bytes_total_ = static_cast<int64_t>(bytes_total);
  files_total_ = files_total;
  last_emit_bytes_ = bytes_done_;
  Emit(Clock::now());
}

void Operation::SetPhase(Phase phase) {
  const std::lock_guard lock(mutex_);
  if (phase_ != phase) {
    phase_ = phase;
    Emit(Clock::now());
  }
}

void Operation::AdjustTotals(int64_t bytes, int files) {
  const std::lock_guard lock(mutex_);
  bytes_total_ += bytes;
  files_total_ += files;
}

void Operation::AddBytes(const std::string& path, uint64_t bytes) {
  bytes_done_.fetch_add(bytes, std::memory_order_relaxed);
  Touch(path);
}

void Operation::AddFile(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    ++files_done_;
  }
  Touch(path);
}

void Operation::Touch(const std::string& path) {
  if (!sink_) {
    return;
  }
  // If the lock is taken, another thread is already reporting. Its event is as good as ours.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || !begun_) {
    return;
  }
  const auto now = Clock::now();
  if (now - last_emit_ >= kEmitInterval) {
    file_ = BaseName(path);
    Emit(now);
  }
}

void Operation::Finish() {
  const std::lock_guard lock(mutex_);
  bytes_total_ = static_cast<int64_t>(bytes_done_.load());
  files_total_ = files_done_;
  Emit(Clock::now());
}

void Operation::Emit(Clock::time_point now) {
  if (!sink_) {
    return;
  }
  const uint64_t done = bytes_done_;
  const double elapsed = std::chrono::duration<double>(now - last_emit_).count();
  if (last_emit_ != Clock::time_point() && elapsed > 0) {
    const double momentary = static_cast<double>(done - last_emit_bytes_) / elapsed;
    const double weight = speed_ == 0 ? 1.0 : 1.0 - std::exp(-elapsed / kSpeedMemorySeconds);
    speed_ += weight * (momentary - speed_);
  }
  last_emit_ = now;
  last_emit_bytes_ = done;

  Progress progress;
  progress.phase = phase_;
  progress.bytes_done = done;
  // A write-ahead log may grow while it is copied. Then more was copied than was announced.
  progress.bytes_total = std::max(done, static_cast<uint64_t>(std::max<int64_t>(0, bytes_total_)));
  progress.files_done = files_done_;
  progress.files_total = std::max(files_done_, static_cast<uint32_t>(std::max<int64_t>(0, files_total_)));
  progress.file = file_;
  progress.bytes_per_second = speed_;
  if (speed_ > 0) {
    progress.seconds_left = static_cast<double>(progress.bytes_total - done) / speed_;
  }
  sink_(progress);
}

}  // namespace rocksdb_backup
