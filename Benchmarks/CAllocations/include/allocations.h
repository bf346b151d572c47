#pragma once
#include <stdint.h>

/// Heap allocations of this process so far: malloc, calloc, realloc and memalign, of every library.
/// 0 for ever where the C library is not glibc.
uint64_t pushbench_allocations(void);
