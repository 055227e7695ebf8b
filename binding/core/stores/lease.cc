#include "core/stores/lease.h"

#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "core/stores/conditional_put.h"

namespace rocksdb_backup {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = StoreRequest::Kind;

// Processes of one machine see each other's ends.
struct Holder {
  std::string machine;  // of the running system: another one after a restart, or in another container
  std::string process;  // pid and the time of its start
};

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The time at which a process began, in ticks since the system's start. Empty if there is no such process.
std::string StartOf(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  std::string field;
  for (int i = 0; i < 20; ++i) {
    fields >> field;
  }
  return stat.empty() ? "" : field;
}

const Holder& Me() {
  static const auto* const me = new Holder([] {
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    char pids[64] = "";  // the pid namespace
    const ssize_t size = readlink("/proc/self/ns/pid", pids, sizeof(pids) - 1);
    const std::string boot = FirstLine("/proc/sys/kernel/random/boot_id");
    const std::string pid = std::to_string(getpid());
    return Holder{std::string(name) + (boot.empty() ? "" : " " + boot + " " + (size > 0 ? pids : "")),
                  pid + " " + StartOf(pid)};
  }());
  return *me;
}

// Each renewal writes another text, so it gives the object another etag.
std::string TextOf(const std::string& id, const std::string& note) {
  static std::atomic<uint64_t> renewals{0};
  return "rocksdb-backup lease 1\n" + Me().machine + "\n" + Me().process + "\n" + id + "\n" +
         std::to_string(++renewals) + "\n" + note + "\n";
}

struct Lines {
  std::string machine;
  std::string process;
  std::string id;
  std::string note;
};

// The ids of the leases that this process has or is about to take.
class LiveIds {
 public:
  void Add(const std::string& id) {
    const std::lock_guard lock(mutex_);
    ids_.insert(id);
  }
  void Remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    ids_.erase(id);
  }
  bool Has(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return ids_.contains(id);
  }

 private:
  std::mutex mutex_;
  std::set<std::string> ids_;
};

// Never destroyed, because threads may outlive main().
LiveIds& TheLiveIds() {
  static auto* const ids = new LiveIds;
  return *ids;
}

Lines Parse(const std::string& text) {
  std::istringstream lines(text);
  std::string title;
  Lines parsed;
  std::getline(lines, title);
  std::getline(lines, parsed.machine);
  std::getline(lines, parsed.process);
  std::getline(lines, parsed.id);
  std::getline(lines, title);  // the number of the renewal
  std::getline(lines, parsed.note);
  return parsed;
}

std::string Described(const Lines& lines) {
  return "process " + lines.process.substr(0, lines.process.find(' ')) + " on " +
         lines.machine.substr(0, lines.machine.find(' '));
}

enum class Seen { kAlive, kDead, kUnknown };

Seen LookAtHolder(const Lines& lines) {
  if (lines.machine != Me().machine || Me().machine.find(' ') == std::string::npos) {
    return Seen::kUnknown;
  }
  if (lines.process == Me().process) {
    return TheLiveIds().Has(lines.id) ? Seen::kAlive : Seen::kDead;
  }
  const size_t space = lines.process.find(' ');
  const std::string pid = lines.process.substr(0, space);
  return space != std::string::npos && StartOf(pid) == lines.process.substr(space + 1) ? Seen::kAlive : Seen::kDead;
}

