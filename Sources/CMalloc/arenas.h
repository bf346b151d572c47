// Swift's module of the C library leaves malloc.h out.
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

/// Lets all threads allocate from the process's one heap. Of a thread's own, the GNU library asks
/// the kernel for each page, and gives back what another one could have used.
static inline void share_one_arena(void) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
#endif
}

/// Lets the heap lie on large pages where the system has them: a page that is used for the first
/// time costs the kernel as much as many packets cost us, and a large one little more than a small
/// one. Address space is asked for, not memory. To be called before there are threads; if it does
/// nothing, all goes on as ever.
static inline void prefer_large_pages(void) {
#if defined(__GLIBC__) && defined(MADV_HUGEPAGE)
  enum { reserve = 256 << 20, piece = 64 << 10, page = 2 << 20 };
  char *before = sbrk(0);
  // Setting one of these fixes the others, so each is what it would become in a long run.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 2 * reserve);
  mallopt(M_TOP_PAD, reserve);
  // The heap grows when its rest is used up.
  void *pieces[64];
  int count = 0;
  while (count < 64 && sbrk(0) == before) {
    if (!(pieces[count] = malloc(piece))) break;
    count++;
  }
  while (count > 0) free(pieces[--count]);
  mallopt(M_TOP_PAD, 1 << 20);
  uintptr_t start = ((uintptr_t)before + page - 1) & -(uintptr_t)page;
  uintptr_t end = (uintptr_t)sbrk(0) & -(uintptr_t)page;
  if (start < end) madvise((void *)start, end - start, MADV_HUGEPAGE);
#endif
}
