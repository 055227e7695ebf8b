#include "core/database/written_options.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/database/newer_rocksdb.h"
#include "rocksdb/utilities/options_util.h"

namespace rocksdb_backup {

using rocksdb::Status;

namespace {

constexpr int kReadAttempts = 5;

// The ids of the families' merge operators in the text of an OPTIONS file, in the order of the file. An id is written
// as "Name" or "{id=Name;...}".
std::vector<std::string> MergeOperatorsIn(const std::string& text) {
  constexpr std::string_view kOption = "merge_operator=";
  std::vector<std::string> ids;
  bool in_family = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line.erase(0, line.find_first_not_of(' '));
    if (line.starts_with("[")) {
      in_family = line.starts_with("[CFOptions ");
      if (in_family) {
        ids.emplace_back();
      }
    } else if (in_family && line.starts_with(kOption)) {
      std::string id = line.substr(kOption.size());
      if (id.starts_with("{id=")) {
        id = id.substr(4, id.find_first_of(";}", 4) - 4);
      }
      ids.back() = id == "nullptr" ? "" : id;
    }
  }
  return ids;
}

}  // namespace

Error ListDatabase(const std::string& path, rocksdb::Env* env, std::vector<std::string>* names) {
  const Status status = env->GetChildren(path, names);
  if (status.IsNotFound()) {
    names->clear();
    return Error();
  }
  return Error::From(status, "open " + path + ": cannot list the directory").With("path", path);
}

Error ReadWrittenOptions(const std::string& path, rocksdb::Env* env, const FamilyOptions& said,
                         WrittenOptions* written) {
  std::vector<std::string> names;
  if (Error error = ListDatabase(path, env, &names); !error.ok()) {
    return error;
  }
  // An OPTIONS file with another ending is incomplete: a process died while it opened the database. If there is no
  // complete file, that was the first open.
  if (std::none_of(names.begin(), names.end(), IsOptionsFileName)) {
    return Error();
  }
  const std::string doing = "open " + path + ": cannot read the options that it was written with";
  rocksdb::ConfigOptions config;
  config.env = env;
  config.ignore_unknown_options = true;
  config.ignore_unsupported_options = true;
  rocksdb::DBOptions db_options;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  std::string name;
  std::string text;
  Status status;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    status = rocksdb::GetLatestOptionsFileName(path, env, &name);
    if (status.ok()) {
      status = rocksdb::ReadFileToString(env, path + "/" + name, &text);
    }
    if (status.ok()) {
      descriptors.clear();
      status = rocksdb::LoadOptionsFromFile(config, path + "/" + name, &db_options, &descriptors);
    }
    if (!status.IsNotFound() && !status.IsPathNotFound()) {
      break;  // a missing file was replaced by the process that has the database open
    }
  }
  if (!status.ok()) {
    if (status.IsIOError() || !said.has_merge_operator) {
      return Error::From(status, doing + " from " + path + "/" + name)
          .With("path", path + "/" + name)
          .Advise(status.IsIOError() ? "" : "nameMergeOperator");
    }
    return Error();
  }
  std::vector<std::string> merge_operators = MergeOperatorsIn(text);
  merge_operators.resize(descriptors.size());
  for (size_t i = 0; i < descriptors.size(); ++i) {
    written->emplace(descriptors[i].name, WrittenFamily{descriptors[i].options, std::move(merge_operators[i])});
  }
  return Error();
}

}  // namespace rocksdb_backup
