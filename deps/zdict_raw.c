/* The two functions of zstd's dictionary builder that RocksDB calls, for sources that come without it.
 *
 * A zstd dictionary need not be trained: any bytes serve as a "raw content" dictionary, which is what RocksDB itself uses
 * when zstd_max_train_bytes is 0. So the dictionary made here is the samples' own bytes, taken evenly from all of them.
 * Data written with it is read by every zstd, and data written with a trained dictionary is read here.
 */

#include <string.h>

#include "zdict.h"

unsigned ZDICT_isError(size_t code) { return code > (size_t)-120; }

const char* ZDICT_getErrorName(size_t code) { return ZDICT_isError(code) ? "dictionary error" : "no error"; }

size_t ZDICT_trainFromBuffer(void* dict, size_t capacity, const void* samples, const size_t* sizes, unsigned count) {
  const char* from = (const char*)samples;
  char* to = (char*)dict;
  size_t total = 0;
  size_t used = 0;
  size_t seen = 0;
  unsigned i;
  for (i = 0; i < count; i++) total += sizes[i];
  for (i = 0; i < count; i++) {
    /* After this sample the dictionary holds the same share of its capacity as has been seen of the samples. */
    size_t want;
    seen += sizes[i];
    want = total <= capacity ? seen : (size_t)((double)capacity * (double)seen / (double)total);
    if (want > capacity) want = capacity;
    if (want > used) {
      size_t take = want - used;
      if (take > sizes[i]) take = sizes[i];
      memcpy(to + used, from, take);
      used += take;
    }
    from += sizes[i];
  }
  return used;
}

size_t ZDICT_finalizeDictionary(void* dict, size_t capacity, const void* content, size_t content_size,
                                const void* samples, const size_t* sizes, unsigned count, ZDICT_params_t parameters) {
  size_t take = content_size < capacity ? content_size : capacity;
  (void)samples;
  (void)sizes;
  (void)count;
  (void)parameters;
  /* The end of a dictionary is its most valuable part: it is the nearest to the data. */
  memmove(dict, (const char*)content + (content_size - take), take);
  return take;
}
