// Counts heap allocations by standing in for malloc and its relatives: the program's own symbols win
// over the C library's, which stay reachable under glibc's second names.
#include "allocations.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic uint64_t count;

uint64_t pushbench_allocations(void) { return atomic_load_explicit(&count, memory_order_relaxed); }

#ifdef __GLIBC__
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void one(void) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); }

void *malloc(size_t size) {
  one();
  return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
  one();
  return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
  one();
  return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
  one();
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  one();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  one();
  *result = __libc_memalign(alignment, size);
  return *result || size == 0 ? 0 : 12;
}
#endif
