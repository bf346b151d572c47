// Swift has no word for this instruction.

/// Begins to fetch a line of memory that is wanted soon, and waits for nothing. Any address is
/// allowed; one that can't be read does nothing.
static inline void prefetch_line(const void *address) { __builtin_prefetch(address); }
