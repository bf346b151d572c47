// Pieces of files in memory, and what becomes of whoever reads one when the file is cut meanwhile.
#pragma once

/// Maps a piece of a file for reading.
///
/// A file that is cut, or that its disk can't give, would end the process at the first look at a
/// page that is gone. Such a page reads as zeros instead, and is counted.
///
/// - Parameter offset: a multiple of the size of a page.
/// - Returns: null when the system does not want to, or too many pieces are mapped.
const void *map_piece(int descriptor, long long offset, long count);

/// Takes a piece out of memory again.
void unmap_piece(const void *piece, long count);

/// How many pages of pieces were gone when somebody looked at them, since the process began.
long lost_pages(void);
