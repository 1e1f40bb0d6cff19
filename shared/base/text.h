/* Strict text <-> integers, hex, base64, durations, RFC 3339 times.
 * Not locale-aware, never skips spaces, never accepts a sign or a trailing byte that the form does not have.
 * Plain values; nothing is owned. */
#ifndef TEXT_H
#define TEXT_H

#include "buffer.h"
#include "clock.h"

MUST_USE enum err text_parse_u64(struct bytes text, uint64_t max, uint64_t *value);
MUST_USE enum err text_parse_i64(struct bytes text, int64_t *value);
/* Decimal digits without a NUL; how many. Printing with formats costs ten times as much, and maps are made of numbers. */
enum { U64_DIGITS_MAX = 20 };
size_t text_put_u64(char out[static U64_DIGITS_MAX], uint64_t value);
MUST_USE enum err hex_decode(struct bytes text, uint8_t *out, size_t len); /* exactly 2 * len digits, either case */
void hex_encode(char *out, struct bytes b);                                /* 2 * len digits and a NUL */
/* Standard alphabet, padded. */
MUST_USE enum err base64_decode(struct bytes text, struct buffer *out);
MUST_USE enum err base64_encode(struct bytes b, struct buffer *out);
/* "10s", "1m30s", "250ms", "90d", "2w", "1y" (365 days), as Prometheus has them; a bare number is refused. Milliseconds. */
MUST_USE enum err duration_parse(struct bytes text, int64_t *ms);
size_t duration_format(char out[static 32], int64_t ms);

enum { TIME_TEXT_MAX = 40 };
/* RFC 3339 with optional fraction and any offset. "0001-01-01T00:00:00Z" is WALL_ZERO. Digits past the ninth are dropped; instants that
 * nanoseconds since 1970 cannot hold (before 1678, after 2261) become the nearest that they can. */
MUST_USE enum err time_parse(struct bytes text, struct wall *wall);
size_t time_format(char out[static TIME_TEXT_MAX], struct wall wall); /* UTC, fraction as short as exact */

/* Damerau-Levenshtein distance (a swap of neighbours counts one), for "did you mean": `cap` when it is that or more. */
unsigned text_distance(struct bytes a, struct bytes b, unsigned cap);

#endif
