#pragma once

#include <functional>

namespace rocksdb_backup {

// Runs `work` on one of our own threads. Long operations run here and not on libuv's pool, for two reasons. Here they
// never make file system calls or DNS lookups wait. And when a Worker ends, Node waits for pool work before it runs the
// Worker's clean-up hooks, so a backup on the pool could not be told to stop. At most `kMaxBackgroundThreads` run at
// once; further work waits in order. Threads end when they are idle. The call does not block the caller, unless the
// system has no thread left to give.
void RunInBackground(std::function<void()> work);

inline constexpr int kMaxBackgroundThreads = 32;

}  // namespace rocksdb_backup
