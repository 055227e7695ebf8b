/* Lets an addon that is built on a new glibc run on an old one: GLIBC_2.28, which is what node's own binaries ask for.
 *
 * The linker's --wrap sends every reference to the functions below, those of libstdc++.a included, to the __wrap_ functions
 * here, and they call the function's older version, or do its work. deps/addon.cmake reads their names out of this file;
 * deps/check-binary.mjs asserts the result. Compiled for glibc only.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The first glibc of each architecture. Its symbols are found in libc, libpthread, libm or libdl, wherever that glibc has
 * them: node has loaded all four. */
#if defined(__x86_64__)
#define BASE "GLIBC_2.2.5"
#define SETNAME "GLIBC_2.12"
#define STATAT "GLIBC_2.4"
#elif defined(__aarch64__)
#define BASE "GLIBC_2.17"
#define SETNAME "GLIBC_2.17"
#define STATAT "GLIBC_2.17"
#else
#error "state this architecture's first glibc version here"
#endif

/* The old version of name, called old_name here. */
#define OLD(name, version) __asm__(".symver old_" #name "," #name "@" version)

/* result __wrap_name(parameters) { return old_name(arguments); } */
#define FORWARD_VERSION(version, result, name, parameters, arguments) \
  OLD(name, version);                                                 \
  extern result old_##name parameters;                                \
  result __wrap_##name parameters;                                    \
  result __wrap_##name parameters { return old_##name arguments; }
#define FORWARD(...) FORWARD_VERSION(BASE, __VA_ARGS__)

/* 2.34 moved libpthread and libdl into libc, under new versions. */
FORWARD(int, pthread_create, (pthread_t * t, const pthread_attr_t* a, void* (*f)(void*), void* p), (t, a, f, p))
FORWARD(int, pthread_join, (pthread_t t, void** r), (t, r))
FORWARD(int, pthread_detach, (pthread_t t), (t))
FORWARD(int, pthread_once, (pthread_once_t * o, void (*f)(void)), (o, f))
FORWARD(int, pthread_key_create, (pthread_key_t * k, void (*f)(void*)), (k, f))
FORWARD(int, __pthread_key_create, (pthread_key_t * k, void (*f)(void*)), (k, f))
FORWARD(int, pthread_key_delete, (pthread_key_t k), (k))
FORWARD(void*, pthread_getspecific, (pthread_key_t k), (k))
FORWARD(int, pthread_setspecific, (pthread_key_t k, const void* p), (k, p))
FORWARD(int, pthread_kill, (pthread_t t, int s), (t, s))
FORWARD(int, pthread_mutex_trylock, (pthread_mutex_t * m), (m))
FORWARD(int, pthread_mutex_timedlock, (pthread_mutex_t * m, const struct timespec* t), (m, t))
FORWARD(int, pthread_mutexattr_init, (pthread_mutexattr_t * a), (a))
FORWARD(int, pthread_mutexattr_destroy, (pthread_mutexattr_t * a), (a))
FORWARD(int, pthread_mutexattr_settype, (pthread_mutexattr_t * a, int t), (a, t))
FORWARD(int, pthread_rwlock_init, (pthread_rwlock_t * l, const pthread_rwlockattr_t* a), (l, a))
FORWARD(int, pthread_rwlock_destroy, (pthread_rwlock_t * l), (l))
FORWARD(int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l))
FORWARD(int, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l))
FORWARD(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t * l), (l))
FORWARD(int, pthread_rwlock_trywrlock, (pthread_rwlock_t * l), (l))
FORWARD(int, pthread_rwlock_unlock, (pthread_rwlock_t * l), (l))
FORWARD(int, pthread_attr_setstacksize, (pthread_attr_t * a, size_t s), (a, s))
FORWARD_VERSION(SETNAME, int, pthread_setname_np, (pthread_t t, const char* n), (t, n))
FORWARD_VERSION(SETNAME, int, pthread_getname_np, (pthread_t t, char* n, size_t s), (t, n, s))
/* 2.32 */
FORWARD(int, pthread_sigmask, (int h, const sigset_t* s, sigset_t* o), (h, s, o))
FORWARD(void*, dlopen, (const char* f, int m), (f, m))
FORWARD(int, dlclose, (void* h), (h))
FORWARD(void*, dlsym, (void* h, const char* n), (h, n))
FORWARD(char*, dlerror, (void), ())
FORWARD(int, dladdr, (const void* a, Dl_info* i), (a, i))

/* 2.29 differs only in leaving errno to the caller, in what used to be called SVID error handling. */
FORWARD(double, exp, (double x), (x))
FORWARD(double, log, (double x), (x))
FORWARD(double, log2, (double x), (x))
FORWARD(double, pow, (double x, double y), (x, y))

/* 2.33 made functions of what were inline calls of these, with the version of struct stat. */
#if defined(__x86_64__)
#define STAT_VERSION 1
#else
#define STAT_VERSION 0
#endif
#define STAT(name, parameters, old, old_parameters, arguments) \
  STAT_OF(BASE, name, parameters, old, old_parameters, arguments)
#define STAT_OF(version, name, parameters, old, old_parameters, arguments) \
  OLD(old, version);                                                       \
  extern int old_##old old_parameters;                                     \
  int __wrap_##name parameters;                                            \
  int __wrap_##name parameters { return old_##old arguments; }
