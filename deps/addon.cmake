# The target rocksdb_backup: binding/napi and everything below it in one self-contained rocksdb_backup.node. The platform's
# own libraries apart, it needs nothing at run time, and shows nothing but its two entry points.

file(GLOB napi_sources CONFIGURE_DEPENDS binding/napi/*.cc binding/napi/*/*.cc)
if(NOT napi_sources)
  message(FATAL_ERROR "binding/napi has no sources")
endif()
# To CMake, a DLL is a runtime output, whose folder cmake-js sets, only if it is SHARED.
set(kind MODULE)
if(WIN32)
  set(kind SHARED)
endif()
add_library(rocksdb_backup ${kind} ${napi_sources} ${CMAKE_JS_SRC})
set_target_properties(rocksdb_backup PROPERTIES PREFIX "" SUFFIX ".node" SKIP_BUILD_RPATH ON)
# cmake-js names node-addon-api's folder if it finds one; deps/setup.mjs names it where cmake-js does not.
target_include_directories(rocksdb_backup SYSTEM PRIVATE ${CMAKE_JS_INC} ${NODE_ADDON_API_DIR})
target_link_libraries(rocksdb_backup PRIVATE our_code core ${CMAKE_JS_LIB})
target_compile_definitions(rocksdb_backup PRIVATE
  NAPI_VERSION=8
  NODE_ADDON_API_CPP_EXCEPTIONS
  NODE_ADDON_API_DISABLE_DEPRECATED
  # Without it, ending a Worker while async work is in flight aborts the process.
  NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)

if(MSVC)
  if(CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
    execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET} ${CMAKE_STATIC_LINKER_FLAGS}
                    COMMAND_ERROR_IS_FATAL ANY)
  endif()
  target_link_options(rocksdb_backup PRIVATE /OPT:REF /OPT:ICF)
elseif(APPLE)
  # N-API and zlib come from the node that loads it.
  target_link_options(rocksdb_backup PRIVATE -undefined dynamic_lookup -Wl,-dead_strip
    -Wl,-exported_symbol,_napi_register_module_v1 -Wl,-exported_symbol,_node_api_module_get_api_version_v1)
else()
  # A sanitizer sees exceptions, and what the wrappers of glibc_compat.c would take, only in the shared libraries.
  if(NOT SANITIZE)
    target_link_options(rocksdb_backup PRIVATE -static-libstdc++ -static-libgcc)
  endif()
  target_link_options(rocksdb_backup PRIVATE
    "-Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/addon.map"
    -Wl,-Bsymbolic -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro -Wl,-z,noexecstack
    # Node unloads an addon with the last Worker that used it, while threads of ours and of RocksDB may still run its code.
    -Wl,-z,nodelete)
  set_property(TARGET rocksdb_backup APPEND PROPERTY LINK_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/addon.map")

  include(CheckCXXSourceCompiles)
  check_cxx_source_compiles("
#include <features.h>
#if !defined(__GLIBC__) || !(defined(__x86_64__) || defined(__aarch64__))
#error no compat
#endif
int main() {}" GLIBC_COMPAT)
  if(GLIBC_COMPAT AND NOT SANITIZE)
    target_sources(rocksdb_backup PRIVATE "${CMAKE_CURRENT_LIST_DIR}/glibc_compat.c")
    file(READ "${CMAKE_CURRENT_LIST_DIR}/glibc_compat.c" compat_source)
    string(REGEX MATCHALL
      "\n(FORWARD\\([a-z*]+, [a-z_0-9]+|FORWARD_VERSION\\([A-Z]+, [a-z]+, [a-z_0-9]+|STAT\\([a-z0-9]+|STAT_OF\\([A-Z]+, [a-z0-9]+|[a-z0-9_]+ __wrap_[a-z0-9_]+)"
      compat_names "${compat_source}")
    list(TRANSFORM compat_names REPLACE ".*( |\\(|__wrap_)" "-Wl,--wrap=")
    list(REMOVE_DUPLICATES compat_names)
    target_link_options(rocksdb_backup PRIVATE ${compat_names})
  endif()
endif()
