#include "napi/backup/backup_engine.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file_log.h"
#include "core/base/named_root.h"
#include "core/base/paths.h"
#include "core/restore/restore_leftovers.h"
#include "core/storage/directories.h"
#include "napi/backup/archive.h"
#include "napi/backup/backup_options.h"
#include "napi/backup/backup_results.h"
#include "napi/backup/operation_handle.h"
#include "napi/backup/rate_limiter.h"
#include "napi/backup/storage_handle.h"
#include "napi/backup/write_turn.h"
#include "napi/database/database.h"
#include "napi/runtime/task.h"
#include "napi/runtime/wrap.h"
#include "napi/values/options.h"
#include "napi/values/values.h"

namespace rocksdb_backup {
namespace {

using Kind = BackupRepository::Kind;
using Repository = std::shared_ptr<BackupRepository>;

class BackupEngineHandle : public Handle<BackupRepository> {
 public:
  BackupEngineHandle(Repository repository, JsCallback info_log)
      : Handle(TypeId<BackupEngineHandle>::id(), std::move(repository)), info_log_(std::move(info_log)) {}

  Napi::Value Token(const Args& args) { return Napi::String::New(args.Env(), resource(args.Env()).token()); }
  Napi::Value Location(const Args& args) { return Napi::String::New(args.Env(), resource(args.Env()).directory()); }
  Napi::Value StorageOf(const Args& args) { return WrapStorage(args.Env(), resource(args.Env()).settings().storage); }
  Napi::Value ReadOnly(const Args& args) { return Napi::Boolean::New(args.Env(), resource(args.Env()).read_only()); }

  // (database, location, engine options, options): returns what a backup there would copy. The database may be open for
  // reading only.
  static Napi::Value PlanBackup(const Args& args) {
    const Napi::Env env = args.Env();
    const std::shared_ptr<Database> database = DatabaseArgument(env, args[0]);
    OpenEngineOptions options;
    options.repository.settings.storage = StorageArgument(env, args[1], "location");
    ReadOpenEngineOptions(env, args[2], &options);
    CreateRequest request;
    JsCallback exclude_files;
    ReadCreateOptions(env, args[3], &request, &exclude_files);
    return Async<BackupPlan>(
        env, Lane::kLong, Leases(LeaseOf(env, database)),
        [database, settings = options.repository.settings, request = std::move(request)](BackupPlan& plan) mutable {
          DescribeSource(*database, &request.source);
          return rocksdb_backup::PlanBackup(settings, request, &plan);
        },
        [](Napi::Env js, BackupPlan& plan) { return ToJs(js, plan); });
  }

  // (database, operation, options)
  Napi::Value CreateBackup(const Args& args) {
    const Napi::Env env = args.Env();
    const Repository repository = shared_resource(env);
    const std::shared_ptr<Database> database = DatabaseArgument(env, args[0]);
    const OperationHandle& handle = OperationArgument(env, args[1]);
    CreateRequest request;
    JsCallback exclude_files;
    ReadCreateOptions(env, args[2], &request, &exclude_files);
    const auto tracked = Track(repository, Kind::kCreate, handle);
    // If the database wants to close, it stops this backup and does not wait until it is complete.
    const std::shared_ptr<void> watch =
        database->WhenClosing([operation = handle.operation()] { operation->RequestStop(); });
    return AsyncThrough<BackupDescription>(
        env, InTurn(repository, handle.operation()), Leases(LeaseOf(env, repository), LeaseOf(env, database)),
        [repository, database, tracked, watch, request = std::move(request)](BackupDescription& created) mutable {
          if (Error error = SourceOf(*database, &request.source); !error.ok()) {
            return error;
          }
          const ArchivedBackup archived(*database, *repository, request);
          Error error = repository->Create(request, tracked->operation(), &created);
          if (error.ok()) {
            archived.Tell(created);
          }
          return error;
        },
        [callback = handle.on_progress(), exclude_files](Napi::Env js, BackupDescription& created) {
          return ToJs(js, created, false);
        },
        StopperOf(handle));
  }

