# zstd: common, compress and decompress of upstream's lib; the dictionary builder is our own (see zdict_raw.c).

file(GLOB ZSTD_SOURCES "${ZSTD_SOURCE}/common/*.c" "${ZSTD_SOURCE}/compress/*.c" "${ZSTD_SOURCE}/decompress/*.c")
if(EXISTS "${ZSTD_SOURCE}/dictBuilder/zdict.c")
  file(GLOB ZDICT_SOURCES "${ZSTD_SOURCE}/dictBuilder/*.c")
else()
  set(ZDICT_SOURCES "${CMAKE_CURRENT_LIST_DIR}/zdict_raw.c")
endif()
add_library(zstd STATIC ${ZSTD_SOURCES} ${ZDICT_SOURCES})
target_include_directories(zstd PUBLIC "${ZSTD_SOURCE}")
# Newer versions of node export zstd as well: ours must neither meet it nor be seen.
target_compile_definitions(zstd PRIVATE ZSTDLIB_VISIBLE= ZSTDERRORLIB_VISIBLE= ZDICTLIB_VISIBLE= XXH_NAMESPACE=ZSTD_)
if(MSVC OR SANITIZE)
  target_compile_definitions(zstd PRIVATE ZSTD_DISABLE_ASM)
else()
  target_sources(zstd PRIVATE "${ZSTD_SOURCE}/decompress/huf_decompress_amd64.S")
endif()
