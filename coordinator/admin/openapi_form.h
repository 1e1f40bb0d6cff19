/* Other forms of an OpenAPI 3.1 document: as 3.0.3 for older generators, and as a plain HTML page for people.
 * Not the documents (openapi-*.json) and not their serving (openapi.h). The caller owns what it gets. */
#ifndef OPENAPI_FORM_H
#define OPENAPI_FORM_H

#include <jansson.h>

#include "buffer.h"

/* A new document of version 3.0.3: null as `nullable`, `const` as an enum of one. */
json_t *openapi_downgrade(const json_t *document);
/* Lists the operations by tag, with parameters, members of bodies, and statuses. No script, nothing from elsewhere. */
MUST_USE enum err openapi_page(const json_t *document, struct buffer *out);

#endif
