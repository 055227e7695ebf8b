#include "napi/runtime/at_exit.h"

#include <cstdlib>

// exit() destroys static objects in the reverse order of their making, and RocksDB makes many only when it first needs
// them: those would go before any handler that was registered earlier, while our threads and RocksDB's own are still at
// work. So whatever in this library registers a destructor ends up here, and is forgotten. The library is never
// unloaded, and the system takes its memory back (deps/check-binary.mjs asserts that nothing registers elsewhere).
#ifndef _WIN32
// NOLINTNEXTLINE(bugprone-reserved-identifier): the compiler calls it by this name
extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
#endif

namespace rocksdb_backup {

void AtExit(void (*handler)()) {
#ifdef __GLIBC__
  // Its atexit() is linked into every library, and calls the function above.
  on_exit([](int, void* function) { reinterpret_cast<void (*)()>(function)(); }, reinterpret_cast<void*>(handler));
#else
  std::atexit(handler);
#endif
}

}  // namespace rocksdb_backup
