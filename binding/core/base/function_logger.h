#pragma once

#include <cstdarg>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "rocksdb/env.h"

namespace rocksdb_backup {

// Gives each line of RocksDB's log to a function. Lines come from any thread.
class FunctionLogger : public rocksdb::Logger {
 public:
  using Sink = std::function<void(rocksdb::InfoLogLevel level, const std::string& line)>;

  FunctionLogger(rocksdb::InfoLogLevel level, Sink sink) : Logger(level), sink_(std::move(sink)) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
  }
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel()) {
      return;
    }
    va_list again;
    va_copy(again, arguments);
    char inline_text[512];
    const int size = vsnprintf(inline_text, sizeof(inline_text), format, arguments);
    if (size >= 0 && static_cast<size_t>(size) < sizeof(inline_text)) {
      sink_(level, inline_text);
    } else if (size > 0) {
      std::vector<char> text(static_cast<size_t>(size) + 1);
      vsnprintf(text.data(), text.size(), format, again);
      sink_(level, text.data());
    }
    va_end(again);
  }

 private:
  const Sink sink_;
};

}  // namespace rocksdb_backup
