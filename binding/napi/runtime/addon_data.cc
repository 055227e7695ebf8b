#include "napi/runtime/addon_data.h"

#include <utility>

#include "napi/runtime/wrap.h"

namespace rocksdb_backup {

AddonData& AddonData::Create(Napi::Env env) {
  auto* data = new AddonData(env);
  napi_set_instance_data(
      env, data, [](napi_env, void* pointer, void*) { delete static_cast<AddonData*>(pointer); }, nullptr);
  // Hooks run in the reverse order of their registration. This hook is added after the channel's own hook, so the
  // channel still works in it.
  napi_add_env_cleanup_hook(
      env, [](void* pointer) { static_cast<AddonData*>(pointer)->EnvEnds(); }, data);
  return *data;
}

AddonData& AddonData::Of(Napi::Env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<AddonData*>(data);
}

AddonData::AddonData(Napi::Env env) : channel_(JsChannel::New(env)), long_tasks_(std::make_shared<LongTasks>()) {
  LongTasks::Register(long_tasks_);
}

AddonData::~AddonData() = default;

void AddonData::RemoveHandle(const std::shared_ptr<Resource>& resource, Resource::Done done) {
  std::erase_if(closing_, [](const auto& weak) { return weak.expired(); });
  closing_.push_back(resource);
  resource->RemoveHandle(std::move(done));
}

void AddonData::EnvEnds() {
  long_tasks_->CancelAndWait();
  for (const Wrapped* wrapped : std::exchange(wrapped_, {})) {
    const_cast<Wrapped*>(wrapped)->EnvEnds();
  }
  for (const auto& weak : std::exchange(closing_, {})) {
    if (auto resource = weak.lock()) {
      resource->WaitIfClosing();
    }
  }
  // No thread posts any more. What was posted is destroyed here, on the JS thread.
  channel_->Close();
  classes.clear();
  error_class.Reset();
  read_pool.Release();
}

}  // namespace rocksdb_backup
