#include "napi/backup/backup_options.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/engine_info.h"
#include "core/base/function_logger.h"
#include "napi/backup/backup_engine.h"
#include "napi/backup/rate_limiter.h"
#include "napi/values/options.h"
#include "napi/values/values.h"
#include "rocksdb/version.h"

namespace rocksdb_backup {
namespace {

using Engine = rocksdb::BackupEngineOptions;
using rocksdb::InfoLogLevel;

Engine& EngineOf(OpenEngineOptions* options) { return options->repository.settings.engine; }

// A field of RocksDB's own struct, which is inside our struct. In newer versions some fields are in a base of RocksDB's
// struct.
template <typename M, typename Base>
Option<OpenEngineOptions> EngineField(const char* name, M Base::*member, Range range = {}) {
  return Custom<OpenEngineOptions>(
      name, [member, range](Napi::Env env, std::string_view option, Napi::Value value, OpenEngineOptions* out) {
        EngineOf(out).*member = ReadValue<M>(env, option, value, range);
      });
}

[[noreturn]] void ThrowNeeds(Napi::Env env, std::string_view name, const char* version) {
  Throw(env, Error("ROCKSDB_NOT_SUPPORTED", std::string(name) + " needs RocksDB " + version +
                                                " or newer; this binary has " + rocksdb::GetRocksVersionAsString()));
}

template <typename E = Engine>
Option<OpenEngineOptions> IoBufferSize() {
  if constexpr (kHasIoBufferSize) {
    return EngineField("ioBufferSize", &E::io_buffer_size);
  } else {
    return Custom<OpenEngineOptions>("ioBufferSize", [](Napi::Env env, std::string_view name, Napi::Value,
                                                        OpenEngineOptions*) { ThrowNeeds(env, name, "9.11"); });
  }
}

const Choices<InfoLogLevel>& LogLevels() {
  static const auto* levels = new Choices<InfoLogLevel>{
      {"debug", InfoLogLevel::DEBUG_LEVEL}, {"info", InfoLogLevel::INFO_LEVEL},
      {"warn", InfoLogLevel::WARN_LEVEL},   {"error", InfoLogLevel::ERROR_LEVEL},
      {"fatal", InfoLogLevel::FATAL_LEVEL}, {"header", InfoLogLevel::HEADER_LEVEL},
  };
  return *levels;
}

void ReadInfoLog(Napi::Env env, std::string_view name, Napi::Value value, OpenEngineOptions* options) {
  if (value.IsString()) {
    options->info_log_path = PathArgument(env, value, name);
    return;
  }
  if (!value.IsFunction()) {
    ThrowWrongType(env, name, "the path of a file or a function", value);
  }
  options->info_log = JsCallback(value.As<Napi::Function>());
  options->repository.settings.info_log = std::make_shared<FunctionLogger>(
      InfoLogLevel::INFO_LEVEL, [call = options->info_log.caller()](InfoLogLevel level, const std::string& message) {
        call([level, message](Napi::Env js, const Napi::Function& function) {
          auto line = Napi::Object::New(js);
          line.Set("level", WriteChoice(js, level, LogLevels()));
          line.Set("message", message);
          function.Call({line});
        });
      });
}

constexpr int kMaxThreads = 256;

const OptionTable<OpenEngineOptions>& OpenTable() {
  using O = OpenEngineOptions;
  static const auto* table = new OptionTable<O>(
      "BackupEngine options",
      {
          Custom<O>("readOnly", [](Napi::Env env, std::string_view name, Napi::Value value,
                                   O* out) { out->repository.read_only = ReadBool(env, name, value); }),
          Custom<O>("createIfMissing", [](Napi::Env env, std::string_view name, Napi::Value value,
                                          O* out) { out->repository.create_if_missing = ReadBool(env, name, value); }),
          Custom<O>("destroyOldData", [](Napi::Env env, std::string_view name, Napi::Value value,
                                         O* out) { out->repository.destroy_old_data = ReadBool(env, name, value); }),
          EngineField("shareTableFiles", &Engine::share_table_files),
          EngineField("shareFilesWithChecksum", &Engine::share_files_with_checksum),
          Custom<O>("shareFilesWithChecksumNaming",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      auto& naming = EngineOf(out).share_files_with_checksum_naming;
                      const auto flags = naming & Engine::kMaskNamingFlags;
                      naming = ReadChoice<Engine::ShareFilesNaming>(
                                   env, name, value,
                                   {{"dbSessionId", Engine::kUseDbSessionId},
                                    {"legacyCrc32cAndFileSize", Engine::kLegacyCrc32cAndFileSize}}) |
                               flags;
                    }),
          Custom<O>("includeFileSizeInName",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      auto& naming = EngineOf(out).share_files_with_checksum_naming;
                      naming = naming & Engine::kMaskNoNamingFlags;
                      if (ReadBool(env, name, value)) {
                        naming = naming | Engine::kFlagIncludeFileSize;
                      }
                    }),
          EngineField("sync", &Engine::sync),
          EngineField("backupLogFiles", &Engine::backup_log_files),
          Custom<O>("backupRateLimit",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      out->repository.settings.backup_limiter = ReadRateLimit(env, name, value);
                    }),
          Custom<O>("restoreRateLimit",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      out->repository.settings.restore_limiter = ReadRateLimit(env, name, value);
                    }),
          EngineField("maxBackgroundOperations", &Engine::max_background_operations, {.min = 1, .max = kMaxThreads}),
          EngineField("callbackTriggerIntervalSize", &Engine::callback_trigger_interval_size, {.min = 1}),
          EngineField("maxValidBackupsToOpen", &Engine::max_valid_backups_to_open, {.min = 1}),
          EngineField("schemaVersion", &Engine::schema_version, {.min = 1, .max = 2}),
          EngineField("currentTemperaturesOverrideManifest", &Engine::current_temperatures_override_manifest),
          IoBufferSize(),
          Custom<O>("infoLog", ReadInfoLog),
      });
  return *table;
}