STAT(stat, (const char* p, struct stat* s), __xstat, (int v, const char* p, struct stat* s), (STAT_VERSION, p, s))
STAT(stat64, (const char* p, struct stat64* s), __xstat64, (int v, const char* p, struct stat64* s), (STAT_VERSION, p, s))
STAT(lstat, (const char* p, struct stat* s), __lxstat, (int v, const char* p, struct stat* s), (STAT_VERSION, p, s))
STAT(lstat64, (const char* p, struct stat64* s), __lxstat64, (int v, const char* p, struct stat64* s), (STAT_VERSION, p, s))
STAT(fstat, (int f, struct stat* s), __fxstat, (int v, int f, struct stat* s), (STAT_VERSION, f, s))
STAT(fstat64, (int f, struct stat64* s), __fxstat64, (int v, int f, struct stat64* s), (STAT_VERSION, f, s))
STAT_OF(STATAT, fstatat, (int f, const char* p, struct stat* s, int g), __fxstatat,
        (int v, int f, const char* p, struct stat* s, int g), (STAT_VERSION, f, p, s, g))
STAT_OF(STATAT, fstatat64, (int f, const char* p, struct stat64* s, int g), __fxstatat64,
        (int v, int f, const char* p, struct stat64* s, int g), (STAT_VERSION, f, p, s, g))

/* 2.30: waits by a clock of choice. What libstdc++ did before: the rest of the time, on the real-time clock. A clock that
 * jumps ends a wait early or late, and all callers of these look at their own clock again. */
static struct timespec on_realtime(clockid_t clock, const struct timespec* until) {
  struct timespec now_there;
  struct timespec now_here;
  struct timespec result;
  clock_gettime(clock, &now_there);
  clock_gettime(CLOCK_REALTIME, &now_here);
  result.tv_sec = until->tv_sec - now_there.tv_sec + now_here.tv_sec;
  result.tv_nsec = until->tv_nsec - now_there.tv_nsec + now_here.tv_nsec;
  for (; result.tv_nsec < 0; result.tv_nsec += 1000000000) result.tv_sec--;
  for (; result.tv_nsec >= 1000000000; result.tv_nsec -= 1000000000) result.tv_sec++;
  return result;
}
int __wrap_pthread_cond_clockwait(pthread_cond_t* c, pthread_mutex_t* m, clockid_t clock, const struct timespec* until);
int __wrap_pthread_cond_clockwait(pthread_cond_t* c, pthread_mutex_t* m, clockid_t clock, const struct timespec* until) {
  struct timespec t = on_realtime(clock, until);
  return pthread_cond_timedwait(c, m, &t);
}
int __wrap_pthread_mutex_clocklock(pthread_mutex_t* m, clockid_t clock, const struct timespec* until);
int __wrap_pthread_mutex_clocklock(pthread_mutex_t* m, clockid_t clock, const struct timespec* until) {
  struct timespec t = on_realtime(clock, until);
  return old_pthread_mutex_timedlock(m, &t);
}
/* 2.30 */
pid_t __wrap_gettid(void);
pid_t __wrap_gettid(void) { return (pid_t)syscall(SYS_gettid); }

/* 2.36: libstdc++'s random_device. */
uint32_t __wrap_arc4random(void);
uint32_t __wrap_arc4random(void) {
  uint32_t value;
  while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value) {
  }
  return value;
}

/* 2.32: a variable, which lets shared_ptr leave out its atomics before the first thread. We always have threads. */
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;

/* 2.35: how libgcc's unwinder finds an object's exception tables. This is how it found them before. */
#ifdef DLFO_STRUCT_HAS_EH_DBASE
struct search {
  uintptr_t pc;
  struct dl_find_object* found;
};
static int visit_object(struct dl_phdr_info* info, size_t size, void* data) {
  struct search* search = (struct search*)data;
  const ElfW(Phdr)* tables = NULL;
  uintptr_t start = UINTPTR_MAX;
  uintptr_t end = 0;
  int inside = 0;
  int i;
  (void)size;
  for (i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr)* header = &info->dlpi_phdr[i];
    uintptr_t from = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_LOAD) {
      if (search->pc - from < header->p_memsz) inside = 1;
      if (from < start) start = from;
      if (from + header->p_memsz > end) end = from + header->p_memsz;
    } else if (header->p_type == PT_GNU_EH_FRAME) {
      tables = header;
    }
  }
  if (!inside) return 0;
  if (!tables) return 2;
  search->found->dlfo_flags = 0;
  search->found->dlfo_map_start = (void*)start;
  search->found->dlfo_map_end = (void*)end;
  search->found->dlfo_link_map = NULL;
  search->found->dlfo_eh_frame = (void*)(info->dlpi_addr + tables->p_vaddr);
#if DLFO_STRUCT_HAS_EH_DBASE
  search->found->dlfo_eh_dbase = NULL;
#endif
  return 1;
}
int __wrap__dl_find_object(void* address, struct dl_find_object* result);
int __wrap__dl_find_object(void* address, struct dl_find_object* result) {
  struct search search = {(uintptr_t)address, result};
  return dl_iterate_phdr(visit_object, &search) == 1 ? 0 : -1;
}
#endif
