#include "body.h"

#include <assert.h>
#include <stdlib.h>

struct body *body_room(size_t len)
{
	assert(len <= SIZE_MAX - sizeof(struct body));
	struct body *b = x_alloc(sizeof(struct body) + len);
	b->refs = 1;
	b->len = len;
	return b;
}

struct body *body_new(struct bytes content)
{
	struct body *b = body_room(content.len);
	if (content.len)
		memcpy(b->at, content.at, content.len);
	return b;
}

void body_drop(struct body **body)
{
	struct body *b = *body;
	*body = NULL;
	if (!b)
		return;
	assert(b->refs);
	if (!--b->refs)
		free(b);
}
