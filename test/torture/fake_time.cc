// Loaded before libc into a process whose wall clock is to say something else:
// what the file that TORTURE_TIME names says, in milliseconds since 1970,
// mapped, so that it can be changed at any time; 0 is the real time. Monotonic
// clocks go on as they are.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

std::atomic<int64_t>* set_time = nullptr;

__attribute__((constructor)) void ReadTime() {
  const char* path = getenv("TORTURE_TIME");
  const int fd = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (fd >= 0) {
    void* mapped = mmap(nullptr, sizeof(*set_time), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    set_time = mapped == MAP_FAILED ? nullptr : static_cast<std::atomic<int64_t>*>(mapped);
    close(fd);
  }
}

int64_t SetTime() { return set_time == nullptr ? 0 : set_time->load(); }

// Of a time before 1970 as well, the part below a second counts up.
int64_t SecondsOf(int64_t ms) { return (ms - ((ms % 1000 + 1000) % 1000)) / 1000; }

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, struct timespec* result) noexcept {
  static const auto real = reinterpret_cast<int (*)(clockid_t, struct timespec*)>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int64_t ms = SetTime();
  if (ms == 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) {
    return real(clock, result);
  }
  result->tv_sec = SecondsOf(ms);
  result->tv_nsec = (ms - result->tv_sec * 1000) * 1000000;
  return 0;
}

int gettimeofday(struct timeval* result, void*) noexcept {
  struct timespec now;
  const int status = clock_gettime(CLOCK_REALTIME, &now);
  result->tv_sec = now.tv_sec;
  result->tv_usec = now.tv_nsec / 1000;
  return status;
}

time_t time(time_t* result) noexcept {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) {
    *result = now.tv_sec;
  }
  return now.tv_sec;
}

}  // extern "C"
