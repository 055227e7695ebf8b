#include "core/backup/meta_file.h"

#include <gtest/gtest.h>

#include <string>

namespace rocksdb_backup::test {
namespace {

TEST(MetaFileTest, WhatEnginesWriteIsPlain) {
  const BackupMeta first = ParseMeta(
      "1700000000\n42\nmetadata 6869\n2\nprivate/1/CURRENT crc32 "
      "7\nshared/1.sst crc32 0\n");
  EXPECT_TRUE(first.plain);
  EXPECT_EQ(first.timestamp, 1700000000);
  EXPECT_EQ(first.app_metadata, "hi");
  ASSERT_EQ(first.entries.size(), 2U);
  EXPECT_EQ(first.entries[0].name, "private/1/CURRENT");
  EXPECT_EQ(first.entries[0].checksum, 7U);
  EXPECT_FALSE(first.entries[0].excluded);

  const BackupMeta second = ParseMeta(
      "schema_version 2.1\n1\n2\n2\nprivate/1/CURRENT crc32 7 size 16 temp "
      "kWarm\n"
      "shared/1.sst ni::excluded true\nshared/2.sst ni::excluded false\n");
  EXPECT_TRUE(second.plain);
  ASSERT_EQ(second.entries.size(), 3U);
  EXPECT_EQ(second.entries[0].size, 16U);
  EXPECT_TRUE(second.entries[1].excluded);
  EXPECT_FALSE(second.entries[2].excluded);
}

TEST(MetaFileTest, WhatAnEngineMightReadOtherwiseIsNotPlain) {
  for (const std::string text : {
           "",
           "\n",
           "1",
           "1\n2",
           "1\n2\n1",
           "1\n2\n1\nshared/1.sst crc32 7",    // no newline at the end: an engine
                                               // does not see the last line
           "1\n2\n2\nshared/1.sst crc32 7\n",  // a file too few
           "1\n2\n0\nshared/1.sst crc32 7\n",  // a file too many
           "1\n2\n-1\n",
           "-1\n2\n1\nshared/1.sst crc32 7\n",
           "1x\n2\n1\nshared/1.sst crc32 7\n",
           "\n1\n2\n1\nshared/1.sst crc32 7\n",
           "1\n2\n\n1\nshared/1.sst crc32 7\n",
           "1\n2\nmetadata 6\n1\nshared/1.sst crc32 7\n",
           "1\n2\nmetadata zz\n1\nshared/1.sst crc32 7\n",
           "1\n2\nmetadata 68\nmetadata 69\n1\nshared/1.sst crc32 7\n",
           "1\n2\nother 68\n1\nshared/1.sst crc32 7\n",
           "1\n2\n1\nshared/1.sst crc32 07\n",
           "1\n2\n1\nshared/1.sst crc32 4294967296\n",
           "1\n2\n1\nshared/1.sst crc32 -7\n",
           "1\n2\n1\nshared/1.sst crc32 \n",
           "1\n2\n1\nshared/1.sst crc32 7 \n",
           "1\n2\n1\nshared/1.sst  crc32 7\n",
           "1\n2\n1\nshared/1.sst crc32\n",
           "1\n2\n1\nshared/1.sst\n",
           "1\n2\n1\nshared/1.sst md5 7\n",
           "1\n2\n1\nshared/1.sst crc32 7 size 9\n",  // not in schema 1
           "1\n2\n1\nshared/1\x01.sst crc32 7\n",
           "1\n2\n1\nCURRENT crc32 7\n",
           "1\n2\n1\nshared/1.sst crc32 7\n\n",
           "1\n2\n1\nshared/1.sst crc32 7\n// FOOTER\nx y\n",
           "schema_version 3\n1\n2\n1\nshared/1.sst crc32 7\n",
           "schema_version 2.1\n1\n2\nni::new x\n1\nshared/1.sst crc32 7\n",
           "schema_version 2.1\n1\n2\n1\nshared/1.sst ni::new x\n",
           "schema_version 2.1\n1\n2\n1\nshared/1.sst crc32 7 crc32 8\n",
           "schema_version 2.1\n1\n2\n1\nshared/1.sst size 1x\n",
           "schema_version 2.1\n1\n2\n1\nshared/1.sst ni::excluded maybe\n",
           "schema_version 2.1\n1\n2\n1\nshared/1.sst crc32 7\n// FOOTER\nx "
           "y\n",
       }) {
    EXPECT_FALSE(ParseMeta(text).plain) << text;
  }
}

TEST(MetaFileTest, FileNamesAreReadFromADamagedMeta) {
  const BackupMeta meta = ParseMeta(
      "gar\nbage\nprivate/1/CURRENT crc32 "
      "7\nshared/1.sst crc32 x\nshared/2.sst");
  EXPECT_FALSE(meta.plain);
  ASSERT_EQ(meta.entries.size(), 3U);
  EXPECT_EQ(meta.entries[0].checksum, 7U);
  EXPECT_FALSE(meta.entries[1].checksum);
  EXPECT_EQ(meta.entries[2].name, "shared/2.sst");
}

}  // namespace
}  // namespace rocksdb_backup::test
