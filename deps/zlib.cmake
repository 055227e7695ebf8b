# zlib is not built: node exports it, so the addon leaves its symbols undefined, and executables take the system's.
# ZLIB_HEADERS is the folder that has zlib.h, or empty; then RocksDB is built without zlib.

if(ZLIB_HEADERS)
  # Only these two, as node's folder of headers has much else in it.
  file(COPY "${ZLIB_HEADERS}/zlib.h" "${ZLIB_HEADERS}/zconf.h" DESTINATION "${CMAKE_CURRENT_BINARY_DIR}/zlib")
  add_library(zlib_headers INTERFACE)
  target_include_directories(zlib_headers INTERFACE "${CMAKE_CURRENT_BINARY_DIR}/zlib")
  target_compile_definitions(zlib_headers INTERFACE ZLIB)
endif()
