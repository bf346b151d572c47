// Swift has no word for this instruction.

/// Begins to fetch a line of memory that is wanted soon, and waits for nothing. Any address is
/// allowed; one that can't be read does nothing.
static inline void prefetch_line(const void *address) { __builtin_prefetch(address); }

/// Copies whole lines of memory to where another processor reads them, past the caches. To take a
/// line away from a processor that has read it costs ten times as much as to write it anew.
///
/// Both begin at a line of 64 bytes and have room for whole ones. When this returns, what was
/// written can be seen by whoever is told of it.
static inline void stream_lines(void *target, const void *source, long count) {
  typedef long long lane __attribute__((vector_size(16), may_alias));
  lane *to = (lane *)target;
  const lane *from = (const lane *)source;
  for (long at = 0; at < count; at += 64, to += 4, from += 4) {
    for (int part = 0; part < 4; part++) __builtin_nontemporal_store(from[part], to + part);
  }
  __sync_synchronize();
}
