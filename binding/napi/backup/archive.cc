#include "napi/backup/archive.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "core/recovery/recover.h"
#include "core/wal/fixed_hex.h"
#include "napi/backup/backup_engine.h"
#include "napi/backup/backup_options.h"
#include "napi/backup/backup_results.h"
#include "napi/backup/operation_handle.h"
#include "napi/database/database.h"
#include "napi/database/database_options.h"
#include "napi/runtime/task.h"
#include "napi/runtime/wrap.h"
#include "napi/values/options.h"
#include "napi/values/values.h"

namespace rocksdb_backup {
namespace {

struct ArchivedDatabase {
  std::shared_ptr<Database> database;
  std::shared_ptr<Archiver> archiver;
};

ArchivedDatabase ArchivedArgument(Napi::Env env, Napi::Value value) {
  ArchivedDatabase archived{DatabaseArgument(env, value), nullptr};
  archived.archiver = std::dynamic_pointer_cast<Archiver>(archived.database->companion());
  if (archived.archiver == nullptr) {
    Throw(env, Error("NOT_ARCHIVED", "the database " + archived.database->path() + " is not archived")
                   .With("path", archived.database->path()));
  }
  return archived;
}

// In microseconds since 1970, for JS: milliseconds are what its dates have, and are too coarse.
Napi::Value TimeToJs(Napi::Env env, uint64_t micros) {
  return micros == 0 ? env.Undefined() : WriteUint64(env, micros);
}

Option<ArchiverOptions> Milliseconds(const char* name, std::chrono::milliseconds ArchiverOptions::*member) {
  constexpr uint64_t kMost = uint64_t{24} * 3600 * 1000;
  return Custom<ArchiverOptions>(
      name, [member](Napi::Env env, std::string_view option, Napi::Value value, ArchiverOptions* options) {
        options->*member = std::chrono::milliseconds(ReadUint64(env, option, value, 1, kMost));
      });
}

// (database, engine, options)
void StartArchiver(const Args& args) {
  static const auto* table = new OptionTable<ArchiverOptions>(
      "archive options", {
                             Milliseconds("maxDelay", &ArchiverOptions::max_delay),
                             Milliseconds("closePatience", &ArchiverOptions::close_patience),
                             Field("maxBacklogBytes", &ArchiverOptions::max_backlog_bytes, {.min = 1}),
                             Field("segmentBytes", &ArchiverOptions::segment_bytes, {.min = 1, .max = 1 << 28}),
                         });
  const Napi::Env env = args.Env();
  const auto database = DatabaseArgument(env, args[0]);
  const auto repository = SharedEngineArgument(env, args[1], "engine");
  ArchiverOptions options;
  table->Read(env, args[2], &options);
  std::shared_ptr<Archiver> archiver;
  if (Error error = Archiver::Start(database, repository->settings().storage, options, &archiver); !error.ok()) {
    Throw(env, error);
  }
}

// (database)
Napi::Value StatusOf(const Args& args) {
  const Napi::Env env = args.Env();
  const ArchiverStatus status = ArchivedArgument(env, args[0]).archiver->Status();
  auto object = Napi::Object::New(env);
  if (status.timeline != 0) {
    object.Set("timeline", WriteUint64(env, status.timeline));
    object.Set("timelineReason", TextOf(status.reason));
    object.Set("archivedSequence", WriteUint64(env, status.archived_sequence));
  }
  object.Set("needsBase", status.needs_base);
  object.Set("latestSequence", WriteUint64(env, status.latest_sequence));
  object.Set("archivedTime", TimeToJs(env, status.archived_time));
  object.Set("segments", WriteUint64(env, status.segments));
  object.Set("bytes", WriteUint64(env, status.bytes));
  object.Set("logsGivenUp", WriteUint64(env, status.logs_given_up));
  if (!status.error.ok()) {
    object.Set("error", ToJs(env, status.error));
  }
  return object;
}

// (database, operation)
Napi::Value FlushArchive(const Args& args) {
  const Napi::Env env = args.Env();
  const ArchivedDatabase archived = ArchivedArgument(env, args[0]);
  const auto operation = OperationArgument(env, args[1]).operation();
  return Async(
      env, Lane::kLong, Leases(LeaseOf(env, archived.database)),
      [archived, operation] { return archived.archiver->Flush(*operation); },
      [operation] { operation->RequestStop(); });
}

// (database, name, operation)
Napi::Value AddPoint(const Args& args) {
  const Napi::Env env = args.Env();
  const ArchivedDatabase archived = ArchivedArgument(env, args[0]);
  const std::string name = StringArgument(env, args[1], "name");
  const auto operation = OperationArgument(env, args[2]).operation();
  return Async<NamedPoint>(
      env, Lane::kLong, Leases(LeaseOf(env, archived.database)),
      [archived, name, operation](NamedPoint& point) { return archived.archiver->AddPoint(name, *operation, &point); },
      [](Napi::Env js, NamedPoint& point) -> Napi::Value {
        auto object = Napi::Object::New(js);
        object.Set("name", point.name);
        object.Set("sequence", WriteUint64(js, point.sequence));
        object.Set("time", TimeToJs(js, point.time));
        return object;
      },
      [operation] { operation->RequestStop(); });
}

Archive ArchiveOf(const EngineSettings& settings) {
  return Archive(settings.storage->archive_files(), settings.name());
}

Napi::Value TimelineToJs(Napi::Env env, const Timeline& timeline) {
  auto object = Napi::Object::New(env);
  object.Set("timeline", WriteUint64(env, timeline.id));
  if (timeline.parent != 0) {
    object.Set("parent", WriteUint64(env, timeline.parent));
  }
  object.Set("reason", TextOf(timeline.reason));
  object.Set("begun", TimeToJs(env, timeline.begun));
  object.Set("firstSequence", WriteUint64(env, timeline.begins));
  object.Set("lastSequence", WriteUint64(env, timeline.last()));
  object.Set("bytes", WriteUint64(env, timeline.bytes));
  object.Set("segments", ArrayOf(env, timeline.segments, [env](const SegmentName& segment) {
               auto one = Napi::Object::New(env);
               one.Set("firstSequence", WriteUint64(env, segment.first));
               one.Set("lastSequence", WriteUint64(env, segment.last));
               one.Set("era", FixedHex(segment.era));
               one.Set("from", TimeToJs(env, segment.min_time));
               one.Set("to", TimeToJs(env, segment.max_time));
               return one;
             }));
  object.Set("bases", ArrayOf(env, timeline.bases, [env](const ArchiveBase& base) {
               auto one = Napi::Object::New(env);
               one.Set("backupId", base.backup_id);
               one.Set("timestamp", WriteUint64(env, base.backup_time));
               one.Set("sequence", WriteUint64(env, base.sequence));
               return one;
             }));
  object.Set("points", ArrayOf(env, timeline.points, [env](const NamedPoint& point) {
               auto one = Napi::Object::New(env);
               one.Set("name", point.name);
               one.Set("sequence", WriteUint64(env, point.sequence));
               one.Set("time", TimeToJs(env, point.time));
               return one;
             }));
  return object;
}

// (engine)
Napi::Value ListArchive(const Args& args) {
  const Napi::Env env = args.Env();
  const auto repository = SharedEngineArgument(env, args[0], "engine");
  using Timelines = std::vector<Timeline>;
  return Async<Timelines>(
      env, Lane::kLong, Leases(LeaseOf(env, repository)),
      [repository](Timelines& timelines) { return ArchiveOf(repository->settings()).List(&timelines); },
      [](Napi::Env js, Timelines& timelines) -> Napi::Value {
        return ArrayOf(js, timelines, [js](const Timeline& timeline) { return TimelineToJs(js, timeline); });
      });
}

RecoveryTarget TargetArgument(Napi::Env env, Napi::Value value) {
  using Kind = RecoveryTarget::Kind;
  static const auto* table = new OptionTable<RecoveryTarget>(
      "target",
      {
          Choice("kind", &RecoveryTarget::kind,
                 {{"latest", Kind::kLatest}, {"sequence", Kind::kSequence}, {"time", Kind::kTime}}),
          Field("sequence", &RecoveryTarget::sequence),
          Field("time", &RecoveryTarget::time),
          Field("timeline", &RecoveryTarget::timeline),
          Custom<RecoveryTarget>("era",
                                 [](Napi::Env js, std::string_view name, Napi::Value given, RecoveryTarget* target) {
                                   if (!ParseFixedHex(ReadString(js, name, given), &target->era)) {
                                     ThrowWrongType(js, name, "an era as the archive names it", given);
                                   }
                                 }),
      });
  RecoveryTarget target;
  table->Read(env, value, &target);
  return target;
}

Error Plan(BackupRepository& repository, const RecoveryTarget& target, RecoveryPlan* plan) {
  std::vector<BackupDescription> backups;
  if (Error error = repository.List(false, &backups); !error.ok()) {
    return error;
  }
  Archive archive = ArchiveOf(repository.settings());
  return PlanRecovery(archive, backups, target, plan);
}

void PlanInto(Napi::Env env, const RecoveryPlan& plan, Napi::Object object) {
  object.Set("timeline", WriteUint64(env, plan.timeline.id));
  object.Set("era", FixedHex(plan.era));
  object.Set("sequence", WriteUint64(env, plan.sequence));
  object.Set("backupId", plan.base.backup_id);
  object.Set("segments", WriteUint64(env, plan.segments.size()));
}

// (engine, target)
Napi::Value PlanRecoveryOf(const Args& args) {
  const Napi::Env env = args.Env();
  const auto repository = SharedEngineArgument(env, args[0], "engine");
  return Async<RecoveryPlan>(
      env, Lane::kLong, Leases(LeaseOf(env, repository)),
      [repository, target = TargetArgument(env, args[1])](RecoveryPlan& plan) {
        return Plan(*repository, target, &plan);
      },
      [](Napi::Env js, RecoveryPlan& plan) -> Napi::Value {
        auto object = Napi::Object::New(js);
        PlanInto(js, plan, object);
        object.Set("writesToReplay", WriteUint64(js, plan.sequence - plan.base.sequence));
        return object;
      });
}

// (engine): returns how many files were removed.
Napi::Value PruneArchive(const Args& args) {
  const Napi::Env env = args.Env();
  const auto repository = SharedEngineArgument(env, args[0], "engine");
  return Async<uint64_t>(
      env, Lane::kLong, Leases(LeaseOf(env, repository)),
      [repository](uint64_t& removed) {
        BackupSurvey survey;
        if (Error error = repository->Look(false, &survey); !error.ok()) {
          return error;
        }
        if (!survey.corrupt.empty()) {
          return Error();  // nobody knows which segments they need
        }
        return ArchiveOf(repository->settings())
            .RemoveUnreachable([&](const ArchiveBase& base) { return IsBaseOfOne(survey.backups, base); }, &removed);
      },
      [](Napi::Env js, uint64_t& removed) -> Napi::Value { return WriteUint64(js, removed); });
}

// (engine, target, directory, operation, restore options, database options)
Napi::Value RecoverTo(const Args& args) {
  struct Recovered {
    RecoveryPlan plan;
    RecoveryResult result;
  };
  const Napi::Env env = args.Env();
  const auto repository = SharedEngineArgument(env, args[0], "engine");
  const RecoveryTarget target = TargetArgument(env, args[1]);
  RecoveryRequest request;
  request.restore.database_dir = PathArgument(env, args[2], "into");
  const OperationHandle& handle = OperationArgument(env, args[3]);
  ReadRestoreOptions(env, args[4], &request.restore);
  request.options = DatabaseOptionsOf(env, args[5]);
  const auto tracked =
      std::make_shared<BackupRepository::Tracked>(repository, BackupRepository::Kind::kOther, handle.operation());
  return Async<Recovered>(
      env, Lane::kLong, Leases(LeaseOf(env, repository)),
      [repository, target, request = std::move(request), tracked](Recovered& recovered) {
        if (Error error = Plan(*repository, target, &recovered.plan); !error.ok()) {
          return error;
        }
        return repository->Recover(recovered.plan, request, tracked->operation(), &recovered.result);
      },
      [callback = handle.on_progress()](Napi::Env js, Recovered& recovered) -> Napi::Value {
        auto object = Napi::Object::New(js);
        PlanInto(js, recovered.plan, object);
        const ReplayResult& replayed = recovered.result.replayed;
        object.Set("time", TimeToJs(js, replayed.time));
        object.Set("writesReplayed", WriteUint64(js, replayed.sequence - replayed.from));
        object.Set("batchesReplayed", WriteUint64(js, replayed.batches));
        object.Set("bytesReplayed", WriteUint64(js, replayed.bytes));
        object.Set("restored", ToJs(js, recovered.result.restored));
        return object;
      },
      [operation = handle.operation()] { operation->RequestStop(); });
}

}  // namespace

ArchivedBackup::ArchivedBackup(const Database& database, const BackupRepository& repository,
                               const CreateRequest& request) {
  archiver_ = std::dynamic_pointer_cast<Archiver>(database.companion());
  const EngineSettings& settings = repository.settings();
  // A backup without some of the files cannot be recovered from without looking for them.
  if (archiver_ != nullptr &&
      (archiver_->storage().identity() != settings.storage->identity() || request.exclude_files)) {
    archiver_ = nullptr;
  }
  // Without logs a backup may lack what was written just before it.
  has_all_to_ = settings.engine.backup_log_files ? database.db()->GetLatestSequenceNumber() : 0;
  timeline_ = archiver_ == nullptr ? 0 : archiver_->Status().timeline;
}

void ArchivedBackup::Tell(const BackupDescription& backup) const {
  if (timeline_ != 0 && archiver_->Status().timeline == timeline_) {
    (void)archiver_->AddBase(timeline_, {.sequence = backup.last_sequence,
                                         .has_all_to = has_all_to_,
                                         .backup_id = backup.id,
                                         .backup_time = static_cast<uint64_t>(backup.timestamp)});
  }
}

void RegisterArchive(Napi::Env env, Napi::Object exports) {
  exports.Set("startArchiver", MakeFunction<&StartArchiver>(env, "startArchiver"));
  exports.Set("archiverStatus", MakeFunction<&StatusOf>(env, "archiverStatus"));
  exports.Set("flushArchive", MakeFunction<&FlushArchive, true>(env, "flushArchive"));
  exports.Set("addRecoveryPoint", MakeFunction<&AddPoint, true>(env, "addRecoveryPoint"));
  exports.Set("listArchive", MakeFunction<&ListArchive, true>(env, "listArchive"));
  exports.Set("planRecovery", MakeFunction<&PlanRecoveryOf, true>(env, "planRecovery"));
  exports.Set("pruneArchive", MakeFunction<&PruneArchive, true>(env, "pruneArchive"));
  exports.Set("recover", MakeFunction<&RecoverTo, true>(env, "recover"));
}

}  // namespace rocksdb_backup
