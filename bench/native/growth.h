#pragma once

#include <cstdint>
#include <string>

// The C++ side of `npm run bench:growth`.

// A database of so many files, and a directory with so many backups of it: each
// has one file that the one before has not, and lacks one that it has.
void Grow(const std::string& db_path, const std::string& backup_dir, uint64_t backups, uint64_t files,
          uint64_t families);

// What operations on the directory take with an engine that is opened once and
// stays open. Prints a line of JSON, milliseconds by name. Leaves ten backups.
void MeasureOpenEngine(const std::string& db_path, const std::string& backup_dir);
