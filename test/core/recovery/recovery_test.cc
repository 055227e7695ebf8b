// From writes to an archive, and back to any moment of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "recovery/recovery_fixture.h"

namespace rocksdb_backup::test {
namespace {

TEST_F(RecoveryTest, EverySequenceNumberCanBeRecovered) {
  Open();
  Put("before", "the base");
  MakeBase();
  std::vector<Contents> states{{{"before", "the base"}}};
  const uint64_t base = database_->db()->GetLatestSequenceNumber();
  for (int i = 0; i < 40; ++i) {
    Put("key" + std::to_string(i % 7), "value" + std::to_string(i));
    states.push_back(states.back());
    states.back()["key" + std::to_string(i % 7)] = "value" + std::to_string(i);
    if (i % 10 == 3) {
      Archive();
    }
    if (i == 20) {
      MakeBase();
    }
  }
  Archive();
  for (size_t i = 0; i < states.size(); ++i) {
    SCOPED_TRACE(i);
    RecoveryResult result;
    Contents contents;
    const Error error = RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = base + i}, &result, &contents);
    ASSERT_GOOD(error);
    EXPECT_EQ(contents, states[i]);
    EXPECT_EQ(result.restored.backup.id, i < 21 ? 1U : 2U);
  }
  RecoveryResult result;
  Contents contents;
  ASSERT_GOOD(RecoverTo({}, &result, &contents));
  EXPECT_EQ(contents, states.back());
  EXPECT_CODE(RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = base - 1}, &result, &contents),
              "TARGET_BEFORE_WINDOW");
  EXPECT_CODE(RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = base + 41}, &result, &contents),
              "TARGET_AFTER_WINDOW");
}

class RecoveryByTimeTest : public RecoveryTest {
 protected:
  void SetUp() override {
    RecoveryTest::SetUp();
    options_.archive_clocks = {.wall = [this] { return wall_.load(); }, .steady = [this] { return steady_.load(); }};
  }
  void Advance(uint64_t micros) {
    wall_ += micros;
    steady_ += micros;
  }
  Error RecoverToTime(uint64_t time, Contents* contents, uint64_t era = 0) {
    RecoveryResult result;
    return RecoverTo({.kind = RecoveryTarget::Kind::kTime, .time = time, .era = era}, &result, contents);
  }

