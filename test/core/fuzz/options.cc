// Parses options by name, and paths, from the fuzzer's bytes: lines of "name=value".

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/paths.h"
#include "core/database/database_options.h"
#include "must.h"
#include "rocksdb/cache.h"

using namespace rocksdb_backup;

namespace {

void CheckPaths(const std::string& text) {
  const std::string clean = CleanPath(text);
  Must(CleanPath(clean) == clean, "a clean path is clean");
  Must(clean.find("//") == std::string::npos, "without doubled slashes");
  Must(!IsInside(clean, clean), "nothing is inside of itself");
  Must(NameOf(clean).find('/') == std::string::npos, "a name has no slash");
  for (const char* part : {"", "shared_checksum/", "private/1/"}) {
    Must(DatabaseFileName(part + text).find('/') == std::string::npos, "nor has a database file's");
    SizeInName(part + text);
  }
  IsDatabaseFileName(text);
  IsWalFileName(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  FamilyOptions options;
  for (bool common = true; !input.empty(); common = !common) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(input.size(), line.size() + 1));
    const size_t equals = line.find('=');
    CheckPaths(std::string(line));
    if (equals != std::string_view::npos) {
      (common ? options.common_raw : options.raw)[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    }
  }
  rocksdb::ColumnFamilyOptions family;
  rocksdb::DBOptions db;
  const Error whole = Resolve(options, nullptr, &db, &family);
  Must(!whole.ok() || family.table_factory != nullptr, "what is resolved can make tables");
  const Error alone = Resolve(options, nullptr, nullptr, &family);
  Must(whole.ok() || !alone.ok(), "a family takes no more than a database");
  return 0;
}
