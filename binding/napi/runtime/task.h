#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/base/background.h"
#include "core/base/error.h"
#include "core/base/resource.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// Every asynchronous function is an Async call. It says what to do on another thread, and how to turn the result into a
// JS value.
//
//     return Async<std::string>(env, Lane::kShort, Leases(lease),
//         [db, key](std::string& value) { return db->Get(key, &value); },
//         [](Napi::Env env, std::string& value) -> Napi::Value { return ToBuffer(env, std::move(value)); });

enum class Lane {
  kShort,  // libuv's pool: get, put, a block of an iterator
  kLong,   // our own threads (why: core/base/background.h): open, close, flush, compaction, backups. Keeps the event
           // loop alive, and is cancelled and waited for when its env ends.
};

// The leases that a task holds until its work has ended, even if its completion is skipped afterwards.
class Leases {
 public:
  Leases() = default;
  template <typename... L>
  explicit Leases(Resource::Lease lease, L... more) : leases_{std::move(lease), std::move(more)...} {}
  void Release() { leases_ = {}; }

 private:
  std::array<Resource::Lease, 3> leases_;
};

// Calls its argument once, later, on a thread of core/base/background.h.
using Runner = std::function<void(std::function<void()>)>;

// One promise, and what settles it. It is created, settled and destroyed on the JS thread. Execute runs on another
// thread.
class Task {
 public:
  explicit Task(Napi::Env env);
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  napi_value promise() const { return promise_; }  // valid in the scope that created the task
  virtual void Execute() noexcept = 0;
  // Called instead of Execute if the env ends before the work began.
  virtual void Cancel() noexcept = 0;
  void Settle(Napi::Env env) noexcept;
  void Fail(Error error) { error_ = std::move(error); }

 protected:
  virtual Napi::Value Result(Napi::Env env) = 0;
  // Runs `work`. An exception of it becomes an Error.
  void Guard(const std::function<Error()>& work) noexcept;

 private:
  friend class TaskRunner;
  Error error_;
  napi_deferred deferred_ = nullptr;
  napi_value promise_ = nullptr;
  napi_async_work async_work_ = nullptr;
};

class TaskRunner {
 public:
  static napi_value RunShort(Napi::Env env, std::unique_ptr<Task> task);
  static napi_value RunLong(Napi::Env env, std::shared_ptr<Task> task, const Runner& run, std::function<void()> cancel);
};

template <typename T, typename Work, typename Convert>
class AsyncTask final : public Task {
 public:
  AsyncTask(Napi::Env env, Leases leases, Work work, Convert convert)
      : Task(env), leases_(std::move(leases)), work_(std::move(work)), convert_(std::move(convert)) {}

  void Execute() noexcept override {
    Guard([this] { return (*work_)(result_); });
    work_.reset();  // what it captured belongs to the leased resources, so it is destroyed before the leases
    leases_.Release();
  }
  void Cancel() noexcept override {
    Fail(Error("ROCKSDB_ABORTED", "the thread ended"));
    work_.reset();
    leases_.Release();
  }

 protected:
  Napi::Value Result(Napi::Env env) override { return convert_(env, result_); }

 private:
  Leases leases_;
  std::optional<Work> work_;
  Convert convert_;
  T result_{};
};

// `work`: Error(T&), on another thread. `convert`: Napi::Value(Napi::Env, T&), on the JS thread, if the work succeeded.
// `cancel` (long lane only): asks the work to end soon, because its env ends; called on any thread, must not block.
// `convert` may capture JS references; `work` and `cancel` must not.
//
// AsyncThrough uses the long lane, and begins when `run` starts it.
template <typename T, typename Work, typename Convert>
Napi::Value AsyncThrough(Napi::Env env, const Runner& run, Leases leases, Work work, Convert convert,
                         std::function<void()> cancel = {}) {
  auto task =
      std::make_shared<AsyncTask<T, Work, Convert>>(env, std::move(leases), std::move(work), std::move(convert));
  return Napi::Value(env, TaskRunner::RunLong(env, std::move(task), run, std::move(cancel)));
}

template <typename T, typename Work, typename Convert>
Napi::Value Async(Napi::Env env, Lane lane, Leases leases, Work work, Convert convert,
                  std::function<void()> cancel = {}) {
  if (lane == Lane::kLong) {
    return AsyncThrough<T>(env, RunInBackground, std::move(leases), std::move(work), std::move(convert),
                           std::move(cancel));
  }
  auto task =
      std::make_unique<AsyncTask<T, Work, Convert>>(env, std::move(leases), std::move(work), std::move(convert));
  return Napi::Value(env, TaskRunner::RunShort(env, std::move(task)));
}

// The same for work without a result: Error(). The promise resolves with undefined.
template <typename Work>
Napi::Value Async(Napi::Env env, Lane lane, Leases leases, Work work, std::function<void()> cancel = {}) {
  struct Nothing {};
  return Async<Nothing>(
      env, lane, std::move(leases), [work = std::move(work)](Nothing&) mutable { return work(); },
      [](Napi::Env env, Nothing&) { return env.Undefined(); }, std::move(cancel));
}

// Makes a promise that is settled by calling the returned function, once, from any thread. Until then it counts as a
// long task.
Resource::Done Completion(Napi::Env env, Napi::Promise* promise, std::function<void()> cancel = {});

}  // namespace rocksdb_backup
