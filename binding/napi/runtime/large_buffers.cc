// Where large buffers begin. RocksDB's engine copies files through `new char[5 MiB]`, which malloc makes 16 bytes
// behind the beginning of a page. The kernel's copy from the page cache, which begins at one, then reads 16 bytes
// before what it has just written, as far as the low 12 bits of the addresses tell, and the processor waits for itself:
// half as fast, and a quarter more processor time for a whole restore. A C++ program of its own is spared that by
// chance, when its heap happens to give another place. Here large arrays begin with a page.
//
// And they are used again. glibc takes memory of this size from the kernel, page fault by page fault, until it has
// freed a piece that was as large: then its heap keeps such pieces. What posix_memalign() gives is a page smaller than
// what it asks the heap for, so it would be taken from the kernel each time: 1,280 page faults for every file.

#if !defined(_WIN32) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t kLarge = std::size_t{1} << 20;
constexpr std::size_t kPage = 4096;

// Has the heap keep pieces of this size from now on.
void LetHeapKeep(std::size_t size) {
  static std::atomic<std::size_t> kept{0};
  std::size_t before = kept.load(std::memory_order_relaxed);
  if (size > before && kept.compare_exchange_strong(before, size, std::memory_order_relaxed)) {
    void* volatile piece = std::malloc(size);  // volatile: a compiler may leave out a malloc that is freed at once
    std::free(piece);
  }
}

}  // namespace

// What it gives is freed by the library's own delete, which calls free().
void* operator new[](std::size_t size) {
  if (size < kLarge) {
    return ::operator new(size);
  }
  LetHeapKeep(2 * size);  // glibc gives back what lies unused at the end of its heap beyond twice that
  void* memory = nullptr;
  if (posix_memalign(&memory, kPage, size) != 0) {
    throw std::bad_alloc();
  }
  return memory;
}

#endif
