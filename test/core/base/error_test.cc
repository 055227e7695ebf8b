#include "core/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <variant>

namespace rocksdb_backup {
namespace {

using rocksdb::Status;

TEST(ErrorTest, ADefaultErrorAndTheErrorOfAnOkStatusMeanSuccess) {
  EXPECT_TRUE(Error().ok());
  EXPECT_TRUE(Error::From(Status::OK(), "copying").ok());
  EXPECT_TRUE(Error::From(Status::OK(), "copying").message().empty());
}

TEST(ErrorTest, AStatusKeepsItsCodeSubcodeSeverityAndWhatWasBeingDone) {
  const Error error = Error::From(Status(Status::NoSpace("disk", "full"), Status::kHardError), "backup of /db");
  EXPECT_EQ(error.code(), "ROCKSDB_IO_ERROR");
  EXPECT_EQ(error.subcode(), "NO_SPACE");
  EXPECT_EQ(error.severity(), "hard");
  EXPECT_EQ(error.message().rfind("backup of /db: ", 0), 0U) << error.message();
  EXPECT_NE(error.message().find("disk"), std::string::npos) << error.message();
}

TEST(ErrorTest, AStoppedDatabaseAndTooManyOpenFilesSayWhatToDo) {
  for (const auto severity : {Status::kHardError, Status::kFatalError}) {
    const std::string message =
        Error::From(Status(Status::NoSpace("disk", "full"), severity), "write to /db").message();
    EXPECT_NE(message.find("closed and opened again"), std::string::npos) << message;
  }
  EXPECT_EQ(Error::From(Status::NoSpace("disk", "full"), "x").message().find("opened again"), std::string::npos);
  const std::string message = Error::From(Status::IOError("/db/7.sst", std::strerror(EMFILE)), "x").message();
  EXPECT_NE(message.find("ulimit -n"), std::string::npos) << message;
}

TEST(ErrorTest, AFailedSystemCallSaysWhyAndAFullDiskIsNoSpace) {
  const Error denied = Error::System("cannot list /backups", EACCES);
  EXPECT_EQ(denied.code(), "ROCKSDB_IO_ERROR");
  EXPECT_EQ(denied.message(), "cannot list /backups: Permission denied");
  EXPECT_EQ(denied.subcode(), "");
  for (const int full : {ENOSPC, EDQUOT}) {
    EXPECT_EQ(Error::System("cannot make /backups", full).subcode(), "NO_SPACE");
  }
  const Error many = Error::System("cannot make /backups", EMFILE);
  EXPECT_NE(many.message().find("ulimit -n"), std::string::npos) << many.message();
}

std::string FactOf(const Error& error, const std::string& name) {
  for (const auto& [key, fact] : error.facts()) {
    if (key == name) {
      return std::get<std::string>(fact);
    }
  }
  return "";
}

TEST(ErrorTest, AnErrorHasFactsAndSuccessHasNone) {
  EXPECT_EQ(FactOf(Error::From(Status::Busy(), "x").With("path", "/db"), "path"), "/db");
  EXPECT_TRUE(Error::From(Status::OK(), "x").With("path", "/db").facts().empty());
  const Error reworded = Error("LOCK_LOST", "it was moved").With("path", "/b/lock").Reworded("given up: it was moved");
  EXPECT_EQ(reworded.code(), "LOCK_LOST");
  EXPECT_EQ(reworded.message(), "given up: it was moved");
  EXPECT_EQ(FactOf(reworded, "path"), "/b/lock");
}

TEST(ErrorTest, MissingPermissionsAndAFailingDiskAreFacts) {
  EXPECT_EQ(FactOf(Error::System("cannot list /b", EACCES), "why"), "denied");
  EXPECT_EQ(FactOf(Error::System("cannot list /b", EPERM), "why"), "denied");
  EXPECT_EQ(FactOf(Error::System("cannot list /b", EIO), "why"), "io");
  EXPECT_EQ(FactOf(Error::System("cannot list /b", ENOENT), "why"), "");
  EXPECT_EQ(FactOf(Error::From(Status::IOError("/b/7.sst", std::strerror(EIO)), "x"), "why"), "io");
  EXPECT_EQ(FactOf(Error::From(Status::IOError("/b/7.sst", std::strerror(EACCES)), "x"), "why"), "denied");
  EXPECT_EQ(FactOf(Error::From(Status::Corruption("/b/7.sst", "bad checksum"), "x"), "why"), "");
  EXPECT_EQ(WhyUnreadable("Corruption: bad checksum of /b/7.sst"), "damaged");
}

TEST(ErrorTest, ANestedStatusOfTheSameKindNamesTheKindOnce) {
  const Status inner = Status::Corruption("bad checksum of /b/7.sst");
  EXPECT_EQ(Worded(Status::Corruption(Status::Corruption(inner.ToString()).ToString())),
            "Corruption: bad checksum of /b/7.sst");
  EXPECT_EQ(Worded(Status::Corruption("/b/meta/1", Status::IOError("/b/meta/1", "no").ToString())),
            "Corruption: /b/meta/1: IO error: /b/meta/1: no");
  EXPECT_EQ(Worded(Status::Corruption(Status::IOError("/b/meta/1", "no").ToString())), "IO error: /b/meta/1: no")
      << "what the disk did not give is not damaged for that";
  EXPECT_EQ(Error::From(Status::Corruption(inner.ToString()), "x").message(),
            "x: Corruption: bad checksum of /b/7.sst");
}

TEST(ErrorTest, EveryStatusCodeHasACodeOfItsOwn) {
  const std::pair<Status, const char*> expected[] = {
      {Status::NotFound(), "ROCKSDB_NOT_FOUND"},
      {Status::Corruption(), "ROCKSDB_CORRUPTION"},
      {Status::NotSupported(), "ROCKSDB_NOT_SUPPORTED"},
      {Status::InvalidArgument(), "ROCKSDB_INVALID_ARGUMENT"},
      {Status::IOError(), "ROCKSDB_IO_ERROR"},
      {Status::MergeInProgress(), "ROCKSDB_MERGE_IN_PROGRESS"},
      {Status::Incomplete(), "ROCKSDB_INCOMPLETE"},
      {Status::ShutdownInProgress(), "ROCKSDB_SHUTDOWN_IN_PROGRESS"},
      {Status::TimedOut(), "ROCKSDB_TIMED_OUT"},
      {Status::Aborted(), "ROCKSDB_ABORTED"},
      {Status::Busy(), "ROCKSDB_BUSY"},
      {Status::Expired(), "ROCKSDB_EXPIRED"},
      {Status::TryAgain(), "ROCKSDB_TRY_AGAIN"},
      {Status::CompactionTooLarge(), "ROCKSDB_COMPACTION_TOO_LARGE"},
      {Status::ColumnFamilyDropped(), "ROCKSDB_COLUMN_FAMILY_DROPPED"},
  };
  for (const auto& [status, code] : expected) {
    const Error error = Error::From(status);
    EXPECT_EQ(error.code(), code);
    EXPECT_FALSE(error.message().empty()) << code;
    EXPECT_TRUE(error.subcode().empty()) << code;
    EXPECT_TRUE(error.severity().empty()) << code;
  }
  EXPECT_EQ(Error::From(Status::PathNotFound("x")).subcode(), "PATH_NOT_FOUND");
}

}  // namespace
}  // namespace rocksdb_backup