  static constexpr uint64_t kSecond = 1'000'000;
  static constexpr uint64_t kStart = uint64_t{1'700'000'000} * kSecond;
  std::atomic<uint64_t> wall_ = kStart;
  std::atomic<uint64_t> steady_ = 77;
};

TEST_F(RecoveryByTimeTest, EachMomentIsWhatWasWrittenByThen) {
  Open();
  MakeBase();
  for (int i = 1; i <= 9; ++i) {
    Advance(kSecond);
    Put("key", std::to_string(i));
    if (i % 3 == 0) {
      Archive();
    }
  }
  Contents contents;
  for (int i = 1; i <= 9; ++i) {
    SCOPED_TRACE(i);
    ASSERT_GOOD(RecoverToTime(kStart + i * kSecond, &contents));
    EXPECT_EQ(contents["key"], std::to_string(i));
    if (i < 9) {
      ASSERT_GOOD(RecoverToTime(kStart + i * kSecond + kSecond - 1, &contents));
      EXPECT_EQ(contents["key"], std::to_string(i));
    }
  }
  // Before the first write it was as the timeline found it.
  ASSERT_GOOD(RecoverToTime(kStart + kSecond - 1, &contents));
  EXPECT_EQ(contents, Contents());
  EXPECT_CODE(RecoverToTime(kStart - 1, &contents), "TARGET_BEFORE_WINDOW");
  EXPECT_CODE(RecoverToTime(kStart + 9 * kSecond + 1, &contents), "TARGET_AFTER_WINDOW");
}

TEST_F(RecoveryByTimeTest, AClockThatIsSetBackMakesAnEraAndATimeThatIsThereTwiceIsAmbiguous) {
  Open();
  MakeBase();
  for (int i = 1; i <= 5; ++i) {
    Advance(kSecond);
    Put("key", "first " + std::to_string(i));
  }
  wall_ -= 3 * kSecond;
  for (int i = 1; i <= 5; ++i) {
    Advance(kSecond);
    Put("key", "second " + std::to_string(i));
  }
  Archive();
  Contents contents;
  ASSERT_GOOD(RecoverToTime(kStart + 2 * kSecond, &contents));
  EXPECT_EQ(contents["key"], "first 2");
  ASSERT_GOOD(RecoverToTime(kStart + 6 * kSecond, &contents));
  EXPECT_EQ(contents["key"], "second 4");
  EXPECT_CODE(RecoverToTime(kStart + 4 * kSecond, &contents), "AMBIGUOUS_TIME");
  std::vector<Timeline> timelines;
  rocksdb_backup::Archive archive(repository_->settings().storage->archive_files(), "");
  ASSERT_GOOD(archive.List(&timelines));
  ASSERT_EQ(timelines.size(), 1U);
  ASSERT_GOOD(RecoverToTime(kStart + 4 * kSecond, &contents, timelines[0].segments.front().era));
  EXPECT_EQ(contents["key"], "first 4");
  ASSERT_GOOD(RecoverToTime(kStart + 4 * kSecond, &contents, timelines[0].segments.back().era));
  EXPECT_EQ(contents["key"], "second 2");
}

TEST_F(RecoveryByTimeTest, BetweenTwoOpeningsTheDatabaseIsAsItWasClosed) {
  Open();
  MakeBase();
  Advance(kSecond);
  Put("key", "before");
  Close();
  Advance(100 * kSecond);
  Open();
  Advance(kSecond);
  Put("key", "after");
  Archive();
  Contents contents;
  ASSERT_GOOD(RecoverToTime(kStart + 50 * kSecond, &contents));
  EXPECT_EQ(contents["key"], "before");
  ASSERT_GOOD(RecoverToTime(kStart + 102 * kSecond, &contents));
  EXPECT_EQ(contents["key"], "after");
}

TEST_F(RecoveryTest, ADatabaseThatIsOpenedAgainGoesOnWithItsTimeline) {
  Open();
  MakeBase();
  Contents expected;
  for (int run = 0; run < 4; ++run) {
    for (int i = 0; i < 30; ++i) {
      const std::string key = std::to_string(run) + "-" + std::to_string(i);
      Put(key, std::string(1000, 'x'));
      expected[key] = std::string(1000, 'x');
    }
    Close();
    Open();
  }
  Archive();
  EXPECT_EQ(archiver_->Status().timeline, 1U);
  EXPECT_FALSE(archiver_->Status().needs_base);
  RecoveryResult result;
  Contents contents;
  ASSERT_GOOD(RecoverTo({}, &result, &contents));
  EXPECT_EQ(contents, expected);
}

TEST_F(RecoveryTest, LogsThatAreInTheArchiveAreRemoved) {
  Open();
  MakeBase();
  for (int i = 0; i < 2000; ++i) {
    Put("key" + std::to_string(i), std::string(1000, 'x'));
    if (i % 500 == 499) {
      Archive();
    }
  }
  ASSERT_GOOD(database_->Flush(nullptr));
  Put("last", "one");
  Archive();
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(path("db/archive"))) {
    bytes += file.file_size();
  }
  EXPECT_LT(bytes, 300'000U) << "of two million";
}

TEST_F(RecoveryTest, WritesOfManyThreadsAreSplitWhereEachEnds) {
  constexpr int kWriters = 16;
  constexpr int kWrites = 200;
  Open();
  MakeBase();
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([this, writer] {
      for (int i = 1; i <= kWrites; ++i) {
        rocksdb::WriteBatch batch;  // both, or none
        ASSERT_TRUE(batch.Put("a" + std::to_string(writer), std::to_string(i)).ok());
        ASSERT_TRUE(batch.Put("b" + std::to_string(writer), std::to_string(i)).ok());
        ASSERT_GOOD(database_->Write({}, &batch));
      }
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  Archive();
  std::vector<Timeline> timelines;
  rocksdb_backup::Archive archive(repository_->settings().storage->archive_files(), "");
  ASSERT_GOOD(archive.List(&timelines));
  // The times in the archive are those of the writers' own batches, so a recovery to a time never splits one.
  std::vector<uint64_t> times;
  uint64_t batches = 0;
  for (const SegmentName& name : timelines[0].segments) {
    Segment segment;
    ASSERT_GOOD(archive.Read(1, name, &segment));
    ASSERT_GOOD(segment.ForEach({.batch =
                                     [&](const LoggedBatch& batch) {
                                       EXPECT_EQ(batch.count, 2U);
                                       times.push_back(batch.stamp.micros);
                                       ++batches;
                                       return Error();
                                     },
                                 .event = [](const ArchivedEvent&) { return Error(); }}));
  }
  EXPECT_EQ(batches, uint64_t{kWriters} * kWrites);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  for (size_t i = 7; i < times.size(); i += times.size() / 10) {
    RecoveryResult result;
    Contents contents;
    ASSERT_GOOD(RecoverTo({.kind = RecoveryTarget::Kind::kTime, .time = times[i]}, &result, &contents));
    uint64_t written = 0;
    for (int writer = 0; writer < kWriters; ++writer) {
      EXPECT_EQ(contents["a" + std::to_string(writer)], contents["b" + std::to_string(writer)]);
      written += std::stoul("0" + contents["a" + std::to_string(writer)]);
    }
    EXPECT_EQ(written, std::upper_bound(times.begin(), times.end(), times[i]) - times.begin());
  }
}

TEST_F(RecoveryTest, WhatNoBackupNeedsIsRemovedAndNothingElse) {
  Open();
  std::vector<Contents> states;
  for (int i = 0; i < 12; ++i) {
    Put("key", std::to_string(i));
    if (i % 4 == 1) {
      MakeBase();
    }
    Archive();
  }
  rocksdb_backup::Archive archive(repository_->settings().storage->archive_files(), "");
  const auto remove = [&] {
    std::vector<BackupDescription> backups;
    EXPECT_GOOD(repository_->List(false, &backups));
    uint64_t removed = 0;
    EXPECT_GOOD(
        archive.RemoveUnreachable([&](const ArchiveBase& base) { return IsBaseOfOne(backups, base); }, &removed));
    return removed;
  };
  const auto recoverable = [&](uint64_t sequence) {
    RecoveryResult result;
    Contents contents;
    const Error error = RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = sequence}, &result, &contents);
    EXPECT_TRUE(!error.ok() || contents["key"] == std::to_string(sequence - 1)) << sequence;
    return error.ok();
  };
  const uint64_t last = database_->db()->GetLatestSequenceNumber();
  std::vector<uint64_t> before;
  for (uint64_t sequence = 1; sequence <= last; ++sequence) {
    if (recoverable(sequence)) {
      before.push_back(sequence);
    }
  }
  (void)remove();
  for (const uint64_t sequence : before) {
    EXPECT_TRUE(recoverable(sequence)) << sequence;
  }
  ASSERT_GOOD(InTurn(*repository_, [&] { return repository_->Delete(1, false); }));
  EXPECT_GT(remove(), 2U);
  EXPECT_EQ(remove(), 0U);
  EXPECT_FALSE(recoverable(2));
  for (uint64_t sequence = 6; sequence <= last; ++sequence) {
    EXPECT_TRUE(recoverable(sequence)) << sequence;
  }
}

TEST_F(RecoveryTest, FamiliesThatAreMadeAndDroppedAreFollowed) {
  Open();
  MakeBase();
  std::vector<std::pair<uint64_t, Contents>> states;
  Contents expected;
  const auto note = [&] { states.emplace_back(database_->db()->GetLatestSequenceNumber(), expected); };
  const auto put_in = [&](const std::string& family, const std::string& key) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(batch.Put(database_->FamilyByName(family)->handle, key, "value").ok());
    ASSERT_GOOD(database_->Write({}, &batch));
    expected[family + "/" + key] = "value";
    note();
  };
  uint32_t id = 0;
  for (const std::string name : {"one", "two", "three"}) {
    ASSERT_GOOD(database_->CreateFamily(name, database_->family_options().Inherited(), &id));
    put_in(name, "1");
    put_in(name, "2");
    if (name == "two") {
      Archive();
      MakeBase();
    }
  }
  ASSERT_GOOD(database_->DropFamily("one"));
  std::erase_if(expected, [](const auto& each) { return each.first.starts_with("one/"); });
  Put("after", "the drop");
  expected["after"] = "the drop";
  note();
  Put("still", "after");
  expected["still"] = "after";
  note();
  Archive();
  for (const auto& [sequence, contents_then] : states) {
    SCOPED_TRACE(sequence);
    RecoveryResult result;
    Contents contents;
    ASSERT_GOOD(RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = sequence}, &result, &contents));
    EXPECT_EQ(contents, contents_then);
  }
}