// Excluding files asks JS in the middle of the BackupEngine's work, and the BackupEngine's thread waits for the answer.
// If the env ends, no answer can come. The end of the env stops the backup and waits for it, even in the middle of the
// question.
class Question {
 public:
  struct State {
    std::mutex mutex;
    std::condition_variable answered;
    bool done = false;
    bool failed = true;
    std::vector<std::string> names;

    void Finish(std::vector<std::string> answer, bool is_none) {
      const std::lock_guard lock(mutex);
      if (!done) {
        done = true;
        failed = is_none;
        names = std::move(answer);
        answered.notify_all();
      }
    }
  };

  explicit Question(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Question() { state_->Finish({}, true); }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  void Answer(std::vector<std::string> names) { state_->Finish(std::move(names), false); }

 private:
  const std::shared_ptr<State> state_;
};

Error AskForExclusions(const JsCallback::Caller& call, Operation& operation, const std::vector<std::string>& files,
                       std::vector<bool>* excluded) {
  const auto state = std::make_shared<Question::State>();
  call([question = std::make_shared<Question>(state), files](Napi::Env env, const Napi::Function& function) {
    // No caller above this can catch an exception. If the answer is not an array of strings, the backup is aborted.
    const Napi::Value result = function.Call({ToJs(env, files)});
    if (!result.IsArray()) {
      return;
    }
    const auto array = result.As<Napi::Array>();
    std::vector<std::string> names;
    for (uint32_t i = 0; i < array.Length(); ++i) {
      const Napi::Value name = array.Get(i);
      if (!name.IsString()) {
        return;
      }
      names.push_back(name.As<Napi::String>().Utf8Value());
    }
    question->Answer(std::move(names));
  });
  operation.WhenStopped([state] { state->Finish({}, true); });
  std::unique_lock lock(state->mutex);
  state->answered.wait(lock, [&] { return state->done; });
  if (state->failed) {
    return Error("ROCKSDB_ABORTED", "excludeFiles did not say which files to leave out; nothing was backed up");
  }
  for (const auto& name : state->names) {
    const auto found = std::find(files.begin(), files.end(), name);
    if (found == files.end()) {
      return Error("INVALID_OPTION", "excludeFiles named " + name + ", which is not among the files it was given");
    }
    (*excluded)[static_cast<size_t>(found - files.begin())] = true;
  }
  return Error();
}

struct CreateOptions : CreateRequest {
  JsCallback exclude_files_callback;
};

const OptionTable<CreateOptions>& CreateTable() {
  using O = CreateOptions;
  static const auto* table = new OptionTable<O>(
      "createBackup options",
      {
          Custom<O>("flushBeforeBackup", [](Napi::Env env, std::string_view name, Napi::Value value,
                                            O* out) { out->flush_before_backup = ReadBool(env, name, value); }),
          Custom<O>("atomicFlush",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      out->atomic_flush = ReadBool(env, name, value);
                      if (out->atomic_flush && !kHasAtomicFlush) {
                        ThrowNeeds(env, name, "11.8");
                      }
                    }),
          Field("full", &O::full),
          Field("allowOtherDatabase", &O::allow_other_database),
          Custom<O>("metadata",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      out->app_metadata = Bytes(env, value, name).Copy();
                      if (out->app_metadata.size() > kMaxAppMetadata) {
                        ThrowOutOfRange(env, name, "at most 1 MiB long", value);
                      }
                    }),
          Custom<O>("excludeFiles",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      if (!value.IsFunction()) {
                        ThrowWrongType(env, name, "a function", value);
                      }
                      out->exclude_files_callback = JsCallback(value.As<Napi::Function>());
                      out->exclude_files = [call = out->exclude_files_callback.caller()](
                                               Operation& operation, const std::vector<std::string>& files,
                                               std::vector<bool>* excluded) {
                        return AskForExclusions(call, operation, files, excluded);
                      };
                    }),
          Custom<O>("backgroundThreadCpuPriority",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      out->cpu_priority = ReadChoice<rocksdb::CpuPriority>(env, name, value,
                                                                           {{"idle", rocksdb::CpuPriority::kIdle},
                                                                            {"low", rocksdb::CpuPriority::kLow},
                                                                            {"normal", rocksdb::CpuPriority::kNormal}});
                    }),
          Field("checkDiskSpace", &O::check_disk_space),
      });
  return *table;
}

