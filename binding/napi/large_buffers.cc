// Where large buffers begin. RocksDB's engine copies files through `new char[5 MiB]`, which malloc makes 16 bytes
// behind the beginning of a page. The kernel's copy from the page cache, which begins at one, then reads 16 bytes
// before what it has just written, as far as the low 12 bits of the addresses tell, and the processor waits for itself:
// half as fast, and a quarter more processor time for a whole restore. A C++ program of its own is spared that by
// chance, when its heap happens to give another place. Here large arrays begin with a page.

#if !defined(_WIN32) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t kLarge = std::size_t{1} << 20;
constexpr std::size_t kPage = 4096;

}  // namespace

// What it gives is freed by the library's own delete, which calls free().
void* operator new[](std::size_t size) {
  if (size < kLarge) {
    return ::operator new(size);
  }
  void* memory = nullptr;
  if (posix_memalign(&memory, kPage, size) != 0) {
    throw std::bad_alloc();
  }
  return memory;
}

#endif