// Each time, a new timeline begins, and it needs a base of its own.
class TimelineTest : public RecoveryTest {
 protected:
  void ExpectNewTimeline(TimelineReason reason) {
    Put("in the new", "timeline");
    Archive();
    const ArchiverStatus status = archiver_->Status();
    EXPECT_EQ(status.timeline, 2U);
    EXPECT_EQ(TextOf(status.reason), TextOf(reason));
    EXPECT_TRUE(status.needs_base);
    RecoveryResult result;
    Contents contents;
    EXPECT_CODE(RecoverTo({}, &result, &contents), "TARGET_BEFORE_WINDOW");
    ASSERT_GOOD(RecoverTo({.kind = RecoveryTarget::Kind::kLatest, .timeline = 1}, &result, &contents));
    EXPECT_EQ(contents, (Contents{{"first", "1"}}));
    MakeBase();
    Put("last", "one");
    Archive();
    ASSERT_GOOD(RecoverTo({}, &result, &contents));
    EXPECT_EQ(contents["last"], "one");
    EXPECT_EQ(contents["first"], "1");
  }
  void FirstTimeline() {
    Open();
    MakeBase();
    Put("first", "1");
    Archive();
  }
  // The database is then as it was before its first archived write.
  void FirstTimelineThatACopyLacks() {
    Open();
    MakeBase();
    std::filesystem::copy(path("db"), path("copy"), std::filesystem::copy_options::recursive);
    Put("first", "1");
    Close();
    std::filesystem::remove_all(path("db"));
    std::filesystem::rename(path("copy"), path("db"));
  }
  void OpenPlainly(const std::function<void(rocksdb::DB& db)>& use) {
    std::unique_ptr<rocksdb::DB> db;
    ASSERT_TRUE(OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::Open(rocksdb::Options(), "", out)) {
                  return rocksdb::DB::Open(rocksdb::Options(), path("db"), out);
                }).ok());
    use(*db);
  }
};

