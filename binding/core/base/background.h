#pragma once

#include <functional>

namespace rocksdb_backup {

// Runs `work` on a thread of our own. Long operations live here and not on libuv's pool, for two reasons: they never
// keep file system calls or DNS waiting, and Node waits for pool work before it runs an ending Worker's clean-up hooks,
// so a backup on the pool could not be told to stop. At most `kMaxBackgroundThreads` run at once; the rest wait in
// order. Threads end when idle. Does not block the caller, unless the system has no thread left to give.
void RunInBackground(std::function<void()> work);

inline constexpr int kMaxBackgroundThreads = 32;

}  // namespace rocksdb_backup
