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
  std::string file;             // name of the file that moved last, without its directory
  double bytes_per_second = 0;  // 0: not known yet
  double seconds_left = -1;     // negative: not known yet
};

// The state of one running create, verify or restore: whether it was asked to stop, and how far it is. Thread-safe. The
// BackupEngine's copy threads call it for every buffer.
//
// A stop that arrives before Commit() or Fail() wins; a stop that arrives after it is refused. There is no third case,
// so the result of RequestStop() says what will happen.
class Operation {
 public:
  // Called at most about 20 times a second, and always at 0 and at the end. Called from any thread, one call at a time.
  using Sink = std::function<void(const Progress&)>;

  explicit Operation(Sink sink = {});

  // Asks the operation to end. True: it will fail as stopped. False: it has passed the point of no return, or has
  // failed.
  bool RequestStop();
  // Calls `then` when the operation is stopped, on the thread that stops it. If it is already stopped, calls `then` at
  // once. Only one `then` is kept. It must not block.
  void WhenStopped(std::function<void()> then);
  bool stopped() const { return state_.load(std::memory_order_acquire) == State::kStopRequested; }
  // Passes the point of no return. False when a stop came first: the operation must then fail.
  bool Commit();
  // The operation failed by itself, so copy work that is still queued must not move anything. False when a stop came
  // first: the operation then counts as stopped.
  bool Fail();
  // Stopped or failed: moving more data is of no use.
  bool ended() const {
    const State state = state_.load(std::memory_order_acquire);
    return state == State::kStopRequested || state == State::kFailed;
  }

  // Announces the work and sends the first event, at 0.
  void Begin(Phase phase, uint64_t bytes_total, uint32_t files_total);
  void SetPhase(Phase phase);
  // Corrects the announced work, when it is seen that the BackupEngine does more or less than was expected.
  void AdjustTotals(int64_t bytes, int files);
  void AddBytes(const std::string& path, uint64_t bytes);
  void AddFile(const std::string& path);
  // The work is done. Sends the last event, at 100 %.
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

  std::mutex mutex_;  // guards all members below; held during sink_ so that events keep their order
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
