#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace rocksdb_backup::test {

// A temporary directory that is on a disk if the system has its temporary files there. ScratchTest of backup_fixture.h
// prefers memory, from which every read succeeds without waiting.
class DiskTest : public ::testing::Test {
 protected:
  DiskTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rocksdb-backup-core-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr) << pattern;
    root_ = pattern;
  }
  ~DiskTest() override { std::filesystem::remove_all(root_); }

  std::string Path(const std::string& name) const { return root_ + "/" + name; }

  std::string root_;
};

}  // namespace rocksdb_backup::test
