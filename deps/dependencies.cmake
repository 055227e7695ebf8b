# Gives the target RocksDB::rocksdb, and ZLIB_LIBRARY for executables.
#
# In: SANITIZE ("", thread, address). The libraries are fetched by deps/fetch.mjs, built by deps/CMakeLists.txt at configure
# time, and kept in <cache>/libs/<key>, where the key covers versions, flags, compiler and these files. A lock file keeps two
# builds of one key apart; the result appears by rename, whole or not at all.

find_program(NODE_EXECUTABLE NAMES node nodejs REQUIRED)
set(DEPS_DIR "${CMAKE_CURRENT_LIST_DIR}")

execute_process(
  COMMAND "${NODE_EXECUTABLE}" "${DEPS_DIR}/fetch.mjs" --json
  OUTPUT_VARIABLE deps_json
  RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "The sources of RocksDB and its codecs could not be fetched; see the line above.")
endif()
set(deps_arguments "")
set(deps_key "")
foreach(name IN ITEMS rocksdb zstd lz4 snappy)
  string(JSON folder GET "${deps_json}" libraries ${name} folder)
  string(JSON version GET "${deps_json}" libraries ${name} version)
  string(JSON id GET "${deps_json}" libraries ${name} id)
  string(TOUPPER ${name} upper)
  file(TO_CMAKE_PATH "${folder}" ${upper}_SOURCE)
  set(${upper}_VERSION "${version}")
  list(APPEND deps_arguments "-D${upper}_SOURCE=${${upper}_SOURCE}")
  string(APPEND deps_key "${name} ${version} ${id}\n")
endforeach()

string(JSON DEPS_CACHE GET "${deps_json}" cache)
string(JSON NODE_INCLUDE GET "${deps_json}" headers)
file(TO_CMAKE_PATH "${DEPS_CACHE}" DEPS_CACHE)

# zlib's header is node's or the system's. Windows has no node that exports zlib.
set(ZLIB_HEADERS "")
if(NOT WIN32)
  find_path(ZLIB_HEADERS_DIR zlib.h HINTS "${NODE_INCLUDE}")
  if(ZLIB_HEADERS_DIR)
    set(ZLIB_HEADERS "${ZLIB_HEADERS_DIR}")
  endif()
  find_library(ZLIB_LIBRARY NAMES z libz.so.1)
  if(NOT ZLIB_LIBRARY AND (CORE_TESTS OR BENCH_BASELINE))
    # Nothing to link executables with.
    set(ZLIB_HEADERS "")
  endif()
endif()
if(ZLIB_HEADERS)
  file(SHA256 "${ZLIB_HEADERS}/zlib.h" zlib_hash)
  string(APPEND deps_key "zlib ${zlib_hash}\n")
else()
  message(STATUS "zlib.h not found: RocksDB is built without zlib")
endif()

set(SANITIZE_FLAGS "")
if(SANITIZE STREQUAL "thread")
  set(SANITIZE_FLAGS -fsanitize=thread)
