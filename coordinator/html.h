/* Fills HTML templates. {{name}} is a value, escaped; {{#name}}...{{/name}} stays where the value is not empty.
 * Not the templates (pages.h). Pure; every value is taken for hostile. */
#ifndef HTML_H
#define HTML_H

#include "buffer.h"

struct html_value {
	const char *name;
	struct bytes value;
};

/* values: ended by name NULL. ERR_MALFORMED: the template names a value that is not there, or its sections do not close; ERR_TOO_BIG. `out` is then not to be used. */
MUST_USE enum err html_fill(struct bytes text, const struct html_value *values, struct buffer *out);
/* For text and quoted attributes: no byte of it can end either. What is not UTF-8, and control characters, become U+FFFD. */
MUST_USE enum err html_escape(struct bytes value, struct buffer *out);

#endif
