#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace rocksdb_backup {

// A native object that several handles in several threads share: a database, or a backup repository.
//
//   Open -> Closing -> Closed
//
// Each JS object is one handle (AddHandle, RemoveHandle). Each operation holds a Lease from before it is queued until
// it has ended, even if its completion is skipped. When the last handle is removed, the resource becomes Closing: it
// gives out no new leases, and Stop() asks running operations to end. When the last lease is released, the resource is
// freed: Free() runs on a background thread, never on a JS thread. Then the resource is Closed, and every caller that
// waits for it is told. There is no timeout anywhere.
class Resource : public std::enable_shared_from_this<Resource> {
 public:
  using Done = std::function<void(const Error&)>;

  // Keeps the resource usable while the lease lives. Empty if the resource was no longer open.
  class [[nodiscard]] Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept : resource_(std::move(other.resource_)) {}
    Lease& operator=(Lease&& other) noexcept;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    explicit operator bool() const { return resource_ != nullptr; }
    void Release();

   private:
    friend class Resource;
    explicit Lease(std::shared_ptr<Resource> resource) : resource_(std::move(resource)) {}
    std::shared_ptr<Resource> resource_;
  };

  explicit Resource(const char* kind);
  virtual ~Resource();
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  // The token names this object for all threads of the process, as long as the object is open.
  const std::string& token() const { return token_; }

  Lease Acquire();

  // False if the resource is closing or closed.
  bool AddHandle();

  // Removes one handle. `done` may be empty. If other handles remain, `done` is called at once, on this thread. If this
  // was the last handle, `done` is called when the resource is closed, on a background thread.
  void RemoveHandle(Done done);

  // Calls `stop` once when the resource starts closing, or at once if it is closing already. Dropping the returned
  // pointer before that cancels the call. An operation that leases several resources learns in this way that one of
  // them wants to close. `stop` must not block.
  [[nodiscard]] std::shared_ptr<void> WhenClosing(std::function<void()> stop);

  // If the resource is closing, waits until it is closed. Returns at once while other handles keep it open. Only for
  // clean-up hooks: all other code uses `done` of RemoveHandle.
  void WaitIfClosing();

 protected:
  // Asks running operations to end soon. Called once, with no lock held. Must not block.
  virtual void Stop() {}
  // For Stop(): whether operations run.
  bool IsBusy();
  // Frees everything. Called once, on a background thread, when no lease is left.
  virtual Error Free() = 0;

 private:
  void ReleaseLease();
  void ScheduleFree();

  const std::string token_;
  std::mutex mutex_;
  std::condition_variable closed_;
  enum class State { kOpen, kClosing, kClosed } state_ = State::kOpen;
  int handles_ = 0;
  int leases_ = 0;
  std::vector<Done> waiting_;
  std::map<uint64_t, std::function<void()>> stops_;
  uint64_t last_stop_ = 0;
};

// The open resource with this token, or null. The caller must add a handle to it or acquire a lease.
std::shared_ptr<Resource> FindResource(const std::string& token);

// Makes a resource findable by its token, from now until it closes.
void RegisterResource(const std::shared_ptr<Resource>& resource);

}  // namespace rocksdb_backup