// Since when this process has seen a lease with its present text, by the store's identity and its key. Not its etag: a
// store may have none, and a time of a whole second in its place.
class Sightings {
 public:
  // How long it has been unchanged.
  Clock::duration Note(const std::string& what, const std::string& text) {
    const std::lock_guard lock(mutex_);
    auto& [seen, since] = all_[what];
    if (seen != text) {
      seen = text;
      since = Clock::now();
    }
    return Clock::now() - since;
  }
  void Forget(const std::string& what) {
    const std::lock_guard lock(mutex_);
    all_.erase(what);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::pair<std::string, Clock::time_point>> all_;
};

// Never destroyed, as above.
Sightings& TheSightings() {
  static auto* const sightings = new Sightings;
  return *sightings;
}

// `stopped` may be empty.
StoreAnswer Do(ObjectStore& store, StoreRequest request, const std::function<bool()>& stopped) {
  return Ask(store, std::move(request),
             [&] { return stopped && stopped() ? std::optional(StoreAnswer::Stopped()) : std::nullopt; });
}

// Deletes a lease that nobody needs any more. If that fails, the next who wants it waits until it is stale. So it is
// worth some patience, but not if somebody waits for the end of a stopped operation.
void DeleteLease(ObjectStore& store, const std::string& key, const std::function<bool()>& stopped) {
  const Clock::time_point until = Clock::now() + (stopped && stopped() ? kPatienceAfterStop : std::chrono::seconds(5));
  (void)Do(store, {.kind = Kind::kDelete, .keys = {key}}, [until] { return Clock::now() >= until; });
}

// Between two looks at a lease, or two tries to take it. False if nobody waits for it any more.
bool Pause(const LeaseTimes& times, const std::function<bool()>& stopped) {
  const auto end = Clock::now() + std::min<Clock::duration>(times.renewal / 10, std::chrono::seconds(1));
  while (Clock::now() < end && !(stopped && stopped())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return !(stopped && stopped());
}

// How often somebody else may take a lease and be gone when it is looked at. More often, the store tells what is not
// so.
constexpr int kMostLostRaces = 10;

struct Found {
  bool there = false;
  bool stale = false;
  bool changed = false;
  std::string etag;
  std::string text;
  std::string holder;
  std::string note;
};

// Reads a lease of somebody. `found` has what was found before.
Error LookAtLease(ObjectStore& store, const LeaseTimes& times, const std::string& key,
                  const std::function<bool()>& stopped, Found* found) {
  const StoreAnswer read = Do(store, {.kind = Kind::kGet, .key = key}, stopped);
  const std::string what = store.identity() + "/" + key;
  const std::string before = found->text;
  *found = {};
  if (read.failure == StoreFailure::kNotFound) {
    TheSightings().Forget(what);
    return Error();
  }
  if (!read.ok()) {
    return RequestError(store, read, "looking at the lease", key);
  }
  const Lines lines = Parse(read.bytes);
  const Seen seen = LookAtHolder(lines);
  found->there = true;
  found->changed = !before.empty() && before != read.bytes;
  found->etag = read.etag;
  found->text = read.bytes;
  found->holder = Described(lines);
  found->note = lines.note;
  found->stale = seen == Seen::kDead || TheSightings().Note(what, read.bytes) >= times.lifetime;
  if (seen == Seen::kAlive && !found->stale) {
    found->changed = true;  // no need to wait for its next renewal
  }
  return Error();
}

// Looks until it is known whether somebody has the lease, if the request wants to know.
Error LookUntilKnown(ObjectStore& store, const LeaseTimes& times, const Lease::Request& request, Found* found) {
  const Clock::time_point until = Clock::now() + times.lifetime + times.renewal;
  for (;;) {
    Error error = LookAtLease(store, times, request.key, request.stopped, found);
    if (!error.ok() || !found->there || found->stale || found->changed ||
        request.if_unknown == Lease::IfUnknown::kGiveUp || Clock::now() >= until) {
      return error;
    }
    if (!Pause(times, request.stopped)) {
      return RequestError(store, StoreAnswer::Stopped(), "looking at the lease", request.key);
    }
  }
}

}  // namespace

Lease::Lease(std::shared_ptr<ObjectStore> store, const LeaseTimes& times, const Request& request, std::string id,
             std::string etag, Clock::time_point begun)
    : store_(std::move(store)),
      times_(times),
      key_(request.key),
      id_(std::move(id)),
      stopped_(request.stopped),
      etag_(std::move(etag)),
      note_(request.note),
      good_until_(begun + times.lifetime * 2 / 3),
      thread_([this] { KeepAlive(); }) {}

Error Lease::Take(const std::shared_ptr<ObjectStore>& store, const LeaseTimes& times, const Request& request,
                  std::unique_ptr<Lease>* lease, std::string* holder) {
  const std::string id = NewUniqueId();
  struct Registration {
    const std::string& id;
    bool taken = false;
    explicit Registration(const std::string& registered) : id(registered) { TheLiveIds().Add(id); }
    ~Registration() {
      if (!taken) {
        TheLiveIds().Remove(id);
      }
    }
  } registration(id);
  Found found;
  for (int lost_races = 0;;) {
    const Clock::time_point begun = Clock::now();
    const bool takes_over = found.there && found.stale;
    if (!found.there || takes_over) {
      const StoreAnswer put = Do(*store,
                                 {.kind = Kind::kPut,
                                  .key = request.key,
                                  .bytes = std::make_shared<const std::string>(TextOf(id, request.note)),
                                  .if_absent = !takes_over,
                                  .if_match = takes_over ? found.etag : ""},
                                 request.stopped);
      if (put.ok()) {
        registration.taken = true;
        lease->reset(new Lease(store, times, request, id, put.etag, begun));
        return Error();
      }
      // Somebody else was faster, or the stale lease that was to be replaced is gone.
      const bool changed =
          put.failure == StoreFailure::kConditionFailed || (takes_over && put.failure == StoreFailure::kNotFound);
      if (!changed || ++lost_races == kMostLostRaces) {
        return RequestError(*store, put, "taking the lease", request.key);
      }
      if (lost_races > 1 && !Pause(times, request.stopped)) {
        return RequestError(*store, StoreAnswer::Stopped(), "taking the lease", request.key);
      }
    }
    if (Error error = LookUntilKnown(*store, times, request, &found); !error.ok()) {
      return error;
    }
    if (found.there && !found.stale) {
      *holder = found.holder;
      return Error();
    }
  }
}

Error Lease::IsLive(const std::shared_ptr<ObjectStore>& store, const LeaseTimes& times, const Request& request,
                    bool* live, std::string* holder, std::string* note) {
  Found found;
  if (Error error = LookUntilKnown(*store, times, request, &found); !error.ok()) {
    return error;
  }
  *live = found.there && !found.stale;
  *holder = found.holder;
  if (note != nullptr) {
    *note = found.note;
  }
  if (found.there && found.stale) {
    DeleteLease(*store, request.key, request.stopped);
  }
  return Error();
}

Lease::~Lease() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (StillHeld().ok()) {
    DeleteLease(*store_, key_, stopped_);
  }
  TheLiveIds().Remove(id_);
}

