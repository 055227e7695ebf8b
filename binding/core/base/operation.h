#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace rocksdb_backup {

enum class Phase { kFlush, kCopy, kCommit, kVerify, kRestore };

struct Progress {
  Phase phase = Phase::kCopy;
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
  uint32_t files_done = 0;
  uint32_t files_total = 0;
  std::string file;             // the one that moved last, as it is named in its directory
  double bytes_per_second = 0;  // 0: not known yet
  double seconds_left = -1;     // negative: not known yet
};

// One create, verify or restore while it runs: whether it was asked to stop, and how far it is. Thread-safe; the
// engine's copy threads call it for every buffer.
//
// A stop that arrives before Commit() or Fail() wins, one that arrives after it is refused, and nothing lies between:
// so what RequestStop() returned is what happens.
class Operation {
 public:
  // Called at most about 20 times a second, and always at 0 and at the end, from any thread, one call at a time.
  using Sink = std::function<void(const Progress&)>;

  explicit Operation(Sink sink = {});

  // Asks the operation to end. True: it will fail as stopped. False: it is past the point of no return, or has failed.
  bool RequestStop();
  // Calls `then` once it is stopped, on the thread that stops it, or at once if it was. One only; it must not block.
  void WhenStopped(std::function<void()> then);
  bool stopped() const { return state_.load(std::memory_order_acquire) == State::kStopRequested; }
  // Passes the point of no return. False when a stop came first: then fail.
  bool Commit();
  // It failed of itself: what is still queued shall move nothing. False when a stop came first: then it was stopped.
  bool Fail();
  // Stopped or failed: nothing is worth moving any more.
  bool ended() const {
    const State state = state_.load(std::memory_order_acquire);
    return state == State::kStopRequested || state == State::kFailed;
  }

  // Announces the work; the first event, at 0.
  void Begin(Phase phase, uint64_t bytes_total, uint32_t files_total);
  void SetPhase(Phase phase);
  // Corrects the announced work once the engine is seen to decide otherwise.
  void AdjustTotals(int64_t bytes, int files);
  void AddBytes(const std::string& path, uint64_t bytes);
  void AddFile(const std::string& path);
  // All is done; the last event, at 100 %.
  void Finish();

  uint64_t bytes_done() const { return bytes_done_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { kRunning, kStopRequested, kCommitted, kFailed };

  void Touch(const std::string& path);
  void Emit(Clock::time_point now);  // with mutex_ held

  const Sink sink_;
  std::atomic<State> state_{State::kRunning};
  std::atomic<uint64_t> bytes_done_{0};

  std::mutex when_stopped_mutex_;
  std::function<void()> when_stopped_;

  std::mutex mutex_;  // for all below, and held during sink_ so that events keep their order
  Phase phase_ = Phase::kCopy;
  bool begun_ = false;
  int64_t bytes_total_ = 0;
  int64_t files_total_ = 0;
  uint32_t files_done_ = 0;
  std::string file_;
  Clock::time_point last_emit_;
  uint64_t last_emit_bytes_ = 0;
  double speed_ = 0;
};

}  // namespace rocksdb_backup
