#include "core/wal/archiver.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "core/database/archive_marker.h"
#include "core/wal/fixed_hex.h"
#include "rocksdb/convenience.h"

namespace rocksdb_backup {
namespace {

constexpr std::chrono::milliseconds kLongestPause{1000};
constexpr std::chrono::milliseconds kShortestPause{20};
constexpr std::chrono::milliseconds kLongestRetry{30'000};

std::string NewSegmentId() {
  std::random_device device;
  const auto number = [&] { return FixedHex(uint64_t{device()} << 32 | device()); };
  return number() + number();
}

}  // namespace

Archiver::Archiver(Database& database, std::shared_ptr<Storage> storage, const ArchiverOptions& options)
    : database_(database),
      options_(options),
      storage_([&] {
        auto own = storage->ForOperation(operation_);
        return own != nullptr ? own : storage;
      }()),
      archive_(storage_->archive_files(), storage_->name()) {}

Archiver::~Archiver() { End(); }

Error Archiver::Start(const std::shared_ptr<Database>& database, std::shared_ptr<Storage> storage,
                      const ArchiverOptions& options, std::shared_ptr<Archiver>* archiver) {
  if (database->archived() == nullptr) {
    return Error("INVALID_OPTION", database->path() + " was not opened to be archived").With("path", database->path());
  }
  if (Error error = storage->CheckSource(database->path()); !error.ok()) {
    return error;
  }
  std::shared_ptr<Archiver> started(new Archiver(*database, std::move(storage), options));
  if (!database->SetCompanion(started)) {
    return Error("INVALID_OPTION", database->path() + " is archived already").With("path", database->path());
  }
  database->SetFamilyListener([raw = started.get()](const Database::FamilyChange& change) {
    const std::lock_guard lock(raw->mutex_);
    raw->changes_.push_back(change);
  });
  started->thread_ = std::thread([raw = started.get()] { raw->Run(); });
  *archiver = std::move(started);
  return Error();
}

void Archiver::Abandon() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  (void)operation_->RequestStop();
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Archiver::End() {
  if (!thread_.joinable()) {
    return;
  }
  database_.SetFamilyListener({});
  {
    std::unique_lock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, options_.close_patience, [this] { return ended_; });
  }
  Abandon();
}

ArchiverStatus Archiver::Status() const {
  const std::lock_guard lock(mutex_);
  ArchiverStatus status = status_;
  status.latest_sequence = ended_ ? status.archived_sequence : db()->GetLatestSequenceNumber();
  return status;
}

Error Archiver::Flush(Operation& operation) {
  const uint64_t to = db()->GetLatestSequenceNumber();
  std::unique_lock lock(mutex_);
  flush_to_ = std::max(flush_to_, to);
  const uint64_t failures = failures_;
  changed_.notify_all();
  constexpr std::chrono::milliseconds kBetweenLooks{25};
  while (status_.timeline == 0 || status_.archived_sequence < to) {
    if (ended_) {
      return Database::ClosedError();
    }
    if (failures_ != failures) {
      return status_.error;
    }
    if (operation.ended()) {
      return Error("ARCHIVE_STOPPED", "waiting for the archive of " + storage_->name() + " was stopped");
    }
    changed_.wait_for(lock, kBetweenLooks);
  }
  return Error();
}

Error Archiver::AddBase(uint64_t timeline, const ArchiveBase& base) {
  Error error = archive_.AddBase(timeline, base);
  if (error.ok()) {
    const std::lock_guard lock(mutex_);
    if (status_.timeline == timeline) {
      status_.needs_base = false;
    }
  }
  return error;
}

Error Archiver::AddPoint(const std::string& name, Operation& operation, NamedPoint* point) {
  if (Error error = Flush(operation); !error.ok()) {
    return error;
  }
  const ArchiverStatus status = Status();
  *point = {.sequence = status.archived_sequence, .time = status.archived_time, .name = name};
  return archive_.AddPoint(status.timeline, *point);
}

void Archiver::Run() {
  auto pause = std::clamp(options_.max_delay / 10, kShortestPause, kLongestPause);
  std::chrono::milliseconds retry = options_.first_retry;
  for (;;) {
    bool ending = false;
    uint64_t flush_to = 0;
    {
      const std::lock_guard lock(mutex_);
      ending = ending_;
      flush_to = flush_to_;
    }
    Error error = Work();
    if (!error.ok()) {
      LimitBacklog();
    }
    std::unique_lock lock(mutex_);
    const bool failed = !error.ok();
    failures_ += failed ? 1 : 0;
    status_.error = std::move(error);
    changed_.notify_all();
    if (abandoned_ || ending) {
      break;
    }
    changed_.wait_for(lock, failed ? retry : pause, [&] { return abandoned_ || ending_ || flush_to_ != flush_to; });
    retry = failed ? std::min(retry * 2, kLongestRetry) : options_.first_retry;
  }
  tail_.reset();  // its iterator must not outlive the database
  lock_.reset();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

Error Archiver::Work() {
  if (timeline_ == 0) {
    if (Error error = OpenTimeline(); !error.ok()) {
      return error;
    }
  }
  if (Error error = lock_->StillHeld(); !error.ok()) {
    if (error.code() == "LOCK_LOST") {
      // Others may have gone on with this timeline. Who has it is found out anew.
      timeline_ = 0;
      lock_.reset();
      tail_.reset();
      ForgetWhatWasRead();
    }
    return error;
  }
  return ReadLog();
}

std::vector<ArchivedFamily> Archiver::FamiliesNow() const {
  std::vector<ArchivedFamily> families;
  for (const Database::FamilyPtr& family : database_.AllFamilies()) {
    rocksdb::ColumnFamilyDescriptor descriptor;
    ArchivedFamily archived{.id = family->handle->GetID(), .name = family->handle->GetName()};
    if (family->handle->GetDescriptor(&descriptor).ok()) {
      GetStringFromColumnFamilyOptions(&archived.options, descriptor.options).PermitUncheckedError();
    }
    families.push_back(std::move(archived));
  }
  return families;
}

Error Archiver::SameAsLog(const Segment& segment, bool* same) {
  // The last batch of the segment. A record of the log may have more batches than that one.
  LoggedBatch last;
  if (Error error = segment.ForEach({.batch =
                                         [&](const LoggedBatch& batch) {
                                           last = batch;
                                           return Error();
                                         },
                                     .event = [](const ArchivedEvent&) { return Error(); }});
      !error.ok()) {
    return error;
  }
  *same = true;
  std::unique_ptr<rocksdb::TransactionLogIterator> log;
  const rocksdb::Status status = db()->GetUpdatesSince(last.first, &log);
  if (!status.ok() || !log->Valid()) {
    return Error();  // the log has it no more, and what follows it is checked when it is read
  }
  const rocksdb::BatchResult record = log->GetBatch();
  std::vector<LoggedBatch> batches;
  if (!SplitByWriters(*record.writeBatchPtr, record.sequence, &batches).ok()) {
    return Error();
  }
  for (const LoggedBatch& batch : batches) {
    if (batch.first == last.first) {
      *same = batch.count == last.count && batch.operations == last.operations;
      return Error();
    }
  }
  *same = record.sequence > last.first;
  return Error();
}

Error Archiver::WhyNotContinued(const std::vector<Timeline>& timelines, std::optional<TimelineReason>* why,
                                const Timeline** continued) {
  const Database::Archived& found = *database_.archived();
  if (!found.marker) {
    *why = timelines.empty() ? TimelineReason::kFirst : TimelineReason::kRestored;
    return Error();
  }
  const auto timeline = std::find_if(timelines.begin(), timelines.end(),
                                     [&](const Timeline& each) { return each.id == found.marker->timeline; });
  if (timeline == timelines.end()) {
    *why = TimelineReason::kFirst;
    return Error();
  }
  *continued = &*timeline;
  if (!IsUntouched(*found.marker, found.manifest)) {
    *why = TimelineReason::kOtherProgram;
    return Error();
  }
  if (found.opened_at < timeline->last()) {
    *why = TimelineReason::kBehind;
    return Error();
  }
  if (timeline->segments.empty()) {
    return Error();
  }
  Segment last;
  if (Error error = archive_.Read(timeline->id, timeline->segments.back(), &last); !error.ok()) {
    if (error.code() != "SEGMENT_CORRUPT") {
      return error;
    }
    *why = TimelineReason::kGap;
    return Error();
  }
  bool same = false;
  if (Error error = SameAsLog(last, &same); !error.ok()) {
    return error;
  }
  if (!same) {
    *why = TimelineReason::kBehind;
    return Error();
  }
  std::vector<ArchivedFamily> families = last.header().families;
  Error error =
      last.ForEach({.batch = [](const LoggedBatch&) { return Error(); },
                    .event =
                        [&](const ArchivedEvent& event) {
                          std::erase_if(families, [&](const auto& each) { return each.id == event.family.id; });
                          if (event.kind == ArchivedEvent::Kind::kFamilyMade) {
                            families.push_back(event.family);
                          }
                          return Error();
                        }});
  std::set<std::pair<uint32_t, std::string>> then;
  std::set<std::pair<uint32_t, std::string>> now;
  for (const ArchivedFamily& family : families) {
    then.emplace(family.id, family.name);
  }
  for (const Database::FamilyPtr& family : database_.AllFamilies()) {
    now.emplace(family->handle->GetID(), family->handle->GetName());
  }
  if (then != now) {
    *why = TimelineReason::kFamilies;
  }
  previous_ = last.header().id;
  return error;
}

Error Archiver::OpenTimeline() {
  std::vector<Timeline> timelines;
  if (Error error = archive_.List(&timelines); !error.ok()) {
    return error;
  }
  std::optional<TimelineReason> why;
  const Timeline* continued = nullptr;
  if (Error error = WhyNotContinued(timelines, &why, &continued); !error.ok()) {
    return error;
  }
  if (!why) {
    return GoOn(*continued);
  }
  // The last timeline is the best guess for one that is restored.
  const uint64_t parent = continued != nullptr ? continued->id : timelines.empty() ? 0 : timelines.back().id;
  return BeginTimeline(parent, db()->GetLatestSequenceNumber() + 1, *why);
}

Error Archiver::GoOn(const Timeline& timeline) {
  std::unique_ptr<StorageLock> lock;  // given back if the rest fails
  if (Error error = storage_->LockTimeline(timeline.id, &lock); !error.ok()) {
    return error;
  }
  // Another process may have gone on until a moment ago.
  std::vector<Timeline> timelines;
  if (Error error = archive_.List(&timelines); !error.ok()) {
    return error;
  }
  const auto again =
      std::find_if(timelines.begin(), timelines.end(), [&](const Timeline& each) { return each.id == timeline.id; });
  if (again == timelines.end() || again->segments != timeline.segments) {
    return Error("ARCHIVE_LOCKED", "another process has archived to the same timeline of " + storage_->name())
        .With("path", storage_->name());
  }
  if (Error error = database_.MarkTimeline(timeline.id); !error.ok()) {
    return error;
  }
  lock_ = std::move(lock);
  timeline_ = timeline.id;
  era_ = timeline.segments.empty() ? timeline.era : timeline.segments.back().era;
  time_ = timeline.segments.empty() ? timeline.begun : timeline.segments.back().max_time;
  families_ = families_of_next_ = FamiliesNow();
  tail_ = std::make_unique<LogTail>(db(), timeline.last() + 1);
  const std::lock_guard guard(mutex_);
  status_.timeline = timeline_;
  status_.reason = timeline.reason;
  status_.needs_base = timeline.bases.empty();
  status_.archived_sequence = timeline.last();
  status_.archived_time = time_;
  return Error();
}

Error Archiver::BeginTimeline(uint64_t parent, uint64_t begins, TimelineReason reason) {
  // After `begins` was found: whoever writes from now on gets a later stamp. Writes from `begins` on that have an
  // earlier one count as of this moment.
  const CommitStamp now = database_.Now();
  Timeline timeline{.parent = parent, .begins = begins, .era = now.era, .begun = now.micros, .reason = reason};
  if (Error error = archive_.Begin(&timeline); !error.ok()) {
    return error;
  }
  std::unique_ptr<StorageLock> lock;
  if (Error error = storage_->LockTimeline(timeline.id, &lock); !error.ok()) {
    return error;
  }
  if (Error error = database_.MarkTimeline(timeline.id); !error.ok()) {
    return error;
  }
  lock_ = std::move(lock);
  timeline_ = timeline.id;
  previous_.clear();
  era_ = now.era;
  time_ = now.micros;
  ForgetWhatWasRead();
  families_ = families_of_next_ = FamiliesNow();
  tail_ = std::make_unique<LogTail>(db(), begins);
  {
    const std::lock_guard guard(mutex_);
    changes_.clear();
    status_.timeline = timeline_;
    status_.reason = reason;
    status_.needs_base = true;
    status_.archived_sequence = begins - 1;
    status_.archived_time = time_;
  }
  return Error();
}

void Archiver::ForgetWhatWasRead() {
  builder_.reset();
  finished_.reset();
  batches_.clear();
  next_batch_ = 0;
}

bool Archiver::SegmentIsDue(Clock::time_point now) const {
  if (builder_ == nullptr || builder_->empty()) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  return ending_ || flush_to_ > status_.archived_sequence || now - builder_began_ >= options_.max_delay;
}

Error Archiver::ReadLog() {
  for (;;) {
    if (finished_) {
      if (Error error = CloseSegment(); !error.ok()) {
        return error;
      }
    }
    {
      const std::lock_guard lock(mutex_);
      if (abandoned_) {
        return Error();
      }
    }
    if (Error error = AddRecord(); !error.ok()) {
      return error;
    }
    if (builder_ != nullptr && (builder_->bytes() >= options_.segment_bytes || SegmentIsDue(Clock::now()))) {
      if (Error error = CloseSegment(); !error.ok()) {
        return error;
      }
    }
    LogTail::Step step = LogTail::Step::kEnd;
    uint64_t found = 0;
    if (Error error = tail_->Next(&step, &record_, &found); !error.ok()) {
      return error;
    }
    if (step == LogTail::Step::kEnd) {
      return SegmentIsDue(Clock::now()) ? CloseSegment() : Error();
    }
    if (step == LogTail::Step::kGap) {
      if (builder_ != nullptr && !builder_->empty()) {
        if (Error error = CloseSegment(); !error.ok()) {
          return error;
        }
      }
      if (Error error = BeginTimeline(timeline_, found, TimelineReason::kGap); !error.ok()) {
        return error;
      }
      continue;
    }
    next_batch_ = 0;
    if (const rocksdb::Status status = SplitByWriters(*record_.writeBatchPtr, record_.sequence, &batches_);
        !status.ok()) {
      batches_.clear();
      return Error::From(status, "reading the log of " + database_.path()).With("path", database_.path());
    }
  }
}

Error Archiver::AddRecord() {
  while (next_batch_ < batches_.size()) {
    if (Error error = AddBatch(batches_[next_batch_]); !error.ok()) {
      return error;
    }
    ++next_batch_;
  }
  return Error();
}

Error Archiver::AddBatch(const LoggedBatch& batch) {
  const CommitStamp& stamp = batch.stamp;
  if (stamp.era == era_) {
    time_ = std::max(time_, stamp.micros);
  } else if (stamp.era != 0 && !IsEarlierEraOfOneOpening(stamp.era, era_)) {
    if (builder_ != nullptr && !builder_->empty()) {
      if (Error error = CloseSegment(); !error.ok()) {
        return error;
      }
    }
    builder_.reset();
    era_ = stamp.era;
    time_ = stamp.micros;
  }
  if (builder_ == nullptr) {
    builder_ = std::make_unique<SegmentBuilder>(batch.first, era_);
    builder_began_ = Clock::now();
    families_of_next_ = families_;
  }
  AddChanges(batch.first - 1);
  builder_->Add(batch, time_);
  return Error();
}

// The changes of families that came before the write after `up_to`.
void Archiver::AddChanges(uint64_t up_to) {
  for (;;) {
    Database::FamilyChange change;
    {
      const std::lock_guard lock(mutex_);
      if (changes_.empty() || changes_.front().sequence > up_to) {
        return;
      }
      change = std::move(changes_.front());
      changes_.pop_front();
    }
    ArchivedEvent event{.kind = change.made ? ArchivedEvent::Kind::kFamilyMade : ArchivedEvent::Kind::kFamilyDropped,
                        .time = time_,
                        .family = {.id = change.id, .name = change.name, .options = {}}};
    std::erase_if(families_, [&](const ArchivedFamily& each) { return each.id == change.id; });
    if (change.made) {
      for (ArchivedFamily& family : FamiliesNow()) {
        if (family.id == change.id) {
          event.family.options = std::move(family.options);
        }
      }
      families_.push_back(event.family);
    }
    builder_->Add(event);
  }
}

Error Archiver::CloseSegment() {
  if (!finished_) {
    finished_.emplace();
    finished_->name = builder_->Name();
    finished_->id = NewSegmentId();
    finished_->text =
        std::make_shared<const std::string>(builder_->Text({.timeline = FixedHex(timeline_),
                                                            .database =
                                                                [&] {
                                                                  std::string id;
                                                                  db()->GetDbIdentity(id).PermitUncheckedError();
                                                                  return id;
                                                                }(),
                                                            .id = finished_->id,
                                                            .previous = previous_,
                                                            .families = families_of_next_}));
    builder_.reset();
  }
  if (Error error = lock_->StillHeld(); !error.ok()) {
    return error;
  }
  if (Error error = archive_.Write(timeline_, finished_->name, finished_->text); !error.ok()) {
    return error;
  }
  const SegmentName name = finished_->name;
  previous_ = finished_->id;
  {
    const std::lock_guard lock(mutex_);
    status_.archived_sequence = name.last;
    status_.archived_time = name.max_time;
    ++status_.segments;
    status_.bytes += finished_->text->size();
    changed_.notify_all();
  }
  finished_.reset();
  RemoveArchivedLogs();
  return Error();
}

// RocksDB moves logs that it needs no more to a directory of its own. Those whose writes are all in the archive go. A
// log ends where the next one begins. What cannot be removed now is looked at again after the next segment.
void Archiver::RemoveArchivedLogs() {
  rocksdb::VectorWalPtr logs;
  if (!db()->GetSortedWalFiles(logs).ok()) {
    return;
  }
  uint64_t archived = 0;
  {
    const std::lock_guard lock(mutex_);
    archived = status_.archived_sequence;
  }
  for (size_t i = 0; i + 1 < logs.size(); ++i) {
    // A log without a record says that it begins at 0.
    const uint64_t next_begins = logs[i + 1]->StartSequence();
    if (logs[i]->Type() != rocksdb::kArchivedLogFile || next_begins == 0 || next_begins > archived + 1) {
      return;
    }
    const std::string path = database_.wal_dir() + logs[i]->PathName();
    db()->GetFileSystem()->DeleteFile(path, {}, nullptr).PermitUncheckedError();
  }
}

// What RocksDB still needs itself does not count, and is never given up.
void Archiver::LimitBacklog() {
  constexpr uint64_t kMost = uint64_t{10} << 30;
  constexpr uint64_t kPartOfFreeSpace = 10;
  rocksdb::VectorWalPtr logs;
  if (!db()->GetSortedWalFiles(logs).ok()) {
    return;
  }
  std::erase_if(logs, [](const auto& log) { return log->Type() != rocksdb::kArchivedLogFile; });
  uint64_t bytes = 0;
  for (const auto& log : logs) {
    bytes += log->SizeFileBytes();
  }
  uint64_t limit = options_.max_backlog_bytes;
  if (uint64_t free = 0; limit == 0) {
    const bool known = db()->GetFileSystem()->GetFreeSpace(database_.path(), {}, &free, nullptr).ok();
    limit = known ? std::min(kMost, (free + bytes) / kPartOfFreeSpace) : kMost;
  }
  uint64_t given_up = 0;
  for (size_t i = 0; i < logs.size() && bytes > limit; ++i) {
    if (db()->GetFileSystem()->DeleteFile(database_.wal_dir() + logs[i]->PathName(), {}, nullptr).ok()) {
      bytes -= logs[i]->SizeFileBytes();
      ++given_up;
    }
  }
  if (given_up > 0) {
    const std::lock_guard lock(mutex_);
    status_.logs_given_up += given_up;
  }
}

}  // namespace rocksdb_backup
