#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace rocksdb_backup::test {

// `npm run torture` passes the seed and the form to an experiment.
inline uint64_t Seed() {
  const char* seed = getenv("TORTURE_SEED");
  return seed != nullptr ? strtoull(seed, nullptr, 10) : 1;
}

inline bool IsFullForm() {
  const char* full = getenv("TORTURE_FULL");
  return full != nullptr && std::string(full) == "1";
}

// The number of rounds: for the short form, for the long form, or as --rounds says.
inline uint64_t Rounds(uint64_t short_form, uint64_t full_form) {
  const char* rounds = getenv("TORTURE_ROUNDS");
  return rounds != nullptr && *rounds != '\0' ? strtoull(rounds, nullptr, 10) : IsFullForm() ? full_form : short_form;
}

class Chance {
 public:
  explicit Chance(uint64_t more = 0) : engine_(Seed() * 1000003 + more) {}
  // A random number less than `limit`, which is not 0.
  uint64_t Below(uint64_t limit) { return engine_() % limit; }
  bool OneIn(uint64_t many) { return Below(many) == 0; }

 private:
  std::mt19937_64 engine_;
};

// Prints a line of the final table.
inline void Figure(const std::string& what, const std::string& value) {
  printf("figure: %s = %s\n", what.c_str(), value.c_str());
  fflush(stdout);
}

}  // namespace rocksdb_backup::test
