#include "core/base/file_log.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "core/base/function_logger.h"

namespace rocksdb_backup {
namespace {

const char* LevelName(rocksdb::InfoLogLevel level) {
  switch (level) {
    case rocksdb::InfoLogLevel::DEBUG_LEVEL:
      return "DEBUG";
    case rocksdb::InfoLogLevel::WARN_LEVEL:
      return "WARN";
    case rocksdb::InfoLogLevel::ERROR_LEVEL:
      return "ERROR";
    case rocksdb::InfoLogLevel::FATAL_LEVEL:
      return "FATAL";
    default:
      return "INFO";
  }
}

std::string TimeNow() {
  const auto now = std::chrono::system_clock::now();
  const time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  struct tm utc = {};
  gmtime_r(&seconds, &utc);
  char text[40];
  const size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + length, sizeof(text) - length, ".%03dZ", static_cast<int>(millis));
  return text;
}

}  // namespace

Error OpenFileLog(const std::string& path, std::shared_ptr<rocksdb::Logger>* log) {
  std::FILE* opened = std::fopen(path.c_str(), "ae");
  if (opened == nullptr) {
    return Error::System("cannot open the log file " + path, errno).With("path", path);
  }
  const std::shared_ptr<std::FILE> file(opened, [](std::FILE* old) { std::fclose(old); });
  *log = std::make_shared<FunctionLogger>(
      rocksdb::InfoLogLevel::INFO_LEVEL, [file](rocksdb::InfoLogLevel level, const std::string& line) {
        // One call for each line, so that lines of different threads do not mix. Errors are ignored: a log that cannot
        // be written must not stop a backup.
        std::fprintf(file.get(), "%s %s %s\n", TimeNow().c_str(), LevelName(level), line.c_str());
        std::fflush(file.get());
      });
  return Error();
}

}  // namespace rocksdb_backup