Error Lease::StillHeld() {
  const std::lock_guard lock(mutex_);
  if (lost_.empty() && Clock::now() < good_until_) {
    return Error();
  }
  return Error("LOCK_LOST", "the lease " + store_->name() + "/" + key_ +
                                " was lost: " + (lost_.empty() ? "it could not be renewed in time" : lost_) +
                                ". Others may be at work there by now")
      .With("path", store_->name() + "/" + key_)
      .Advise(advice_on_loss_);
}

void Lease::Settle(const std::string& text, const std::function<bool()>& in_vain, StoreAnswer* put) {
  StoreAnswer there = Do(*store_, {.kind = Kind::kGet, .key = key_}, in_vain);
  if (!there.ok() || Parse(there.bytes).id != id_) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (there.bytes == text) {
    *put = StoreAnswer();  // an earlier try has succeeded, and its answer was lost
    put->etag = std::move(there.etag);
  } else {
    lost_ = "the store does not replace it on the condition that it is unchanged (If-Match), although it is";
    advice_on_loss_ = "singleWriter";
  }
}

Error Lease::Renew() {
  const std::lock_guard renewing(renewing_);
  std::string etag;
  std::string note;
  {
    const std::lock_guard lock(mutex_);
    etag = etag_;
    note = note_;
  }
  const Clock::time_point begun = Clock::now();
  const auto text = std::make_shared<const std::string>(TextOf(id_, note));
  const auto in_vain = [this, begun] {
    const bool nobody_waits = stopped_ && stopped_() && Clock::now() > begun + kPatienceAfterStop;
    return nobody_waits || ending() || !StillHeld().ok();
  };
  StoreAnswer put = Do(*store_, {.kind = Kind::kPut, .key = key_, .bytes = text, .if_match = etag}, in_vain);
  if (put.failure == StoreFailure::kConditionFailed) {
    Settle(*text, in_vain, &put);
  }
  {
    const std::lock_guard lock(mutex_);
    if (put.ok()) {
      etag_ = put.etag;
      good_until_ = begun + times_.lifetime * 2 / 3;
    } else if (lost_.empty() &&
               (put.failure == StoreFailure::kConditionFailed || put.failure == StoreFailure::kNotFound)) {
      lost_ = "another process took it over, or somebody deleted it";
    }
  }
  if (Error error = StillHeld(); !error.ok()) {
    return error;
  }
  return put.ok() ? Error() : RequestError(*store_, put, "renewing the lease", key_);
}

Error Lease::SetNote(std::string note) {
  {
    const std::lock_guard lock(mutex_);
    note_ = std::move(note);
  }
  return Renew();
}

bool Lease::ending() {
  const std::lock_guard lock(mutex_);
  return ending_;
}

void Lease::KeepAlive() {
  std::unique_lock lock(mutex_);
  Clock::duration pause = times_.renewal;
  while (!changed_.wait_for(lock, pause, [this] { return ending_; })) {
    lock.unlock();
    const Error error = Renew();
    lock.lock();
    if (error.code() == "LOCK_LOST") {
      return;
    }
    pause = error.ok() ? times_.renewal : times_.renewal / 10;
  }
}

}  // namespace rocksdb_backup
