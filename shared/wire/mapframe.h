/* Frames of a map stream: 4-byte little-endian length, then one or several zstd frames (or JSON text), and how hard to compress.
 * Not the stream itself. One compression context per thread.
 * Appends to the caller's buffer. Source: docs/protocol/map.md (tailscale control/controlclient/direct.go). */
#ifndef MAPFRAME_H
#define MAPFRAME_H

#include "buffer.h"

enum { MAPFRAME_HEADER_LEN = 4, MAPFRAME_MAX = 64 << 20 };

/* Append one self-contained zstd frame of `plain` (level 1, content size, no checksum). */
MUST_USE enum err mapframe_compress(struct bytes plain, struct buffer *out);
/* Append the whole frame with its length: pieces that are already in the stream's form (compressed, or plain JSON). */
MUST_USE enum err mapframe_wrap(struct bytes piece, struct buffer *out);
void mapframe_header(uint8_t out[static MAPFRAME_HEADER_LEN], size_t len);
/* The keep-alive frame with its header, constant: {"KeepAlive":true} and one trailing newline, so that the client's shortcut never arms . */
struct bytes mapframe_keepalive(bool zstd);
/* Decode one piece (zstd frames back to back, without the 4-byte length) for tests and tools. ERR_TOO_BIG past `cap` plain bytes, ERR_MALFORMED for
 * what is no zstd or ends too early; `out` unchanged on error. */
MUST_USE enum err mapframe_decompress(struct bytes frames, size_t cap, struct buffer *out);

#endif
