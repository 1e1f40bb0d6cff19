#include "coordinators.h"

#include <stdlib.h>

#include "fetchurl.h"

enum err coordinators_parse(struct bytes text, struct coordinators *c, struct diag *why)
{
	struct bytes rest = text;
	while (rest.at) {
		struct bytes url = bytes_trim(bytes_split(rest, ',', &rest));
		while (url.len && url.at[url.len - 1] == '/')
			url.len--;
		if (!url.len)
			continue;
		if (!fetchurl_is_good(url))
			return diag_set(why, ERR_MALFORMED, "coordinators: \"%.*s\" is not an http:// or https:// URL", BYTES_ARG(url));
		if (c->count == COORDINATORS_MAX)
			return diag_set(why, ERR_TOO_BIG, "coordinators: more than %d", COORDINATORS_MAX);
		char *copy = x_alloc(url.len + 1);
		memcpy(copy, url.at, url.len);
		copy[url.len] = '\0';
		c->url[c->count++] = copy;
	}
	return c->count ? ERR_NONE : diag_set(why, ERR_MALFORMED, "coordinators: at least one URL is needed");
}

void coordinators_clear(struct coordinators *c)
{
	while (c->count)
		free(c->url[--c->count]);
}

unsigned coordinators_first(const struct coordinators *c)
{
	return atomic_load_explicit(&c->preferred, memory_order_relaxed) % c->count;
}

unsigned coordinators_next(const struct coordinators *c, unsigned index)
{
	return (index + 1) % c->count;
}

void coordinators_failed(struct coordinators *c, unsigned index)
{
	unsigned seen = index;
	atomic_compare_exchange_strong(&c->preferred, &seen, coordinators_next(c, index));
}

char *coordinators_url(const struct coordinators *c, unsigned index, const char *path)
{
	size_t head = strlen(c->url[index]), tail = strlen(path);
	char *url = x_alloc(head + tail + 1);
	memcpy(url, c->url[index], head);
	memcpy(url + head, path, tail + 1);
	return url;
}
