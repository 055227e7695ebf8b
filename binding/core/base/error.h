#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "rocksdb/status.h"

namespace rocksdb_backup {

// A status as text. RocksDB often wraps a status in another of the same kind ("Corruption: Corruption: "); the text
// names the kind once.
std::string Worded(const rocksdb::Status& status);

// Why a file or a backup cannot be read: "denied" (this user has no permission), "io" (the disk fails) or "damaged".
// RocksDB keeps nothing of a failed system call but its text, so this goes by the system's words in `text`.
std::string WhyUnreadable(std::string_view text);

// What to do about a backup that cannot be read for this reason: a word for Error::Advise. If it is damaged, that
// depends on what was to be done with it.
std::string AdviceOn(std::string_view why, std::string_view if_damaged = {});

// An error in the terms of the API: a stable code, a sentence that names the file, and RocksDB's subcode and severity
// if RocksDB gave them. A default-constructed Error means success. Errors are values; nothing here throws.
class [[nodiscard]] Error {
 public:
  Error() = default;
  Error(std::string code, std::string message) : code_(std::move(code)), message_(std::move(message)) {}

  // Makes an Error of a RocksDB status, with the code ROCKSDB_<STATUS>. `context` says what was being done, and to
  // which file. The caller adds that file as a fact: Error::From(status, "flush " + path).With("path", path). If the
  // user has no permission, or the disk fails, the error has the fact "why" (WhyUnreadable).
  static Error From(const rocksdb::Status& status, std::string_view context = {});

  // A failed system call. `doing` says what was being done and names the file; the caller adds it as a fact, too. Has
  // the fact "why" as From() gives it.
  static Error System(std::string_view doing, int error_number);

  // The same error, with `more` added at the end of its message.
  Error And(std::string_view more) && {
    message_ += more;
    return std::move(*this);
  }

  // The same error under another code.
  Error WithCode(std::string code) && {
    code_ = std::move(code);
    return std::move(*this);
  }

  // The same error, with the files of a backup that were found damaged. Their paths are relative to the backup's
  // repository.
  Error In(std::vector<std::string> damaged_files) && {
    damaged_files_ = std::move(damaged_files);
    return std::move(*this);
  }

  // The same error, with the files of a repository that could not be deleted. Their paths are relative to the
  // repository.
  Error Left(std::vector<std::string> left_files) && {
    left_files_ = std::move(left_files);
    return std::move(*this);
  }

  // What can be done about it: a word that the library and the command line each put into their own terms, options here
  // and flags there (lib/base/advice.ts, lib/cli/advice.ts). The message says only what happened.
  Error Advise(std::string_view advice) && {
    advice_ = advice;
    return std::move(*this);
  }

  // The same error, with another message.
  Error Reworded(std::string message) && {
    message_ = std::move(message);
    return std::move(*this);
  }

  // A fact that the message tells, for programs: it becomes a property of the JS error. Success has no facts.
  using Fact = std::variant<std::string, uint64_t>;
  Error With(std::string_view name, Fact fact) &&;

  // The same error, with the fact "why" if `text`, the system's own words, says "denied" or "io" (WhyUnreadable), and
  // with the advice on that.
  Error WithWhy(std::string_view text) && {
    const std::string why = WhyUnreadable(text);
    const char* const advice = why == "denied" ? "allowAccess" : "checkDisk";
    return why == "damaged" ? std::move(*this) : std::move(*this).With("why", why).Advise(advice);
  }

  bool ok() const { return code_.empty(); }
  const std::string& code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& subcode() const { return subcode_; }    // empty: no subcode
  const std::string& severity() const { return severity_; }  // empty: no severity
  const std::vector<std::string>& damaged_files() const { return damaged_files_; }
  const std::vector<std::string>& left_files() const { return left_files_; }
  const std::string& advice() const { return advice_; }  // empty: none
  const std::vector<std::pair<std::string, Fact>>& facts() const { return facts_; }

 private:
  std::string code_;
  std::string message_;
  std::string subcode_;
  std::string severity_;
  std::vector<std::string> damaged_files_;
  std::vector<std::string> left_files_;
  std::string advice_;
  std::vector<std::pair<std::string, Fact>> facts_;
};

}  // namespace rocksdb_backup
