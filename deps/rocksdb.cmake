# RocksDB: the LIB_SOURCES of its src.mk as a unity build, with the platform definitions of its own CMakeLists.txt.

include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)
include(CheckCXXSymbolExists)
find_package(Threads REQUIRED)

# The list goes from "LIB_SOURCES =" to the next assignment.
function(rocksdb_sources result)
  file(READ "${ROCKSDB_SOURCE}/src.mk" text)
  string(REGEX MATCH "\nLIB_SOURCES =([^=]*)\n[A-Z_a-z]* *[=:?]" block "\n${text}")
  string(REGEX MATCHALL "[A-Za-z0-9_./-]+\\.cc" names "${CMAKE_MATCH_1}")
  list(TRANSFORM names PREPEND "${ROCKSDB_SOURCE}/")
  set(${result} ${names} PARENT_SCOPE)
endfunction()

rocksdb_sources(ROCKSDB_SOURCES)
list(LENGTH ROCKSDB_SOURCES count)
if(count LESS 200)
  message(FATAL_ERROR "only ${count} LIB_SOURCES found in ${ROCKSDB_SOURCE}/src.mk")
endif()

# Who built it, when and from which commit is not said, so that equal sources give equal libraries.
set(GIT_MOD 0)
file(STRINGS "${ROCKSDB_SOURCE}/include/rocksdb/version.h" version_lines REGEX "#define ROCKSDB_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^0-9;]" "" version_numbers "${version_lines}")
string(REPLACE ";" "." GIT_TAG "${version_numbers}")
set(GIT_TAG "v${GIT_TAG}")
list(FILTER ROCKSDB_SOURCES EXCLUDE REGEX "util/build_version\\.cc$")
configure_file("${ROCKSDB_SOURCE}/util/build_version.cc.in" "${CMAKE_CURRENT_BINARY_DIR}/build_version.cc" @ONLY)

if(WIN32)
  file(GLOB WIN_SOURCES "${ROCKSDB_SOURCE}/port/win/*.cc")
  list(FILTER WIN_SOURCES EXCLUDE REGEX "(xpress_win|win_jemalloc)\\.cc$")
  list(FILTER ROCKSDB_SOURCES EXCLUDE REGEX "(port/port_posix|env/env_posix|env/fs_posix|env/io_posix)\\.cc$")
  list(APPEND ROCKSDB_SOURCES ${WIN_SOURCES})
endif()

add_library(rocksdb STATIC ${ROCKSDB_SOURCES} "${CMAKE_CURRENT_BINARY_DIR}/build_version.cc")
set_target_properties(rocksdb PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
target_include_directories(rocksdb PRIVATE "${ROCKSDB_SOURCE}" "${ROCKSDB_SOURCE}/include")
target_link_libraries(rocksdb PRIVATE zstd lz4 snappy Threads::Threads)
target_compile_definitions(rocksdb PRIVATE SNAPPY LZ4 ZSTD)
if(TARGET zlib_headers)
  target_link_libraries(rocksdb PRIVATE zlib_headers)
endif()

# RTTI and exceptions stay on: binding/core derives from RocksDB's classes.
target_compile_definitions(rocksdb PRIVATE ROCKSDB_USE_RTTI ROCKSDB_NO_DYNAMIC_EXTENSION ROCKSDB_SUPPORT_THREAD_LOCAL)

if(WIN32)
  target_compile_definitions(rocksdb PRIVATE WIN32 OS_WIN _MBCS WIN64 NOMINMAX ROCKSDB_WINDOWS_UTF8_FILENAMES)
else()
  target_compile_definitions(rocksdb PRIVATE ROCKSDB_PLATFORM_POSIX ROCKSDB_LIB_IO_POSIX)
  target_compile_options(rocksdb PRIVATE -fno-builtin-memcmp)
endif()
if(APPLE)
  target_compile_definitions(rocksdb PRIVATE OS_MACOSX)
elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  target_compile_definitions(rocksdb PRIVATE OS_LINUX)
endif()
# The file of hardware CRC32C needs the instructions at compile time and asks the CPU at run time.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "arm64|aarch64|AARCH64" AND NOT MSVC)
  check_cxx_compiler_flag("-march=armv8-a+crc+crypto" HAS_ARMV8_CRC)
  if(HAS_ARMV8_CRC)
    target_compile_options(rocksdb PRIVATE -march=armv8-a+crc+crypto)
  endif()
endif()
if(SANITIZE STREQUAL "address")
  target_compile_definitions(rocksdb PRIVATE ROCKSDB_UBSAN_RUN)
endif()

# What upstream's CMakeLists.txt probes for, with its names.
function(rocksdb_probe variable definition source)
  check_cxx_source_compiles("${source}" ${variable})
  if(${variable})
    target_compile_definitions(rocksdb PRIVATE ${definition})
  endif()
endfunction()

rocksdb_probe(HAVE_FALLOCATE ROCKSDB_FALLOCATE_PRESENT "
#include <fcntl.h>
#include <linux/falloc.h>
int main() { fallocate(0, FALLOC_FL_KEEP_SIZE, 0, 1024); }")
rocksdb_probe(HAVE_SYNC_FILE_RANGE_WRITE ROCKSDB_RANGESYNC_PRESENT "
#include <fcntl.h>
int main() { sync_file_range(0, 0, 1024, SYNC_FILE_RANGE_WRITE); }")
rocksdb_probe(HAVE_PTHREAD_MUTEX_ADAPTIVE_NP ROCKSDB_PTHREAD_ADAPTIVE_MUTEX "
#include <pthread.h>
int main() { (void)PTHREAD_MUTEX_ADAPTIVE_NP; }")
rocksdb_probe(HAVE_MALLOC_USABLE_SIZE ROCKSDB_MALLOC_USABLE_SIZE "
#include <malloc.h>
int main() { return malloc_usable_size(nullptr); }")
rocksdb_probe(HAVE_SCHED_GETCPU ROCKSDB_SCHED_GETCPU_PRESENT "
#include <sched.h>
int main() { return sched_getcpu(); }")
rocksdb_probe(HAVE_AUXV_GETAUXVAL ROCKSDB_AUXV_GETAUXVAL_PRESENT "
#include <sys/auxv.h>
int main() { return getauxval(AT_HWCAP); }")
rocksdb_probe(HAVE_FULLFSYNC HAVE_FULLFSYNC "
#include <fcntl.h>
int main() { return F_FULLFSYNC; }")
