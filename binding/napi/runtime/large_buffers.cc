// Makes large buffers begin at a page. RocksDB's BackupEngine copies files through `new char[5 MiB]`, and malloc places
// such an array 16 bytes after the beginning of a page. The kernel copies from the page cache, where the data begins at
// a page. Judged by the low 12 bits of the addresses, the copy then reads 16 bytes before what it has just written, and
// the processor waits for itself. The copy is half as fast, and a whole restore takes a quarter more processor time. A
// separate C++ program avoids this only by chance, if its heap happens to give another address. Here, large arrays
// begin at a page.
//
// The memory is also used again. glibc takes memory of this size from the kernel, page fault by page fault, until a
// piece of that size was freed. From then on its heap keeps such pieces. posix_memalign() asks the heap for a page more
// than it returns. So without LetHeapKeep(), its memory would come from the kernel each time: 1,280 page faults for
// every file.

#if !defined(_WIN32) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t kLarge = std::size_t{1} << 20;
constexpr std::size_t kPage = 4096;

// Makes the heap keep freed pieces of this size from now on.
void LetHeapKeep(std::size_t size) {
  static std::atomic<std::size_t> kept{0};
  std::size_t before = kept.load(std::memory_order_relaxed);
  if (size > before && kept.compare_exchange_strong(before, size, std::memory_order_relaxed)) {
    void* volatile piece = std::malloc(size);  // volatile: else a compiler may leave out a malloc that is freed at once
    std::free(piece);
  }
}

}  // namespace

// The memory is freed by the library's own delete, which calls free().
void* operator new[](std::size_t size) {
  if (size < kLarge) {
    return ::operator new(size);
  }
  LetHeapKeep(2 * size);  // glibc gives back what is unused at the end of its heap beyond twice that size
  void* memory = nullptr;
  if (posix_memalign(&memory, kPage, size) != 0) {
    throw std::bad_alloc();
  }
  return memory;
}

#endif
