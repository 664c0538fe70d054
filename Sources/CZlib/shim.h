#pragma once
#define ZLIB_CONST
#include <zlib.h>

// A macro, which Swift cannot call. 16 on top of the window size: a gzip header is demanded, and
// zlib checks each member's CRC-32 and length against its trailer.
static inline int kanmon_inflate_begin(z_stream *stream) {
    return inflateInit2(stream, 16 + MAX_WBITS);
}
