#include "core/database/database_content.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "rocksdb/metadata.h"
#include "rocksdb/table_properties.h"
#include "rocksdb/utilities/options_util.h"

namespace rocksdb_backup {
namespace {

using rocksdb::ColumnFamilyHandle;
using rocksdb::DB;
using rocksdb::Status;

// Adds a line of words. Each word is preceded by its length, because names may contain any character.
void Add(std::string* text, std::initializer_list<std::string> words) {
  for (const std::string& word : words) {
    *text += std::to_string(word.size()) + ":" + word + " ";
  }
  *text += "\n";
}

bool HasInMemory(DB* db, ColumnFamilyHandle* family) {
  for (const char* property : {"rocksdb.num-entries-active-mem-table", "rocksdb.num-entries-imm-mem-tables"}) {
    uint64_t entries = 0;
    // If RocksDB cannot tell, there may be entries.
    if (!db->GetIntProperty(family, property, &entries) || entries > 0) {
      return true;
    }
  }
  return false;
}

// Adds the files of a family by level, in the order in which they are read.
void AddFiles(DB* db, ColumnFamilyHandle* family, std::string* text) {
  rocksdb::ColumnFamilyMetaData meta;
  db->GetColumnFamilyMetaData(family, &meta);
  for (const auto& level : meta.levels) {
    for (const auto& file : level.files) {
      Add(text, {"table", std::to_string(level.level), file.relative_filename, std::to_string(file.size)});
    }
  }
  for (const auto& blob : meta.blob_files) {
    Add(text, {"blob", blob.blob_file_name, std::to_string(blob.blob_file_size)});
  }
}

// Adds the OPTIONS file that a backup includes. kept_options.h says why that is the newest file that exists.
Status AddOptions(DB* db, std::string* text) {
  std::string name;
  Status status = rocksdb::GetLatestOptionsFileName(db->GetName(), db->GetEnv(), &name);
  if (status.IsNotFound()) {
    return Status::OK();
  }
  std::string options;
  if (status.ok()) {
    status = rocksdb::ReadFileToString(db->GetEnv(), db->GetName() + "/" + name, &options);
  }
  Add(text, {"options", options});
  return status;
}

// Sets *known to false if some table has no session and number of its own.
Status AddTables(DB* db, ColumnFamilyHandle* family, bool* known, std::string* text) {
  rocksdb::TablePropertiesCollection tables;
  Status status = db->GetPropertiesOfAllTables(family, &tables);
  if (!status.ok()) {
    return status;
  }
  std::vector<std::string> lines;
  lines.reserve(tables.size());
  for (const auto& [path, properties] : tables) {
    *known = *known && !properties->db_session_id.empty() && properties->orig_file_number != 0;
    std::string line;
    Add(&line, {path.substr(path.find_last_of('/') + 1), properties->db_session_id,
                std::to_string(properties->orig_file_number)});
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) {
    *text += line;
  }
  return status;
}

}  // namespace

Error DescribeContent(DB* db, const std::vector<ColumnFamilyHandle*>& families, ContentParts parts,
                      DatabaseContent* content) {
  const std::string doing = "look at the content of " + db->GetName();
  std::string identity;
  if (Status status = db->GetDbIdentity(identity); !status.ok()) {
    return Error::From(status, doing).With("path", db->GetName());
  }
  std::string state;
  Add(&state, {"identity", identity});
  // Read first: what is written while the rest is examined then shows in the next comparison.
  Add(&state, {"sequence", std::to_string(db->GetLatestSequenceNumber())});
  bool in_memory = false;
  for (ColumnFamilyHandle* family : families) {
    Add(&state, {"family", std::to_string(family->GetID()), family->GetName()});
    AddFiles(db, family, &state);
    in_memory = in_memory || HasInMemory(db, family);
  }
  if (in_memory) {
    std::string session;
    if (Status status = db->GetDbSessionId(session); !status.ok()) {
      return Error::From(status, doing).With("path", db->GetName());
    }
    Add(&state, {"memory", session});
  }
  if (Status status = AddOptions(db, &state); !status.ok()) {
    return Error::From(status, doing).With("path", db->GetName());
  }
  std::string tables;
  if (parts == ContentParts::kAll) {
    bool known = true;
    for (ColumnFamilyHandle* family : families) {
      if (Status status = AddTables(db, family, &known, &tables); !status.ok()) {
        return Error::From(status, doing).With("path", db->GetName());
      }
    }
    // An empty text means "not known". A database without tables is known.
    tables = known ? "tables\n" + tables : "";
  }
  content->in_memory = in_memory;
  content->state = std::move(state);
  content->tables = std::move(tables);
  return Error();
}

}  // namespace rocksdb_backup
