# lz4: the block format and its high-compression mode, all that RocksDB uses.

add_library(lz4 STATIC "${LZ4_SOURCE}/lz4.c" "${LZ4_SOURCE}/lz4hc.c")
target_include_directories(lz4 PUBLIC "${LZ4_SOURCE}")
target_compile_definitions(lz4 PRIVATE LZ4LIB_VISIBILITY=)
