#include "napi/database/database_options.h"

#include <cmath>
#include <memory>

#include "napi/values/options.h"
#include "napi/values/values.h"
#include "rocksdb/comparator.h"
#include "rocksdb/convenience.h"
#include "rocksdb/merge_operator.h"

namespace rocksdb_backup {
namespace {

using rocksdb::BlockBasedTableOptions;
using rocksdb::ColumnFamilyOptions;
using rocksdb::DBOptions;

Choices<rocksdb::CompressionType> Compressions() {
  return {{"none", rocksdb::kNoCompression},     {"snappy", rocksdb::kSnappyCompression},
          {"zlib", rocksdb::kZlibCompression},   {"lz4", rocksdb::kLZ4Compression},
          {"lz4hc", rocksdb::kLZ4HCCompression}, {"zstd", rocksdb::kZSTD}};
}

void ReadComparator(Napi::Env env, std::string_view name, Napi::Value value, FamilyOptions* out) {
  out->family.comparator = ReadChoice<const rocksdb::Comparator*>(
      env, name, value,
      {{"bytewise", rocksdb::BytewiseComparator()}, {"reverseBytewise", rocksdb::ReverseBytewiseComparator()}});
  out->has_comparator = true;
}

void ReadMergeOperator(Napi::Env env, std::string_view name, Napi::Value value, FamilyOptions* out) {
  const auto id = ReadChoice<std::string>(env, name, value,
                                          {{"uint64add", "uint64add"},
                                           {"stringappend", "stringappend"},
                                           {"put", "put"},
                                           {"max", "max"},
                                           {"bytesxor", "bytesxor"}});
  ThrowIfError(env, Error::From(rocksdb::MergeOperator::CreateFromString(rocksdb::ConfigOptions(), id,
                                                                         &out->family.merge_operator)));
  out->has_merge_operator = true;
}

// { name: string | number | boolean }, with RocksDB's names and values, as in RocksDB's option strings.
void ReadRaw(Napi::Env env, std::string_view name, Napi::Value value, FamilyOptions* out) {
  for (const auto& [key, entry] : ReadEntries(env, name, value)) {
    const std::string full_name = std::string(name) + "." + key;
    if (entry.IsNumber() && !std::isfinite(entry.As<Napi::Number>().DoubleValue())) {
      ThrowOutOfRange(env, full_name, "a finite number", entry);
    }
    if (!entry.IsString() && !entry.IsNumber() && !entry.IsBoolean() && !entry.IsBigInt()) {
      ThrowWrongType(env, full_name, "a string, a number or true or false", entry);
    }
    out->raw[key] = entry.ToString().Utf8Value();
  }
}

const OptionTable<FamilyOptions>& FamilyTable() {
  static const OptionTable<ColumnFamilyOptions> of_family(
      "column family options",
      {
          Choice("compression", &ColumnFamilyOptions::compression, Compressions()),
          Choice("bottommostCompression", &ColumnFamilyOptions::bottommost_compression, Compressions()),
          Field("writeBufferSize", &ColumnFamilyOptions::write_buffer_size, {.min = 1}),
          Field("maxWriteBufferNumber", &ColumnFamilyOptions::max_write_buffer_number, {.min = 1}),
          Field("minWriteBufferNumberToMerge", &ColumnFamilyOptions::min_write_buffer_number_to_merge, {.min = 1}),
          Field("targetFileSizeBase", &ColumnFamilyOptions::target_file_size_base, {.min = 1}),
          Field("maxBytesForLevelBase", &ColumnFamilyOptions::max_bytes_for_level_base, {.min = 1}),
          Field("numLevels", &ColumnFamilyOptions::num_levels, {.min = 1, .max = 64}),
          Field("levelCompactionDynamicLevelBytes", &ColumnFamilyOptions::level_compaction_dynamic_level_bytes),
          Field("level0FileNumCompactionTrigger", &ColumnFamilyOptions::level0_file_num_compaction_trigger),
          Field("level0SlowdownWritesTrigger", &ColumnFamilyOptions::level0_slowdown_writes_trigger),
          Field("level0StopWritesTrigger", &ColumnFamilyOptions::level0_stop_writes_trigger),
          Field("disableAutoCompactions", &ColumnFamilyOptions::disable_auto_compactions),
          Choice("compactionStyle", &ColumnFamilyOptions::compaction_style,
                 {{"level", rocksdb::kCompactionStyleLevel},
                  {"universal", rocksdb::kCompactionStyleUniversal},
                  {"fifo", rocksdb::kCompactionStyleFIFO}}),
          Field("ttl", &ColumnFamilyOptions::ttl),
          Field("enableBlobFiles", &ColumnFamilyOptions::enable_blob_files),
          Field("minBlobSize", &ColumnFamilyOptions::min_blob_size),
          Field("blobFileSize", &ColumnFamilyOptions::blob_file_size, {.min = 1}),
          Choice("blobCompression", &ColumnFamilyOptions::blob_compression_type, Compressions()),
          Field("enableBlobGarbageCollection", &ColumnFamilyOptions::enable_blob_garbage_collection),
      });
  static const OptionTable<BlockBasedTableOptions> of_table(
      "column family options",
      {
          Field("blockSize", &BlockBasedTableOptions::block_size, {.min = 1}),
          Field("cacheIndexAndFilterBlocks", &BlockBasedTableOptions::cache_index_and_filter_blocks),
      });
  static const auto* table = new OptionTable<FamilyOptions>(
      OptionTable<FamilyOptions>(
          "column family options",
          {
              Custom<FamilyOptions>("comparator", ReadComparator),
              Custom<FamilyOptions>("mergeOperator", ReadMergeOperator),
              Field("bloomFilterBits", &FamilyOptions::bloom_filter_bits, {.min = 0, .max = 100}),
              Custom<FamilyOptions>("rocksdb", ReadRaw),
          })
          .With(of_family.Within<FamilyOptions>([](FamilyOptions* options) { return &options->family; }))
          .With(of_table.Within<FamilyOptions>([](FamilyOptions* options) { return &options->table; })));
  return *table;
}

void ReadMode(Napi::Env env, std::string_view name, Napi::Value value, DatabaseOptions* out) {
  using Mode = DatabaseOptions::Mode;
  if (value.IsString()) {
    out->mode = ReadChoice<Mode>(env, name, value, {{"readWrite", Mode::kReadWrite}, {"readOnly", Mode::kReadOnly}});
    return;
  }
  if (!value.IsObject()) {
    ThrowWrongType(env, name, "\"readWrite\", \"readOnly\" or { secondary: path }", value);
  }
  out->mode = Mode::kSecondary;
  for (const auto& [key, entry] : ReadEntries(env, name, value)) {
    if (key != "secondary") {
      ThrowUnknownOption(env, "mode", key);
    }
    out->secondary_path = PathArgument(env, entry, "mode.secondary");
  }
  if (out->secondary_path.empty()) {
    ThrowWrongType(env, "mode.secondary", "a path", env.Undefined());
  }
}

void ReadWalDir(Napi::Env env, std::string_view name, Napi::Value value, DatabaseOptions* out) {
  out->db.wal_dir = PathArgument(env, value, name);
}

// RocksDB's defaults for what it writes change with its versions, and old versions reject what they do not know.
// Existing files stay as they are. The values here are defaults: options that are given besides have priority.
void ReadCompatibility(Napi::Env env, Napi::Value value, DatabaseOptions* out) {
  if (!value.IsUndefined() && ReadChoice<bool>(env, "compatibility", value, {{"latest", false}, {"6.6", true}})) {
    out->family.table.format_version = 5;                          // 6 came with RocksDB 8.6
    out->family.table.checksum = rocksdb::kCRC32c;                 // XXH3 came with 6.27
    out->family.family.compression = rocksdb::kSnappyCompression;  // 11.5 changed it to LZ4, which not all builds have
  }
}

const OptionTable<DatabaseOptions>& DatabaseTable() {
  static const OptionTable<DBOptions> of_db(
      "database options",
      {
          Field("createIfMissing", &DBOptions::create_if_missing),
          Field("errorIfExists", &DBOptions::error_if_exists),
          Field("maxOpenFiles", &DBOptions::max_open_files, {.min = -1}),
          Field("maxBackgroundJobs", &DBOptions::max_background_jobs, {.min = 1}),
          Field("maxSubcompactions", &DBOptions::max_subcompactions, {.min = 1}),
          Field("maxTotalWalSize", &DBOptions::max_total_wal_size),
          Field("bytesPerSync", &DBOptions::bytes_per_sync),
          Field("walBytesPerSync", &DBOptions::wal_bytes_per_sync),
          Field("paranoidChecks", &DBOptions::paranoid_checks),
          Field("atomicFlush", &DBOptions::atomic_flush),
          Field("manualWalFlush", &DBOptions::manual_wal_flush),
          Field("useDirectReads", &DBOptions::use_direct_reads),
          Choice("walRecoveryMode", &DBOptions::wal_recovery_mode,
                 {{"tolerateCorruptedTailRecords", rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords},
                  {"absoluteConsistency", rocksdb::WALRecoveryMode::kAbsoluteConsistency},
                  {"pointInTimeRecovery", rocksdb::WALRecoveryMode::kPointInTimeRecovery},
                  {"skipAnyCorruptedRecords", rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords}}),
          Choice("infoLogLevel", &DBOptions::info_log_level,
                 {{"debug", rocksdb::DEBUG_LEVEL},
                  {"info", rocksdb::INFO_LEVEL},
                  {"warn", rocksdb::WARN_LEVEL},
                  {"error", rocksdb::ERROR_LEVEL},
                  {"fatal", rocksdb::FATAL_LEVEL},
                  {"header", rocksdb::HEADER_LEVEL}}),
          Field("keepLogFileNum", &DBOptions::keep_log_file_num, {.min = 1}),
          Field("maxLogFileSize", &DBOptions::max_log_file_size),
      });
  static const auto* table = new OptionTable<DatabaseOptions>(
      OptionTable<DatabaseOptions>("database options",
                                   {
                                       Custom<DatabaseOptions>("mode", ReadMode),
                                       Custom<DatabaseOptions>("columnFamilies", {}),  // see DatabaseOptionsOf
                                       Custom<DatabaseOptions>("walDir", ReadWalDir),
                                       Custom<DatabaseOptions>("compatibility", {}),  // see DatabaseOptionsOf
                                       Field("archived", &DatabaseOptions::archive),
                                       Field("keepOptionsFile", &DatabaseOptions::keep_options_file),
                                       Field("cacheSize", &DatabaseOptions::cache_size),
                                   })
          .With(FamilyTable().Within<DatabaseOptions>([](DatabaseOptions* options) { return &options->family; }))
          .With(of_db.Within<DatabaseOptions>([](DatabaseOptions* options) { return &options->db; })));
  return *table;
}

}  // namespace

DatabaseOptions DatabaseOptionsOf(Napi::Env env, Napi::Value value) {
  DatabaseOptions options;
  if (value.IsObject()) {
    ReadCompatibility(env, value.As<Napi::Object>().Get("compatibility"), &options);
  }
  DatabaseTable().Read(env, value, &options);
  if (!value.IsObject()) {
    return options;
  }
  // Families start from the options for all families, no matter in which order the options were given.
  const Napi::Value families = value.As<Napi::Object>().Get("columnFamilies");
  if (families.IsUndefined() || (families.IsString() && families.As<Napi::String>().Utf8Value() == "all")) {
    return options;
  }
  if (!families.IsObject()) {
    ThrowWrongType(env, "columnFamilies", "\"all\" or an object of column family options by name", families);
  }
  for (const auto& [name, family] : ReadEntries(env, "columnFamilies", families)) {
    CheckNewFamilyName(env, name);
    options.families.emplace(name, FamilyOptionsOf(env, family, options.family));
  }
  return options;
}

void CheckNewFamilyName(Napi::Env env, const std::string& name) {
  if (name.empty()) {
    ThrowWrongType(env, "the name of a column family", "a string that is not empty", Napi::String::New(env, name));
  }
}

FamilyOptions FamilyOptionsOf(Napi::Env env, Napi::Value value, const FamilyOptions& base) {
  FamilyOptions options = base.Inherited();
  FamilyTable().Read(env, value, &options);
  return options;
}

}  // namespace rocksdb_backup