  // (id, operation, options)
  Napi::Value VerifyBackup(const Args& args) {
    const Napi::Env env = args.Env();
    const Repository repository = shared_resource(env);
    const uint32_t id = BackupIdArgument(env, args[0]);
    const OperationHandle& handle = OperationArgument(env, args[1]);
    const bool checksum = ReadFlag(env, "verifyBackup options", "checksum", args[2]);
    return Async<VerifyResult>(
        env, Lane::kLong, Leases(LeaseOf(env, repository)),
        [repository, id, checksum, tracked = Track(repository, Kind::kOther, handle)](VerifyResult& result) {
          return repository->Verify(id, checksum, tracked->operation(), &result);
        },
        [callback = handle.on_progress()](Napi::Env js, VerifyResult& result) { return ToJs(js, result); },
        StopperOf(handle));
  }

  // (engine on the source, ids, or none for all, operation, { allowOtherDatabase })
  Napi::Value CopyFrom(const Args& args) {
    const Napi::Env env = args.Env();
    const Repository target = shared_resource(env);
    const Repository source = SharedEngineArgument(env, args[0], "from");
    const OperationHandle& handle = OperationArgument(env, args[2]);
    CopyRequest request{IdsArgument(env, args[1]), ReadFlag(env, "options", "allowOtherDatabase", args[3])};
    using Backups = std::vector<CopiedBackup>;
    return AsyncThrough<Backups>(
        env, InTurn(target, handle.operation()), Leases(LeaseOf(env, target), LeaseOf(env, source)),
        [source, target, request = std::move(request), in_target = Track(target, Kind::kOther, handle),
         in_source = Track(source, Kind::kOther, handle)](Backups& backups) {
          return target->CopyFrom(*source, request, in_target->operation(), &backups);
        },
        [callback = handle.on_progress()](Napi::Env js, Backups& backups) { return ToJs(js, backups); },
        StopperOf(handle));
  }

  // (engine on the target or undefined, ids, or none for all, operation, { allowOtherDatabase })
  Napi::Value PlanCopyTo(const Args& args) {
    const Napi::Env env = args.Env();
    const Repository source = shared_resource(env);
    const Repository target = args[0].IsUndefined() ? nullptr : SharedEngineArgument(env, args[0], "to");
    const OperationHandle& handle = OperationArgument(env, args[2]);
    CopyRequest request{IdsArgument(env, args[1]), ReadFlag(env, "options", "allowOtherDatabase", args[3])};
    using Backups = std::vector<CopiedBackup>;
    return Async<Backups>(
        env, Lane::kLong,
        target == nullptr ? Leases(LeaseOf(env, source)) : Leases(LeaseOf(env, source), LeaseOf(env, target)),
        [source, target, request = std::move(request), tracked = Track(source, Kind::kOther, handle)](
            Backups& backups) { return source->PlanCopyTo(target.get(), request, tracked->operation(), &backups); },
        [callback = handle.on_progress()](Napi::Env js, Backups& backups) { return ToJs(js, backups); },
        StopperOf(handle));
  }

  // (id or 0 for the latest, target, operation, options)
  Napi::Value RestoreBackup(const Args& args) {
    return Restoring<RestoreResult>(args, [](BackupRepository& repository, const RestoreRequest& request,
                                             const std::shared_ptr<Operation>& operation, RestoreResult& result) {
      return repository.Restore(request, operation, &result);
    });
  }

  // (id or 0 for the latest, target, operation, options)
  Napi::Value PlanRestore(const Args& args) {
    return Restoring<RestorePlan>(args, [](BackupRepository& repository, const RestoreRequest& request,
                                           const std::shared_ptr<Operation>& operation, RestorePlan& plan) {
      return repository.PlanRestore(request, operation, &plan);
    });
  }