TEST_F(TimelineTest, AnotherProgramOpenedTheDatabase) {
  FirstTimeline();
  Close();
  OpenPlainly([](rocksdb::DB& db) { ASSERT_TRUE(db.Put({}, "by another", "program").ok()); });
  Open();
  ExpectNewTimeline(TimelineReason::kOtherProgram);
}

TEST_F(TimelineTest, TheDatabaseWasRestored) {
  FirstTimeline();
  Close();
  std::filesystem::remove_all(path("db"));
  RecoveryPlan plan;
  RecoveryResult result;
  Contents contents;
  ASSERT_GOOD(RecoverTo({}, &result, &contents));
  std::filesystem::rename(path("recovered"), path("db"));
  Open();
  ExpectNewTimeline(TimelineReason::kRestored);
}

TEST_F(TimelineTest, TheDatabaseIsBehindItsArchive) {
  FirstTimelineThatACopyLacks();
  Open();
  Put("first", "1");
  ExpectNewTimeline(TimelineReason::kBehind);
}

TEST_F(TimelineTest, TheDatabaseHasOtherWritesThanItsArchive) {
  FirstTimelineThatACopyLacks();
  // Without the archive, and as nobody else would notice.
  OpenPlainly([](rocksdb::DB& db) { ASSERT_TRUE(db.Put({}, "first", "1 of another history").ok()); });
  std::string current = ReadFile(path("db/CURRENT"));
  current.pop_back();
  WriteFile(path("db/rocksdb-backup.archive"), "rocksdb-backup archive 1\n1\n" + current + "\n0\nend\n");
  Open();
  Put("first", "1");
  ExpectNewTimeline(TimelineReason::kBehind);
}

