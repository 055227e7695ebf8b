#pragma once

#include <cstdio>
#include <cstdlib>

// What must be true of every input; what is not ends the fuzzer, which keeps the input.
inline void Must(bool held, const char* what) {
  if (!held) {
    fprintf(stderr, "not true: %s\n", what);
    abort();
  }
}
