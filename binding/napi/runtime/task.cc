#include "napi/runtime/task.h"

#include <exception>
#include <new>

#include "napi/runtime/addon_data.h"
#include "napi/runtime/errors.h"

namespace rocksdb_backup {
namespace {

// A task that is settled by a call from outside.
class CompletionTask final : public Task {
 public:
  using Task::Task;
  void Execute() noexcept override {}
  void Cancel() noexcept override {}

 protected:
  Napi::Value Result(Napi::Env env) override { return env.Undefined(); }
};

// Posts the settling of a long task, and then removes the task from the list. The order matters: when an env ends, it
// waits until its tasks are removed, and then destroys what was posted on its JS thread.
void PostSettle(const std::shared_ptr<JsChannel>& channel, const std::shared_ptr<LongTasks>& tasks, uint64_t id,
                std::shared_ptr<Task> task) {
  channel->Post([task = std::move(task), channel = channel.get()](Napi::Env env) {
    channel->Unref(env);
    task->Settle(env);
  });
  tasks->Remove(id);
}

}  // namespace

Task::Task(Napi::Env env) {
  if (napi_create_promise(env, &deferred_, &promise_) != napi_ok) {
    throw Napi::Error::New(env);
  }
}

void Task::Guard(const std::function<Error()>& work) noexcept {
  try {
    try {
      error_ = work();
    } catch (const std::bad_alloc&) {
      error_ = Error("ROCKSDB_ABORTED", "not enough memory");
    } catch (const std::exception& error) {
      // RocksDB itself does not throw, but what it reads from damaged files can make the standard library throw.
      error_ = Error("ROCKSDB_ABORTED", std::string("internal error: ") + error.what());
    } catch (...) {
      error_ = Error("ROCKSDB_ABORTED", "internal error");
    }
  } catch (...) {
    std::terminate();  // not even enough memory for the message
  }
}

void Task::Settle(Napi::Env env) noexcept {
  napi_value value = nullptr;
  bool failed = !error_.ok();
  try {
    value = failed ? ToJs(env, error_) : Result(env);
  } catch (const Napi::Error& error) {
    failed = true;
    value = error.Value();
  } catch (const std::exception& error) {
    failed = true;
    napi_value message = nullptr;
    napi_create_string_utf8(env, error.what(), NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, nullptr, message, &value);
  }
  if (value == nullptr) {
    napi_get_undefined(env, &value);
  }
  // In an ending env, these calls do nothing.
  if (failed) {
    napi_reject_deferred(env, deferred_, value);
  } else {
    napi_resolve_deferred(env, deferred_, value);
  }
}

napi_value TaskRunner::RunShort(Napi::Env env, std::unique_ptr<Task> task) {
  napi_value name = nullptr;
  napi_create_string_utf8(env, "rocksdb-backup", NAPI_AUTO_LENGTH, &name);
  const napi_status created = napi_create_async_work(
      env, nullptr, name, [](napi_env, void* data) { static_cast<Task*>(data)->Execute(); },
      [](napi_env env, napi_status, void* data) {
        const std::unique_ptr<Task> task(static_cast<Task*>(data));
        napi_delete_async_work(env, task->async_work_);
        task->Settle(env);
      },
      task.get(), &task->async_work_);
  if (created != napi_ok || napi_queue_async_work(env, task->async_work_) != napi_ok) {
    throw Napi::Error::New(env);
  }
  return task.release()->promise();
}

napi_value TaskRunner::RunLong(Napi::Env env, std::shared_ptr<Task> task, const Runner& run,
                               std::function<void()> cancel) {
  AddonData& addon = AddonData::Of(env);
  napi_value promise = task->promise();
  const uint64_t id = addon.long_tasks()->Add(std::move(cancel));
  addon.channel()->Ref(env);
  run([task = std::move(task), tasks = addon.long_tasks(), channel = addon.channel(), id]() mutable {
    if (tasks->ending()) {
      task->Cancel();
    } else {
      task->Execute();
    }
    PostSettle(channel, tasks, id, std::move(task));
  });
  return promise;
}

Resource::Done Completion(Napi::Env env, Napi::Promise* promise, std::function<void()> cancel) {
  AddonData& addon = AddonData::Of(env);
  auto task = std::make_shared<CompletionTask>(env);
  *promise = Napi::Promise(env, task->promise());
  const uint64_t id = addon.long_tasks()->Add(std::move(cancel));
  addon.channel()->Ref(env);
  return
      [task = std::move(task), tasks = addon.long_tasks(), channel = addon.channel(), id](const Error& error) mutable {
        task->Fail(error);
        PostSettle(channel, tasks, id, std::move(task));
      };
}

}  // namespace rocksdb_backup
