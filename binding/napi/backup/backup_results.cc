#include "napi/backup/backup_results.h"

#include <string_view>
#include <unordered_map>

#include "napi/values/options.h"
#include "napi/values/values.h"

namespace rocksdb_backup {

namespace {

// A file that several backups share is one JS object, which is in the list of each backup. There may be half a million
// list entries for a few thousand files.
using JsFiles = std::unordered_map<std::string_view, Napi::Value>;

Napi::Value FileToJs(Napi::Env env, const BackupFile& file) {
  auto object = Napi::Object::New(env);
  object.Set("name", file.name);
  object.Set("size", WriteUint64(env, file.size));
  object.Set("shared", file.shared);
  object.Set("backups", file.backups);
  return object;
}

Napi::Value BackupToJs(Napi::Env env, const BackupDescription& description, bool details, JsFiles* known) {
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
  if (description.locked_until > 0) {
    object.Set("lockedUntil", Napi::Date::New(env, static_cast<double>(description.locked_until)));
  }
  if (!description.newer_rocksdb.empty()) {
    object.Set("newerRocksDB", description.newer_rocksdb);
  }
  if (details) {
    object.Set("fileDetails", ArrayOf(env, description.files, [env, known](const BackupFile& file) {
                 Napi::Value& value = (*known)[file.name];
                 if (value.IsEmpty()) {
                   value = FileToJs(env, file);
                 }
                 return value;
               }));
    object.Set("excludedFiles", ToJs(env, description.excluded));
  }
  return object;
}

}  // namespace

Napi::Value ToJs(Napi::Env env, const BackupDescription& description, bool details) {
  JsFiles files;
  return BackupToJs(env, description, details, &files);
}

Napi::Value ToJs(Napi::Env env, const std::vector<BackupDescription>& descriptions, bool details) {
  JsFiles files;
  return ArrayOf(env, descriptions, [env, details, &files](const BackupDescription& description) {
    return BackupToJs(env, description, details, &files);
  });
}

Napi::Value ToJs(Napi::Env env, const std::vector<CopiedBackup>& backups) {
  return ArrayOf(env, backups, [env](const CopiedBackup& backup) {
    using State = CopiedBackup::State;
    auto object = Napi::Object::New(env);
    object.Set("backupId", backup.id);
    if (backup.timestamp != 0) {
      object.Set("timestamp", Napi::Date::New(env, static_cast<double>(backup.timestamp) * 1000));
    }
    object.Set("state", backup.state == State::kCopied    ? "copied"
                        : backup.state == State::kPresent ? "present"
                                                          : "failed");
    object.Set("files", backup.files);
    object.Set("bytes", WriteUint64(env, backup.bytes));
    if (!backup.error.ok()) {
      object.Set("error", ToJs(env, backup.error));
    }
    return object;
  });
}

Napi::Value ToJs(Napi::Env env, const VerifyResult& result) {
  auto object = Napi::Object::New(env);
  object.Set("sizesKnown", result.sizes_known);
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
  object.Set("files", ArrayOf(env, plan.files, [env](const PlannedFile& planned) {
               auto file = Napi::Object::New(env);
               file.Set("name", planned.name);
               file.Set("size", WriteUint64(env, planned.size));
               file.Set("copied", planned.copied);
               file.Set("log", planned.log);
               return file;
             }));
  if (plan.free_bytes) {
    object.Set("bytesFree", WriteUint64(env, *plan.free_bytes));
  }
  if (!plan.database.empty()) {
    object.Set("databaseId", plan.database);
  }
  return object;
}

}  // namespace rocksdb_backup
