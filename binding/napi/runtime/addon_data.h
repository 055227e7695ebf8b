#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/resource.h"
#include "napi/runtime/js_channel.h"
#include "napi/runtime/long_tasks.h"
#include "napi/runtime/napi_setup.h"
#include "napi/runtime/read_pool.h"

namespace rocksdb_backup {

class Wrapped;

// The data of one env, that is, of one JS thread: the main thread or a Worker.
//
// When an env ends, Node waits for the libuv pool, then runs our clean-up hook, then runs finalizers. Because of the
// hook, after `await worker.terminate()` nothing of the Worker is running or open. The hook cancels the env's long
// tasks and waits for them; each stops within one I/O buffer. Then it drops the env's handles, and waits for the
// resources that close as a result. process.exit() on the main thread runs no hook; an exit handler then stops what
// runs in the process.
class AddonData {
 public:
  // Called at module initialization, once for each env.
  static AddonData& Create(Napi::Env env);
  static AddonData& Of(Napi::Env env);

  ~AddonData();
  AddonData(const AddonData&) = delete;
  AddonData& operator=(const AddonData&) = delete;

  const std::shared_ptr<JsChannel>& channel() const { return channel_; }
  const std::shared_ptr<LongTasks>& long_tasks() const { return long_tasks_; }

  // Removes a handle of this env from its resource. Remembers the resource, so that the end of the env waits for it.
  void RemoveHandle(const std::shared_ptr<Resource>& resource, Resource::Done done);

  // The env's wrapped objects and classes. Only napi/runtime/wrap.h uses them.
  void AddWrapped(Wrapped* wrapped) { wrapped_.insert(wrapped); }
  void RemoveWrapped(Wrapped* wrapped) { wrapped_.erase(wrapped); }
  bool IsWrapped(const void* pointer) const { return wrapped_.contains(static_cast<const Wrapped*>(pointer)); }
  std::unordered_map<const void*, Napi::FunctionReference> classes;  // by type id
  Wrapped* constructing = nullptr;

  Napi::FunctionReference error_class;
  ReadPool read_pool;

 private:
  explicit AddonData(Napi::Env env);
  void EnvEnds();

  std::shared_ptr<JsChannel> channel_;
  std::shared_ptr<LongTasks> long_tasks_;
  std::unordered_set<const Wrapped*> wrapped_;
  std::vector<std::weak_ptr<Resource>> closing_;
};

}  // namespace rocksdb_backup