TEST_F(TimelineTest, LogsWereRemovedBeforeTheyWereArchived) {
  archiver_options_.max_delay = std::chrono::hours(1);
  FirstTimeline();
  for (int i = 0; i < 300; ++i) {
    Put("lost", std::string(1000, 'x'));
  }
  ASSERT_GOOD(database_->Flush(nullptr));
  archiver_->Abandon();  // as if the process had been killed
  Close();
  std::filesystem::remove_all(path("db/archive"));
  Open();
  ExpectNewTimeline(TimelineReason::kGap);
}

TEST_F(RecoveryTest, AWriteWithoutTheLogIsRefused) {
  Open();
  rocksdb::WriteBatch batch;
  ASSERT_TRUE(batch.Put("key", "value").ok());
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  EXPECT_CODE(database_->Write(options, &batch), "PITR_NEEDS_WAL");
  EXPECT_EQ(batch.Count(), 1);
}

TEST_F(RecoveryTest, EveryDamageOfASegmentIsToldAndRecoveriesBeforeItWork) {
  Open();
  MakeBase();
  Put("first", "1");
  Archive();
  const uint64_t good = database_->db()->GetLatestSequenceNumber();
  Put("second", std::string(300, '2'));
  Archive();
  Close();
  std::vector<Timeline> timelines;
  rocksdb_backup::Archive archive(repository_->settings().storage->archive_files(), "");
  ASSERT_GOOD(archive.List(&timelines));
  ASSERT_EQ(timelines[0].segments.size(), 2U);
  const std::string file = path("repository/wal/0000000000000001/" + timelines[0].segments[1].Text());
  const std::string whole = ReadFile(file);
  RecoveryResult result;
  Contents contents;
  const auto expect_told = [&] {
    Error error = RecoverTo({}, &result, &contents);
    EXPECT_CODE(error, "SEGMENT_CORRUPT");
    EXPECT_NE(error.message().find(timelines[0].segments[1].Text()), std::string::npos) << error.message();
    EXPECT_FALSE(std::filesystem::exists(path("recovered")));
  };
  for (size_t at = 0; at < whole.size(); at += 13) {
    SCOPED_TRACE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    WriteFile(file, damaged);
    expect_told();
    WriteFile(file, whole.substr(0, at));
    expect_told();
  }
  WriteFile(file, whole + "x");
  expect_told();
  ASSERT_GOOD(RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = good}, &result, &contents));
  EXPECT_EQ(contents, (Contents{{"first", "1"}}));
  // Another segment in its place.
  WriteFile(file, ReadFile(path("repository/wal/0000000000000001/" + timelines[0].segments[0].Text())));
  expect_told();
  std::filesystem::remove(file);
  EXPECT_CODE(RecoverTo({.kind = RecoveryTarget::Kind::kSequence, .sequence = good + 1}, &result, &contents),
              "TARGET_AFTER_WINDOW");
}

}  // namespace
}  // namespace rocksdb_backup::test
