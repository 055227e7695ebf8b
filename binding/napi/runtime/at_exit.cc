#include "napi/runtime/at_exit.h"

#include <cstdlib>

// exit() destroys static objects in the reverse order of their construction. RocksDB makes many of them only when it
// first needs them. So exit() would destroy those before it calls a handler that was registered earlier, while our
// threads and RocksDB's threads are still working. Therefore, every registration of a destructor in this library ends
// up in the function below, which ignores it. The library is never unloaded, and the operating system takes its memory
// back (deps/check-binary.mjs checks that nothing registers elsewhere).
#ifndef _WIN32
// NOLINTNEXTLINE(bugprone-reserved-identifier): the compiler calls it by this name
extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
#endif

namespace rocksdb_backup {

void AtExit(void (*handler)()) {
#ifdef __GLIBC__
  // The atexit() of glibc is linked into every library, and calls the function above.
  on_exit([](int, void* function) { reinterpret_cast<void (*)()>(function)(); }, reinterpret_cast<void*>(handler));
#else
  std::atexit(handler);
#endif
}

}  // namespace rocksdb_backup
