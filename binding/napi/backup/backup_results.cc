#include "napi/backup/backup_results.h"

#include "napi/values/options.h"
#include "napi/values/values.h"

namespace rocksdb_backup {

static Napi::Value ToJs(Napi::Env env, const BackupFile& file) {
  auto object = Napi::Object::New(env);
  object.Set("name", file.name);
  object.Set("size", WriteUint64(env, file.size));
  object.Set("shared", file.shared);
  object.Set("backups", file.backups);
  return object;
}

Napi::Value ToJs(Napi::Env env, const BackupDescription& description, bool details) {
  JsFiles files;
  return ToJs(env, description, details, &files);
}

Napi::Value ToJs(Napi::Env env, const BackupDescription& description, bool details, JsFiles* known) {
  auto object = Napi::Object::New(env);
  object.Set("backupId", description.id);
  object.Set("timestamp", Napi::Date::New(env, static_cast<double>(description.timestamp) * 1000));
  object.Set("size", WriteUint64(env, description.size));
  object.Set("uniqueSize", WriteUint64(env, description.unique_size));
  object.Set("metaSize", WriteUint64(env, description.meta_size));
  object.Set("numberFiles", description.number_files);
  object.Set("kind", description.full ? "full" : "incremental");
  object.Set("logBytes", WriteUint64(env, description.log_bytes));
  if (!description.database.empty()) {
    object.Set("databaseId", description.database);
  }
  object.Set("appMetadata", Napi::String::New(env, description.app_metadata));
  object.Set("appMetadataBytes",
             Napi::Buffer<char>::Copy(env, description.app_metadata.data(), description.app_metadata.size()));
  if (!description.newer_rocksdb.empty()) {
    object.Set("newerRocksDB", description.newer_rocksdb);
  }
  if (details) {
    auto files = Napi::Array::New(env, description.files.size());
    for (size_t i = 0; i < description.files.size(); ++i) {
      Napi::Value& file = (*known)[description.files[i].name];
      if (file.IsEmpty()) {
        file = ToJs(env, description.files[i]);
      }
      files.Set(static_cast<uint32_t>(i), file);
    }
    object.Set("fileDetails", files);
    auto excluded = Napi::Array::New(env, description.excluded.size());
    for (size_t i = 0; i < description.excluded.size(); ++i) {
      excluded.Set(static_cast<uint32_t>(i), description.excluded[i]);
    }
    object.Set("excludedFiles", excluded);
  }
  return object;
}

Napi::Value ToJs(Napi::Env env, const RestoreResult& result) {
  auto object = ToJs(env, result.backup, false).As<Napi::Object>();
  object.Set("bytesCopied", WriteUint64(env, result.bytes_copied));
  object.Set("bytesReused", WriteUint64(env, result.bytes_reused));
  object.Set("filesReused", result.files_reused);
  if (!result.kept.empty()) {
    object.Set("keptOld", result.kept);
  }
  if (!result.kept_logs.empty()) {
    object.Set("keptOldLogs", result.kept_logs);
  }
  return object;
}

Napi::Value ToJs(Napi::Env env, const RestorePlan& plan) {
  auto object = Napi::Object::New(env);
  object.Set("backup", ToJs(env, plan.backup, false));
  object.Set("target", plan.target);
  object.Set("targetHolds", WriteChoice(env, plan.contents.holds,
                                        Choices<TargetHolds>{{"nothing", TargetHolds::kNothing},
                                                             {"database", TargetHolds::kDatabase},
                                                             {"interruptedRestore", TargetHolds::kUnfinished}}));
  if (!plan.target_database.empty()) {
    object.Set("targetDatabaseId", plan.target_database);
  }
  object.Set("bytesToCopy", WriteUint64(env, plan.bytes_to_copy));
  object.Set("bytesToReuse", WriteUint64(env, plan.bytes_to_reuse));
  object.Set("filesToReuse", plan.files_to_reuse);
  if (plan.free_bytes) {
    object.Set("bytesFree", WriteUint64(env, *plan.free_bytes));
  }
  return object;
}

Napi::Value ToJs(Napi::Env env, const BackupPlan& plan) {
  auto object = Napi::Object::New(env);
  auto files = Napi::Array::New(env, plan.files.size());
  for (size_t i = 0; i < plan.files.size(); ++i) {
    auto file = Napi::Object::New(env);
    file.Set("name", plan.files[i].name);
    file.Set("size", WriteUint64(env, plan.files[i].size));
    file.Set("copied", plan.files[i].copied);
    file.Set("log", plan.files[i].log);
    files.Set(static_cast<uint32_t>(i), file);
  }
  object.Set("files", files);
  if (plan.free_bytes) {
    object.Set("bytesFree", WriteUint64(env, *plan.free_bytes));
  }
  if (!plan.database.empty()) {
    object.Set("databaseId", plan.database);
  }
  return object;
}

}  // namespace rocksdb_backup