  // ({ fileDetails }) -> { backups, corrupt: { backupId, reason, why }[] }
  Napi::Value Survey(const Args& args) {
    const bool details = ReadFlag(args.Env(), "survey options", "fileDetails", args[0]);
    return Read<BackupSurvey>(
        args.Env(),
        [details](BackupRepository& repository, BackupSurvey& survey) { return repository.Look(details, &survey); },
        [details](Napi::Env env, BackupSurvey& survey) -> Napi::Value {
          auto result = Napi::Object::New(env);
          result.Set("backups", ToJs(env, survey.backups, details));
          result.Set("corrupt", ArrayOf(env, survey.corrupt, [env](const auto& backup) {
                       auto one = Napi::Object::New(env);
                       one.Set("backupId", backup.id);
                       one.Set("reason", ForUsers(backup.reason));
                       one.Set("why", backup.why);
                       return one;
                     }));
          return result;
        });
  }

  // ({ fileDetails })
  Napi::Value GetBackupInfos(const Args& args) {
    const bool details = ReadFlag(args.Env(), "getBackupInfo options", "fileDetails", args[0]);
    using Descriptions = std::vector<BackupDescription>;
    return Read<Descriptions>(
        args.Env(),
        [details](BackupRepository& repository, Descriptions& all) { return repository.List(details, &all); },
        [details](Napi::Env env, Descriptions& all) { return ToJs(env, all, details); });
  }

  // (id or 0 for the latest, { fileDetails }); undefined if there is no latest backup
  Napi::Value GetBackupInfo(const Args& args) {
    const bool latest = args[0].IsNumber() && args[0].As<Napi::Number>().DoubleValue() == 0;
    const uint32_t id = latest ? 0 : BackupIdArgument(args.Env(), args[0]);
    const bool details = ReadFlag(args.Env(), "getBackupInfo options", "fileDetails", args[1]);
    return Read<BackupDescription>(
        args.Env(),
        [id, details](BackupRepository& repository, BackupDescription& description) {
          return repository.Describe(id, details, &description);
        },
        [details](Napi::Env env, BackupDescription& description) -> Napi::Value {
          return description.id == 0 ? env.Undefined() : ToJs(env, description, details);
        });
  }

  Napi::Value GetCorruptedBackups(const Args& args) {
    using Ids = std::vector<uint32_t>;
    return Read<Ids>(
        args.Env(), [](BackupRepository& repository, Ids& ids) { return repository.CorruptIds(&ids); },
        [](Napi::Env env, Ids& ids) -> Napi::Value {
          return ArrayOf(env, ids, [env](uint32_t id) { return Napi::Number::New(env, id); });
        });
  }

  // (id, operation, { diskCache }) -> native database
  Napi::Value OpenBackup(const Args& args) {
    const Napi::Env env = args.Env();
    const Repository repository = shared_resource(env);
    const uint32_t id = BackupIdArgument(env, args[0]);
    const OperationHandle& handle = OperationArgument(env, args[1]);
    return Async<std::shared_ptr<Database>>(
        env, Lane::kLong, Leases(LeaseOf(env, repository)),
        [repository, id, cache = ReadOpenBackupOptions(env, args[2]),
         tracked = Track(repository, Kind::kOther, handle)](std::shared_ptr<Database>& database) {
          return repository->OpenBackup(id, cache, tracked->operation(), &database);
        },
        [](Napi::Env js, std::shared_ptr<Database>& database) -> Napi::Value {
          return DatabaseHandle::New(js, std::move(database));
        },
        StopperOf(handle));
  }

  // Takes a turn in the queue of writes, and returns it for what will be done in it.
  Napi::Value TakeTurn(const Args& args) {
    const Repository repository = shared_resource(args.Env());
    const auto operation = std::make_shared<Operation>();
    const auto taken = std::make_shared<WriteQueue::Turn>();
    return AsyncThrough<WriteQueue::Turn>(
        args.Env(),
        [repository, operation, taken](std::function<void()> work) {
          repository->writes().Take(
              [taken, work = std::move(work)](WriteQueue::Turn turn) {
                *taken = std::move(turn);
                work();
              },
              *operation);
        },
        Leases(LeaseOf(args.Env(), repository)),
        [taken](WriteQueue::Turn& turn) {
          turn = std::move(*taken);
          return Error();
        },
        [](Napi::Env js, WriteQueue::Turn& turn) {
          return Wrap(js, std::make_unique<WriteTurnHandle>(std::move(turn)));
        },
        [operation] { operation->RequestStop(); });
  }

