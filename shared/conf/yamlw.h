/* JSON values as YAML text: block style, two spaces, for answers and for people.
 * Not a reader. What another YAML reader, 1.1 or 1.2, could take for something else than the text it is stands in double quotes.
 * The caller owns both. */
#ifndef YAMLW_H
#define YAMLW_H

#include <jansson.h>

#include "buffer.h"

enum { YAMLW_DEPTH_MAX = 512 };

/* One document, ended by a line break. ERR_TOO_BIG past the buffer's cap or that depth; the buffer then holds a part. */
MUST_USE enum err yamlw_write(const json_t *value, struct buffer *out);

#endif
