/* A YAML file read as dotted names and scalar values.
 * Not a YAML library: no lists, few levels, no tags; meaning is option.c's.
 * Nothing is owned; names and values live until on_pair returns. */
#ifndef OPTIONFILE_H
#define OPTIONFILE_H

#include "bytes.h"
#include "err.h"

typedef enum err (*optionfile_pair_fn)(void *context, struct bytes name, struct bytes value);

/* Errors of on_pair get the position of the value's name in `why`. ERR_MALFORMED also when the file cannot be read. */
MUST_USE enum err optionfile_read(const char *path, optionfile_pair_fn on_pair, void *context, struct diag *why);
MUST_USE enum err optionfile_parse(struct bytes text, optionfile_pair_fn on_pair, void *context, struct diag *why);

#endif