  // (ids, { force }, turn)
  Napi::Value DeleteBackups(const Args& args) {
    std::vector<uint32_t> ids = IdsArgument(args.Env(), args[0]);
    const bool force = ReadFlag(args.Env(), "deleteBackup options", "force", args[1]);
    return Write(args.Env(), args[2],
                 [ids = std::move(ids), force](BackupRepository& repository) { return repository.Delete(ids, force); });
  }

  // (number to keep, { force }, turn)
  Napi::Value PurgeOldBackups(const Args& args) {
    const auto keep = static_cast<uint32_t>(
        ReadUint64(args.Env(), "numBackupsToKeep", args[0], 0, std::numeric_limits<uint32_t>::max()));
    const bool force = ReadFlag(args.Env(), "purgeOldBackups options", "force", args[1]);
    return Write(args.Env(), args[2],
                 [keep, force](BackupRepository& repository) { return repository.PurgeOld(keep, force); });
  }

  // ({ force }): returns { refused }.
  Napi::Value GarbageCollect(const Args& args) {
    const bool force = ReadFlag(args.Env(), "garbageCollect options", "force", args[0]);
    using Refused = std::vector<std::string>;
    return WriteFor<Refused>(
        args.Env(), args.Env().Undefined(),
        [force](BackupRepository& repository, Refused& refused) { return repository.CollectGarbage(force, &refused); },
        [](Napi::Env env, Refused& refused) -> Napi::Value {
          auto result = Napi::Object::New(env);
          result.Set("refused", ToJs(env, refused));
          return result;
        });
  }

  // ({ force })
  Napi::Value CheckDeletion(const Args& args) {
    const bool force = ReadFlag(args.Env(), "checkDeletion options", "force", args[0]);
    return Read<std::monostate>(
        args.Env(), [force](BackupRepository& repository, std::monostate&) { return repository.CheckDeletion(force); },
        [](Napi::Env env, std::monostate&) -> Napi::Value { return env.Undefined(); });
  }

  // Returns { name, size }[].
  Napi::Value ListGarbage(const Args& args) {
    using Found = std::vector<GarbageFile>;
    return Read<Found>(
        args.Env(), [](BackupRepository& repository, Found& found) { return repository.ListGarbage(&found); },
        [](Napi::Env env, Found& found) -> Napi::Value {
          return ArrayOf(env, found, [env](const GarbageFile& garbage) {
            auto file = Napi::Object::New(env);
            file.Set("name", garbage.name);
            file.Set("size", WriteUint64(env, garbage.size));
            return file;
          });
        });
  }

  Napi::Value StopBackup(const Args& args) { return Napi::Boolean::New(args.Env(), resource(args.Env()).StopBackup()); }

  Napi::Value Close(const Args& args) { return CloseHandle(args.Env()); }

 protected:
  void Detach(AddonData& addon) override {
    info_log_.Reset();
    Handle::Detach(addon);
  }

 private:
  struct None {};

  static std::vector<uint32_t> IdsArgument(Napi::Env env, Napi::Value value) {
    if (!value.IsArray()) {
      ThrowWrongType(env, "backupIds", "an array of backup ids", value);
    }
    const auto array = value.As<Napi::Array>();
    std::vector<uint32_t> ids;
    for (uint32_t i = 0; i < array.Length(); ++i) {
      ids.push_back(BackupIdArgument(env, array.Get(i)));
    }
    return ids;
  }

