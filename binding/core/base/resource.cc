#include "core/base/resource.h"

#include <atomic>
#include <random>
#include <unordered_map>
#include <utility>

#include "core/base/background.h"

namespace rocksdb_backup {
namespace {

// The only process-wide table. Its pointers are weak, so a token keeps nothing open. It is never destroyed, because
// threads may outlive main().
struct Registry {
  std::mutex mutex;
  std::unordered_map<std::string, std::weak_ptr<Resource>> by_token;
};

Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

void Unregister(const std::string& token) {
  const std::lock_guard lock(TheRegistry().mutex);
  TheRegistry().by_token.erase(token);
}

// The token has a random part. So a token kept from another process, or from before a restart, never names the wrong
// object.
std::string NewToken(const char* kind) {
  static std::atomic<uint64_t> counter{0};
  static const uint64_t salt = (static_cast<uint64_t>(std::random_device{}()) << 32) | std::random_device{}();
  char text[64];
  snprintf(text, sizeof(text), "%s-%016llx-%llu", kind, static_cast<unsigned long long>(salt),
           static_cast<unsigned long long>(++counter));
  return text;
}

}  // namespace

std::shared_ptr<Resource> FindResource(const std::string& token) {
  const std::lock_guard lock(TheRegistry().mutex);
  auto found = TheRegistry().by_token.find(token);
  return found == TheRegistry().by_token.end() ? nullptr : found->second.lock();
}

void RegisterResource(const std::shared_ptr<Resource>& resource) {
  const std::lock_guard lock(TheRegistry().mutex);
  TheRegistry().by_token[resource->token()] = resource;
}

Resource::Lease& Resource::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Release();
    resource_ = std::move(other.resource_);
  }
  return *this;
}

Resource::Lease::~Lease() { Release(); }

void Resource::Lease::Release() {
  if (auto resource = std::exchange(resource_, nullptr)) {
    resource->ReleaseLease();
  }
}

Resource::Resource(const char* kind) : token_(NewToken(kind)) {}

Resource::~Resource() { Unregister(token_); }

Resource::Lease Resource::Acquire() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kOpen) {
    return Lease();
  }
  ++leases_;
  return Lease(shared_from_this());
}

bool Resource::AddHandle() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kOpen) {
    return false;
  }
  ++handles_;
  return true;
}

void Resource::RemoveHandle(Done done) {
  bool free_now = false;
  {
    std::unique_lock lock(mutex_);
    if (--handles_ > 0) {
      lock.unlock();
      if (done) {
        done(Error());
      }
      return;
    }
    state_ = State::kClosing;
    if (done) {
      waiting_.push_back(std::move(done));
    }
    ++leases_;  // our own lease until Stop() has returned: Free() must not run at the same time
  }
  Unregister(token_);
  Stop();
  decltype(stops_) stops;
  {
    const std::lock_guard lock(mutex_);
    stops.swap(stops_);
  }
  for (const auto& [id, stop] : stops) {
    stop();
  }
  {
    const std::lock_guard lock(mutex_);
    free_now = --leases_ == 0;
  }
  if (free_now) {
    ScheduleFree();
  }
}

std::shared_ptr<void> Resource::WhenClosing(std::function<void()> stop) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kOpen) {
      const uint64_t id = ++last_stop_;
      stops_.emplace(id, std::move(stop));
      return std::shared_ptr<void>(nullptr, [self = weak_from_this(), id](void*) {
        if (const auto resource = self.lock()) {
          const std::lock_guard relock(resource->mutex_);
          resource->stops_.erase(id);
        }
      });
    }
  }
  stop();
  return nullptr;
}

void Resource::WaitIfClosing() {
  std::unique_lock lock(mutex_);
  closed_.wait(lock, [this] { return state_ != State::kClosing; });
}

bool Resource::IsBusy() {
  const std::lock_guard lock(mutex_);
  return leases_ > 1;  // one is that of Stop() itself
}

void Resource::ReleaseLease() {
  bool free_now = false;
  {
    const std::lock_guard lock(mutex_);
    free_now = --leases_ == 0 && state_ == State::kClosing;
  }
  if (free_now) {
    ScheduleFree();
  }
}

void Resource::ScheduleFree() {
  RunInBackground([self = shared_from_this()] {
    const Error error = self->Free();
    std::vector<Done> waiting;
    {
      const std::lock_guard lock(self->mutex_);
      self->state_ = State::kClosed;
      waiting.swap(self->waiting_);
      self->closed_.notify_all();
    }
    for (const auto& done : waiting) {
      done(error);
    }
  });
}

}  // namespace rocksdb_backup
