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

// A native object that several handles, in several threads, share: a database, a backup repository.
//
//   Open -> Closing -> Closed
//
// Every JS object is one handle (AddHandle, RemoveHandle). Every operation holds a Lease from before it is queued until
// it ended, also when its completion is skipped. The last handle that goes makes the resource Closing: no new leases,
// Stop() asks what runs to end. The last lease that goes makes it Closed: Free() runs on a background thread, never on
// a JS thread, and then everybody who waited is told. There is no timeout anywhere.
class Resource : public std::enable_shared_from_this<Resource> {
 public:
  using Done = std::function<void(const Error&)>;

  // Keeps the resource usable while it lives. Empty when the resource was not open any more.
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

  // Names this object in every thread of the process, for as long as it is open.
  const std::string& token() const { return token_; }

  Lease Acquire();

  // False when the resource is closing or closed.
  bool AddHandle();

  // `done` (may be empty) is called when this handle is gone and, if it was the last, when the resource is closed. It
  // runs on a background thread, or on this one when there is nothing to wait for.
  void RemoveHandle(Done done);

  // Calls `stop` once when the resource starts closing, unless what is returned was dropped before: how an operation
  // that leases several resources learns that one of them wants to close. `stop` must not block.
  [[nodiscard]] std::shared_ptr<void> WhenClosing(std::function<void()> stop);

  // Waits until the resource is closed if it is closing; returns at once while other handles keep it open. For clean-up
  // hooks only: everywhere else RemoveHandle tells.
  void WaitIfClosing();

 protected:
  // Asks running operations to end soon. Called once, with no lock held; must not block.
  virtual void Stop() {}
  // Frees everything. Called once, with no lease out, on a background thread.
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

// The open resource of that token, or null. The caller adds a handle to it, or takes a lease.
std::shared_ptr<Resource> FindResource(const std::string& token);

// Makes a resource findable by its token from now until it closes.
void RegisterResource(const std::shared_ptr<Resource>& resource);

}  // namespace rocksdb_backup
