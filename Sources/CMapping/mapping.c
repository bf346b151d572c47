#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "mapping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// What is mapped. The handler below can only read what needs no lock.
enum { most = 256 };
static struct {
  _Atomic(uintptr_t) start, count;
} pieces[most];
static _Atomic(long) lost;
static struct sigaction before;
static uintptr_t page_size;

static int is_in_piece(uintptr_t address) {
  for (int place = 0; place < most; place++) {
    uintptr_t start = atomic_load(&pieces[place].start);
    if (start > 1 && address - start < atomic_load(&pieces[place].count)) return 1;
  }
  return 0;
}

static void fill_page(int signal, siginfo_t *info, void *context) {
  (void)context;
  int error = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  if (is_in_piece(address)) {
    void *page = (void *)(address & ~(page_size - 1));
    if (mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page) {
      atomic_fetch_add(&lost, 1);
      errno = error;
      return;
    }
  }
  // Not ours. It happens again at once, and whoever was asked before is asked.
  sigaction(signal, &before, NULL);
  errno = error;
}

static int is_guarded;

static void guard(void) {
  page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
  action.sa_sigaction = fill_page;
  sigemptyset(&action.sa_mask);
  is_guarded = sigaction(SIGBUS, &action, &before) == 0;
}

const void *map_piece(int descriptor, long long offset, long count) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, guard);
  if (!is_guarded) return NULL;
  // 1: taken, not mapped yet.
  int place = 0;
  for (uintptr_t none = 0; place < most; place++, none = 0) {
    if (atomic_compare_exchange_strong(&pieces[place].start, &none, 1)) break;
  }
  if (place == most) return NULL;
  void *piece = mmap(NULL, (size_t)count, PROT_READ, MAP_SHARED, descriptor, (off_t)offset);
  if (piece == MAP_FAILED) {
    atomic_store(&pieces[place].start, 0);
    return NULL;
  }
  atomic_store(&pieces[place].count, (uintptr_t)count);
  atomic_store(&pieces[place].start, (uintptr_t)piece);
  return piece;
}

void unmap_piece(const void *piece, long count) {
  for (int place = 0; place < most; place++) {
    if (atomic_load(&pieces[place].start) != (uintptr_t)piece) continue;
    // First the place: once the memory is free, another piece may get this address.
    atomic_store(&pieces[place].count, 0);
    atomic_store(&pieces[place].start, 0);
    munmap((void *)piece, (size_t)count);
    return;
  }
}

long lost_pages(void) { return atomic_load(&lost); }
