// Swift's module of the C library leaves malloc.h out.
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/// Lets all threads allocate from the process's one heap. Of a thread's own, the GNU library asks
/// the kernel for each page, and gives back what another one could have used.
static inline void share_one_arena(void) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
#endif
}