  // The repository knows the operation from the call on, not only when a thread begins it. So a stop right after the
  // call finds it.
  static std::shared_ptr<BackupRepository::Tracked> Track(const Repository& repository, Kind kind,
                                                          const OperationHandle& handle) {
    return std::make_shared<BackupRepository::Tracked>(repository, kind, handle.operation());
  }

  static std::function<void()> StopperOf(const OperationHandle& handle) {
    return [operation = handle.operation()] { operation->RequestStop(); };
  }

  static void DescribeSource(const Database& database, BackupSource* source) {
    source->db = database.db();
    source->path = database.path();
    source->wal_dir = database.wal_dir();
  }

  // Checked as late as possible, because writes without a log may arrive until the backup begins.
  static Error SourceOf(Database& database, BackupSource* source) {
    if (database.mode() != DatabaseOptions::Mode::kReadWrite) {
      return Error("ROCKSDB_NOT_SUPPORTED",
                   "the database " + database.path() +
                       " is open for reading only. A backup needs a handle that can write, because another "
                       "process may change the files of this one.")
          .With("path", database.path());
    }
    DescribeSource(database, source);
    source->needs_flush = database.NeedsFlushBeforeBackup();
    source->start_flush = [&database] { database.StartFlush(); };
    return Error();
  }

  template <typename Result, typename Call>
  Napi::Value Restoring(const Args& args, Call call) {
    const Napi::Env env = args.Env();
    const Repository repository = shared_resource(env);
    RestoreRequest request;
    const bool latest = args[0].IsNumber() && args[0].As<Napi::Number>().DoubleValue() == 0;
    request.backup_id = latest ? 0 : BackupIdArgument(env, args[0]);
    request.database_dir = PathArgument(env, args[1], "dbDir");
    const OperationHandle& handle = OperationArgument(env, args[2]);
    ReadRestoreOptions(env, args[3], &request);
    return Async<Result>(
        env, Lane::kLong, Leases(LeaseOf(env, repository)),
        [repository, tracked = Track(repository, Kind::kOther, handle), request = std::move(request),
         call](Result& result) { return call(*repository, request, tracked->operation(), result); },
        [callback = handle.on_progress()](Napi::Env js, Result& result) { return ToJs(js, result); },
        StopperOf(handle));
  }

  template <typename T, typename Call, typename Convert>
  Napi::Value Read(Napi::Env env, Call call, Convert convert) {
    const Repository repository = shared_resource(env);
    return Async<T>(
        env, Lane::kLong, Leases(LeaseOf(env, repository)),
        [repository, call = std::move(call)](T& result) { return call(*repository, result); }, std::move(convert));
  }

  template <typename Call>
  Napi::Value Write(Napi::Env env, Napi::Value given, Call call) {
    return WriteFor<None>(
        env, given, [call = std::move(call)](BackupRepository& repository, None&) { return call(repository); },
        [](Napi::Env js, None&) { return js.Undefined(); });
  }

  // Runs in the given turn, or in a turn of its own.
  template <typename T, typename Call, typename Convert>
  Napi::Value WriteFor(Napi::Env env, Napi::Value given, Call call, Convert convert) {
    const Repository repository = shared_resource(env);
    const auto operation = std::make_shared<Operation>();
    const auto* handle = Unwrap<WriteTurnHandle>(env, given);
    const Runner run = handle == nullptr || handle->turn() == nullptr
                           ? InTurn(repository, operation)
                           : [turn = handle->turn()](std::function<void()> work) {
                               RunInBackground([turn, work = std::move(work)] { work(); });
                             };
    return AsyncThrough<T>(
        env, run, Leases(LeaseOf(env, repository)),
        [repository, call = std::move(call)](T& result) { return call(*repository, result); }, std::move(convert),
        [operation] { operation->RequestStop(); });
  }

  static Runner InTurn(const Repository& repository, const std::shared_ptr<Operation>& operation) {
    return
        [repository, operation](std::function<void()> work) { repository->writes().Run(std::move(work), *operation); };
  }