const OptionTable<RestoreRequest>& RestoreTable() {
  using O = RestoreRequest;
  static const auto* table = new OptionTable<O>(
      "restoreBackup options",
      {
          Custom<O>("walDir", [](Napi::Env env, std::string_view name, Napi::Value value,
                                 O* out) { out->wal_dir = PathArgument(env, value, name); }),
          Field("keepLogFiles", &O::keep_log_files),
          Field("overwrite", &O::overwrite),
          Field("keepOld", &O::keep_old),
          Field("allowOtherDatabase", &O::allow_other_database),
          Field("checkDiskSpace", &O::check_disk_space),
          Choice("mode", &O::mode,
                 {{"purgeAllFiles", RestoreMode::kPurgeAllFiles},
                  {"keepLatestDbSessionIdFiles", RestoreMode::kKeepLatestDbSessionIdFiles},
                  {"verifyChecksum", RestoreMode::kVerifyChecksum}}),
          Custom<O>("alternates",
                    [](Napi::Env env, std::string_view name, Napi::Value value, O* out) {
                      if (!value.IsArray()) {
                        ThrowWrongType(env, name, "an array of BackupEngines", value);
                      }
                      const auto array = value.As<Napi::Array>();
                      for (uint32_t i = 0; i < array.Length(); ++i) {
                        out->alternates.push_back(EngineArgument(env, array.Get(i), name).settings());
                      }
                    }),
      });
  return *table;
}

}  // namespace

void ReadOpenEngineOptions(Napi::Env env, Napi::Value value, OpenEngineOptions* options) {
  // RocksDB's default is one thread, but a backup mostly waits for disks, and for answers of a store.
  const auto& storage = options->repository.settings.storage;
  const bool on_disk = storage == nullptr || !storage->local_directory().empty();
  EngineOf(options).max_background_operations =
      on_disk ? static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 4U)) : 4;
  OpenTable().Read(env, value, options);
  if (!EngineOf(options).share_table_files) {
    EngineOf(options).share_files_with_checksum = false;
  }
}

void ReadCreateOptions(Napi::Env env, Napi::Value value, CreateRequest* request, JsCallback* exclude_files) {
  CreateOptions options{std::move(*request), {}};
  CreateTable().Read(env, value, &options);
  *exclude_files = std::move(options.exclude_files_callback);
  *request = static_cast<CreateRequest&&>(options);
}

void ReadRestoreOptions(Napi::Env env, Napi::Value value, RestoreRequest* request) {
  RestoreTable().Read(env, value, request);
}

std::optional<DiskCache::Options> ReadOpenBackupOptions(Napi::Env env, Napi::Value value) {
  // A sixteenth of it must have room for a block.
  constexpr int64_t kSmallestCache = int64_t{16} << 20;
  using Cache = DiskCache::Options;
  static const auto* cache_table = new OptionTable<Cache>(
      "diskCache", {
                       Custom<Cache>("directory", [](Napi::Env js, std::string_view name, Napi::Value given,
                                                     Cache* out) { out->directory = PathArgument(js, given, name); }),
                       Field("maxBytes", &Cache::max_bytes, {.min = kSmallestCache}),
                   });
  using O = std::optional<Cache>;
  static const auto* table = new OptionTable<O>(
      "openBackup options", {Custom<O>("diskCache", [](Napi::Env js, std::string_view name, Napi::Value given, O* out) {
        cache_table->Read(js, given, &out->emplace());
        if ((*out)->directory.empty()) {
          ThrowWrongType(js, std::string(name) + ".directory", "the path of a directory", js.Undefined());
        }
      })});
  O options;
  table->Read(env, value, &options);
  return options;
}

uint32_t BackupIdArgument(Napi::Env env, Napi::Value value) {
  return static_cast<uint32_t>(ReadUint64(env, "backupId", value, 1, std::numeric_limits<uint32_t>::max()));
}

bool ReadFlag(Napi::Env env, const char* what, const char* name, Napi::Value value) {
  struct Flag {
    bool value = false;
  };
  Flag flag;
  OptionTable<Flag>(what, {Field(name, &Flag::value)}).Read(env, value, &flag);
  return flag.value;
}

}  // namespace rocksdb_backup