elseif(SANITIZE STREQUAL "address")
  # vptr would need RocksDB's type information for casts that its own builds never check.
  # bool: RocksDB 9.7 copies MutableCFOptions whose default constructor leaves paranoid_memory_checks as it finds it
  # (options/cf_options.h), and sets it afterwards. Our own code is checked for it.
  set(SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize=vptr,bool -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
elseif(SANITIZE)
  message(FATAL_ERROR "SANITIZE is thread or address, not ${SANITIZE}")
endif()
# Lists cross the command line to the sub-build with this instead of a semicolon.
string(REPLACE ";" "\\;" SANITIZE_FLAGS_ARGUMENT "${SANITIZE_FLAGS}")

set(compiler_target "${CMAKE_CXX_COMPILER_TARGET}")
if(NOT MSVC AND NOT compiler_target)
  execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -dumpmachine OUTPUT_VARIABLE compiler_target OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
# cmake-js adds macros for node addons to the flags, which mean nothing to RocksDB: without them, one build of the libraries
# serves the addon and the executables.
foreach(language IN ITEMS C CXX)
  string(REGEX REPLACE "(^| )-(D|std=)[^ ]*" "" deps_${language}_flags "${CMAKE_${language}_FLAGS}")
  string(STRIP "${deps_${language}_flags}" deps_${language}_flags)
endforeach()
string(APPEND deps_key
  "compiler ${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION} ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\n"
  "target ${compiler_target} ${CMAKE_SYSTEM_NAME} ${CMAKE_SYSTEM_PROCESSOR} ${CMAKE_OSX_ARCHITECTURES} ${CMAKE_OSX_DEPLOYMENT_TARGET}\n"
  "flags ${deps_C_flags} | ${deps_CXX_flags} | ${SANITIZE_FLAGS}\n")
foreach(file IN ITEMS CMakeLists.txt rocksdb.cmake zstd.cmake lz4.cmake snappy.cmake zlib.cmake zdict_raw.c)
  file(SHA256 "${DEPS_DIR}/${file}" hash)
  string(APPEND deps_key "${file} ${hash}\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${DEPS_DIR}/${file}")
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${DEPS_DIR}/sources.json" "${DEPS_DIR}/fetch.mjs")
string(SHA256 deps_hash "${deps_key}")
string(SUBSTRING "${deps_hash}" 0 20 deps_hash)
set(label "${ROCKSDB_VERSION}")
if(SANITIZE)
  string(APPEND label "-${SANITIZE}")
endif()
# In the cache, where test/core/fuzz finds them, which is built by another compiler.
set(DEPS_PREFIX "${DEPS_CACHE}/libs/${label}-${deps_hash}" CACHE INTERNAL "")
set(DEPS_ROCKSDB_SOURCE "${ROCKSDB_SOURCE}" CACHE INTERNAL "")

function(build_dependencies)
  file(MAKE_DIRECTORY "${DEPS_CACHE}/libs")
  file(LOCK "${DEPS_PREFIX}.lock" GUARD FUNCTION)
  if(EXISTS "${DEPS_PREFIX}/key.txt")
    return()
  endif()
  if(DEFINED ENV{ROCKSDB_BACKUP_JOBS})
    set(jobs "$ENV{ROCKSDB_BACKUP_JOBS}")
  else()
    cmake_host_system_information(RESULT jobs QUERY NUMBER_OF_LOGICAL_CORES)
  endif()
  message(STATUS "Building RocksDB ${ROCKSDB_VERSION} and its codecs with ${jobs} jobs, once: a few minutes")
  # The build folder stays when a build fails, so that the next one goes on from there.
  set(build "${DEPS_PREFIX}.build")
  set(install "${DEPS_PREFIX}.install")
  set(toolchain "")
  foreach(variable IN ITEMS CMAKE_TOOLCHAIN_FILE CMAKE_OSX_ARCHITECTURES CMAKE_OSX_DEPLOYMENT_TARGET CMAKE_OSX_SYSROOT
                            CMAKE_MAKE_PROGRAM)
    if(${variable})
      list(APPEND toolchain "-D${variable}=${${variable}}")
    endif()
  endforeach()
  set(platform "")
  if(CMAKE_GENERATOR_PLATFORM)
    set(platform -A "${CMAKE_GENERATOR_PLATFORM}")
  endif()
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${DEPS_DIR}" -B "${build}" -G "${CMAKE_GENERATOR}" ${platform} ${deps_arguments} ${toolchain}
            "-DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}" "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}"
            "-DCMAKE_C_FLAGS=${deps_C_flags}" "-DCMAKE_CXX_FLAGS=${deps_CXX_flags}"
            "-DZLIB_HEADERS=${ZLIB_HEADERS}" "-DSANITIZE=${SANITIZE}" "-DSANITIZE_FLAGS=${SANITIZE_FLAGS_ARGUMENT}"
            -DCMAKE_INSTALL_LIBDIR=lib
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${CMAKE_COMMAND}" --build "${build}" --config Release --parallel ${jobs} COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE_RECURSE "${install}")
  execute_process(COMMAND "${CMAKE_COMMAND}" --install "${build}" --config Release --prefix "${install}"
                  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE "${install}/key.txt" "${deps_key}")
  file(REMOVE_RECURSE "${DEPS_PREFIX}")
  file(RENAME "${install}" "${DEPS_PREFIX}")
  file(REMOVE_RECURSE "${build}")
endfunction()

if(NOT EXISTS "${DEPS_PREFIX}/key.txt")
  build_dependencies()
endif()

find_package(Threads REQUIRED)
foreach(name IN ITEMS rocksdb zstd lz4 snappy)
  add_library(RocksDB::${name} STATIC IMPORTED)
  set_target_properties(RocksDB::${name} PROPERTIES IMPORTED_LOCATION
    "${DEPS_PREFIX}/lib/${CMAKE_STATIC_LIBRARY_PREFIX}${name}${CMAKE_STATIC_LIBRARY_SUFFIX}")
endforeach()
# Imported, so its headers are system headers: their warnings are not ours.
set_target_properties(RocksDB::rocksdb PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${ROCKSDB_SOURCE}/include")
set_target_properties(RocksDB::rocksdb PROPERTIES INTERFACE_LINK_LIBRARIES
  "RocksDB::zstd;RocksDB::lz4;RocksDB::snappy;Threads::Threads")
if(SANITIZE STREQUAL "address")
  # snappy 1.1.7 reads words where they lie, on purpose, on processors that can: so here it is built once more, unasked
  # about that.
  include("${DEPS_DIR}/snappy.cmake")
  target_compile_options(snappy PRIVATE -w ${SANITIZE_FLAGS} -fno-sanitize=alignment)
  set_target_properties(RocksDB::rocksdb PROPERTIES INTERFACE_LINK_LIBRARIES
    "RocksDB::zstd;RocksDB::lz4;snappy;Threads::Threads")
endif()
# These change the layout or the declarations of RocksDB's headers, so its users need them as well.
set(deps_definitions ROCKSDB_USE_RTTI)
if(WIN32)
  list(APPEND deps_definitions OS_WIN NOMINMAX)
  set_property(TARGET RocksDB::rocksdb APPEND PROPERTY INTERFACE_LINK_LIBRARIES shlwapi rpcrt4)
else()
  list(APPEND deps_definitions ROCKSDB_PLATFORM_POSIX ROCKSDB_LIB_IO_POSIX)
endif()
if(ZLIB_HEADERS)
  list(APPEND deps_definitions ROCKSDB_BACKUP_ZLIB)
endif()
set_target_properties(RocksDB::rocksdb PROPERTIES INTERFACE_COMPILE_DEFINITIONS "${deps_definitions}")
