#include "core/base/error.h"

#include <cerrno>
#include <cstring>

namespace rocksdb_backup {
namespace {

using rocksdb::Status;

const char* CodeName(Status::Code code) {
  switch (code) {
    case Status::kNotFound:
      return "ROCKSDB_NOT_FOUND";
    case Status::kCorruption:
      return "ROCKSDB_CORRUPTION";
    case Status::kNotSupported:
      return "ROCKSDB_NOT_SUPPORTED";
    case Status::kInvalidArgument:
      return "ROCKSDB_INVALID_ARGUMENT";
    case Status::kIOError:
      return "ROCKSDB_IO_ERROR";
    case Status::kMergeInProgress:
      return "ROCKSDB_MERGE_IN_PROGRESS";
    case Status::kIncomplete:
      return "ROCKSDB_INCOMPLETE";
    case Status::kShutdownInProgress:
      return "ROCKSDB_SHUTDOWN_IN_PROGRESS";
    case Status::kTimedOut:
      return "ROCKSDB_TIMED_OUT";
    case Status::kAborted:
      return "ROCKSDB_ABORTED";
    case Status::kBusy:
      return "ROCKSDB_BUSY";
    case Status::kExpired:
      return "ROCKSDB_EXPIRED";
    case Status::kTryAgain:
      return "ROCKSDB_TRY_AGAIN";
    case Status::kCompactionTooLarge:
      return "ROCKSDB_COMPACTION_TOO_LARGE";
    case Status::kColumnFamilyDropped:
      return "ROCKSDB_COLUMN_FAMILY_DROPPED";
    default:
      return "ROCKSDB_UNKNOWN";
  }
}

const char* SubCodeName(Status::SubCode subcode) {
  switch (subcode) {
    case Status::kMutexTimeout:
      return "MUTEX_TIMEOUT";
    case Status::kLockTimeout:
      return "LOCK_TIMEOUT";
    case Status::kLockLimit:
      return "LOCK_LIMIT";
    case Status::kNoSpace:
      return "NO_SPACE";
    case Status::kDeadlock:
      return "DEADLOCK";
    case Status::kStaleFile:
      return "STALE_FILE";
    case Status::kMemoryLimit:
      return "MEMORY_LIMIT";
    case Status::kSpaceLimit:
      return "SPACE_LIMIT";
    case Status::kPathNotFound:
      return "PATH_NOT_FOUND";
    case Status::kManualCompactionPaused:
      return "MANUAL_COMPACTION_PAUSED";
    case Status::kOverwritten:
      return "OVERWRITTEN";
    case Status::kTxnNotPrepared:
      return "TXN_NOT_PREPARED";
    case Status::kIOFenced:
      return "IO_FENCED";
    case Status::kMergeOperatorFailed:
      return "MERGE_OPERATOR_FAILED";
    default:
      return "";
  }
}

const char* SeverityName(Status::Severity severity) {
  switch (severity) {
    case Status::kSoftError:
      return "soft";
    case Status::kHardError:
      return "hard";
    case Status::kFatalError:
      return "fatal";
    case Status::kUnrecoverableError:
      return "unrecoverable";
    default:
      return "";
  }
}

constexpr char kTooManyFiles[] =
    ". This process may not open more files: raise its limit (ulimit -n), or open databases with a smaller "
    "maxOpenFiles (--max-open-files on the command line).";

// Says what to do about an error, because RocksDB's message does not.
const char* Advice(const rocksdb::Status& status, const std::string& text) {
  if (status.severity() == Status::kHardError) {
    return ". The database accepts no writes until the cause is gone and its resume() succeeds, or until it is closed "
           "and opened again. Its data can still be read.";
  }
  if (status.severity() == Status::kFatalError) {
    return ". The database accepts no writes until it is closed and opened again. Its data can still be read.";
  }
  // RocksDB has no subcode for this error, so it is found by the operating system's own message.
  if (status.IsIOError() && text.find(std::strerror(EMFILE)) != std::string::npos) {
    return kTooManyFiles;
  }
  return "";
}

}  // namespace

std::string WhyUnreadable(std::string_view text) {
  const auto says = [text](int number) { return text.find(std::strerror(number)) != std::string_view::npos; };
  return says(EACCES) || says(EPERM) ? "denied" : says(EIO) ? "io" : "damaged";
}

std::string AdviceOn(std::string_view why, std::string_view if_damaged) {
  return std::string(why == "denied" ? "makeReadable" : why == "io" ? "seeToDisk" : if_damaged);
}

std::string Worded(const rocksdb::Status& status) {
  std::string text = status.ToString();
  for (const std::string_view kind : {"Corruption: ", "IO error: ", "NotFound: "}) {
    for (size_t at = text.find(kind); at != std::string::npos; at = text.find(kind, at + kind.size())) {
      while (text.compare(at + kind.size(), kind.size(), kind) == 0) {
        text.erase(at, kind.size());
      }
    }
  }
  // "Corruption: IO error: " means that the disk could not be read. That does not mean that the data is damaged, so the
  // word "Corruption" is removed.
  constexpr std::string_view kDamaged = "Corruption: ";
  for (size_t at = text.find("Corruption: IO error: "); at != std::string::npos;
       at = text.find("Corruption: IO error: ", at)) {
    text.erase(at, kDamaged.size());
  }
  return text;
}

Error Error::From(const rocksdb::Status& status, std::string_view context) {
  Error error;
  if (status.ok()) {
    return error;
  }
  error.code_ = CodeName(status.code());
  error.subcode_ = SubCodeName(status.subcode());
  error.severity_ = SeverityName(status.severity());
  const std::string text = Worded(status);
  error.message_ = context.empty() ? text : std::string(context) + ": " + text;
  error.message_ += Advice(status, error.message_);
  return std::move(error).WithWhy(text);
}

Error Error::System(std::string_view doing, int error_number) {
  Error error("ROCKSDB_IO_ERROR", std::string(doing) + ": " + std::strerror(error_number));
  if (error_number == ENOSPC || error_number == EDQUOT) {
    error.subcode_ = SubCodeName(Status::kNoSpace);
  }
  if (error_number == EMFILE) {
    error.message_ += kTooManyFiles;
  }
  return std::move(error).WithWhy(std::strerror(error_number));
}

// Not in the header: inlined, GCC 12 takes a fact that is a text for a number that was never set.
Error Error::With(std::string_view name, Fact fact) && {
  if (!ok()) {
    facts_.emplace_back(name, std::move(fact));
  }
  return std::move(*this);
}

}  // namespace rocksdb_backup