  JsCallback info_log_;
};

Napi::Value WrapEngine(Napi::Env env, Repository repository, JsCallback info_log) {
  return Wrap(env, std::make_unique<BackupEngineHandle>(std::move(repository), std::move(info_log)));
}

// checkEngineOptions(options), checkCreateOptions(options): throw what opening and creating would throw. They do
// nothing else.
void CheckEngineOptions(const Args& args) {
  OpenEngineOptions options;
  ReadOpenEngineOptions(args.Env(), args[0], &options);
}

void CheckCreateOptions(const Args& args) {
  CreateRequest request;
  JsCallback exclude_files;
  ReadCreateOptions(args.Env(), args[0], &request, &exclude_files);
}

// (location, options)
Napi::Value OpenBackupEngine(const Args& args) {
  OpenEngineOptions options;
  options.repository.settings.storage = StorageArgument(args.Env(), args[0], "location");
  ReadOpenEngineOptions(args.Env(), args[1], &options);
  if (options.repository.read_only && options.repository.destroy_old_data) {
    Throw(args.Env(), Error("INVALID_OPTION", "readOnly and destroyOldData contradict each other"));
  }
  return Async<Repository>(
      args.Env(), Lane::kLong, Leases(),
      [repository_options = std::move(options.repository),
       log_path = std::move(options.info_log_path)](Repository& repository) mutable {
        if (!log_path.empty()) {
          if (Error error = OpenFileLog(log_path, &repository_options.settings.info_log); !error.ok()) {
            return error;
          }
        }
        Error error = BackupRepository::Open(std::move(repository_options), &repository);
        if (error.ok()) {
          repository->AddHandle();  // for the object that WrapEngine makes
        }
        return error;
      },
      [info_log = std::move(options.info_log)](Napi::Env env, Repository& repository) {
        return WrapEngine(env, std::move(repository), info_log);
      });
}

// (token)
Napi::Value AttachBackupEngine(const Args& args) {
  const std::string token = StringArgument(args.Env(), args[0], "token");
  auto repository = std::dynamic_pointer_cast<BackupRepository>(FindResource(token));
  if (repository == nullptr || !repository->AddHandle()) {
    Throw(args.Env(), Error("ENGINE_CLOSED", "no backup engine is open under the token \"" + token +
                                                 "\" in this process. Tokens work between threads of one process, "
                                                 "while a handle is open."));
  }
  return WrapEngine(args.Env(), std::move(repository), JsCallback());
}

// (directory, { remove })
Napi::Value FindRestoreLeftovers(const Args& args) {
  using Found = std::vector<RestoreLeftover>;
  const std::string directory = PathArgument(args.Env(), args[0], "directory");
  const auto what = ReadFlag(args.Env(), "options", "remove", args[1]) ? Leftovers::kRemove : Leftovers::kList;
  return Async<Found>(
      args.Env(), Lane::kLong, Leases(),
      [directory, what](Found& found) { return FindAllLeftovers(RealPath(directory), what, &found); },
      [](Napi::Env env, Found& found) -> Napi::Value {
        return ArrayOf(env, found, [env](const RestoreLeftover& leftover) {
          auto left = Napi::Object::New(env);
          left.Set("path", leftover.path);
          left.Set("bytes", WriteUint64(env, leftover.bytes));
          left.Set("unfinished", leftover.unfinished);
          left.Set("removed", leftover.removed);
          return left;
        });
      });
}

// (token)
Napi::Value StopBackupByToken(const Args& args) {
  const auto repository =
      std::dynamic_pointer_cast<BackupRepository>(FindResource(StringArgument(args.Env(), args[0], "token")));
  return Napi::Boolean::New(args.Env(), repository != nullptr && repository->StopBackup());
}

// (path) -> the reason why this process may not read it, or undefined
Napi::Value WhyDenied(const Args& args) {
  const std::string why = Denial(PathArgument(args.Env(), args[0], "path"));
  return why.empty() ? args.Env().Undefined() : Napi::String::New(args.Env(), why).As<Napi::Value>();
}

}  // namespace

std::shared_ptr<Database> DatabaseArgument(Napi::Env env, Napi::Value value) {
  auto* handle = Unwrap<DatabaseHandle>(env, value);
  if (handle == nullptr) {
    ThrowWrongType(env, "db", "a Database", value);
  }
  return handle->shared_resource(env);
}

std::shared_ptr<BackupRepository> SharedEngineArgument(Napi::Env env, Napi::Value value, std::string_view name) {
  auto* handle = Unwrap<BackupEngineHandle>(env, value);
  if (handle == nullptr) {
    ThrowWrongType(env, name, "a BackupEngine", value);
  }
  return handle->shared_resource(env);
}

BackupRepository& EngineArgument(Napi::Env env, Napi::Value value, std::string_view name) {
  auto* handle = Unwrap<BackupEngineHandle>(env, value);
  if (handle == nullptr) {
    ThrowWrongType(env, name, "made of BackupEngines", value);
  }
  return handle->resource(env);
}

void RegisterBackupEngine(Napi::Env env, Napi::Object exports) {
  using E = BackupEngineHandle;
  DefineClass<E>(env, "NativeBackupEngine",
                 {
                     Getter<&E::Token>("token"),
                     Getter<&E::Location>("location"),
                     Getter<&E::ReadOnly>("readOnly"),
                     Getter<&E::StorageOf>("storage"),
                     AsyncMethod<&E::CreateBackup>("createBackup"),
                     AsyncMethod<&E::VerifyBackup>("verifyBackup"),
                     AsyncMethod<&E::CopyFrom>("copyFrom"),
                     AsyncMethod<&E::PlanCopyTo>("planCopyTo"),
                     AsyncMethod<&E::RestoreBackup>("restoreBackup"),
                     AsyncMethod<&E::PlanRestore>("planRestore"),
                     AsyncMethod<&E::Survey>("survey"),
                     AsyncMethod<&E::GetBackupInfos>("getBackupInfos"),
                     AsyncMethod<&E::GetBackupInfo>("getBackupInfo"),
                     AsyncMethod<&E::GetCorruptedBackups>("getCorruptedBackups"),
                     AsyncMethod<&E::OpenBackup>("openBackup"),
                     AsyncMethod<&E::TakeTurn>("takeTurn"),
                     AsyncMethod<&E::DeleteBackups>("deleteBackups"),
                     AsyncMethod<&E::PurgeOldBackups>("purgeOldBackups"),
                     AsyncMethod<&E::GarbageCollect>("garbageCollect"),
                     AsyncMethod<&E::ListGarbage>("listGarbage"),
                     AsyncMethod<&E::CheckDeletion>("checkDeletion"),
                     Method<&E::StopBackup>("stopBackup"),
                     AsyncMethod<&E::Close>("close"),
                 });
  WriteTurnHandle::Register(env);
  RegisterOperation(env, exports);
  RegisterRateLimiter(env, exports);
  RegisterStorage(env, exports);
  RegisterArchive(env, exports);
  exports.Set("checkEngineOptions", MakeFunction<&CheckEngineOptions>(env, "checkEngineOptions"));
  exports.Set("checkCreateOptions", MakeFunction<&CheckCreateOptions>(env, "checkCreateOptions"));
  exports.Set("openBackupEngine", MakeFunction<&OpenBackupEngine, true>(env, "openBackupEngine"));
  exports.Set("attachBackupEngine", MakeFunction<&AttachBackupEngine>(env, "attachBackupEngine"));
  exports.Set("findRestoreLeftovers", MakeFunction<&FindRestoreLeftovers, true>(env, "findRestoreLeftovers"));
  exports.Set("planBackup", MakeFunction<&BackupEngineHandle::PlanBackup, true>(env, "planBackup"));
  exports.Set("whyDenied", MakeFunction<&WhyDenied>(env, "whyDenied"));
  exports.Set("stopBackup", MakeFunction<&StopBackupByToken>(env, "stopBackup"));
}

}  // namespace rocksdb_backup
