#pragma once

#include <cstdio>
#include <cstdlib>

// Checks what must be true for every input. If it is not, the fuzzer ends and keeps the input.
inline void Must(bool held, const char* what) {
  if (!held) {
    fprintf(stderr, "not true: %s\n", what);
    abort();
  }
}
