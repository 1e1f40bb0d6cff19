#include "stream.h"

#include <stdlib.h>

#include "capver.h"

struct stream *stream_new(struct gate_stream *gate, uint64_t after)
{
	struct stream *s = x_zalloc(sizeof *s);
	s->gate = gate;
	s->slot = SLOT_NONE;
	s->after = after;
	list_init(&s->link);
	gate->user = s;
	return s;
}

void stream_free(struct stream **stream)
{
	if (!*stream)
		return;
	if ((*stream)->class.view)
		(*stream)->class.view->holders--;
	list_remove(&(*stream)->link);
	(*stream)->gate->user = NULL;
	free(*stream);
	*stream = NULL;
}

void stream_end(struct stream *s, enum link_end reason)
{
	if (s->ended)
		return;
	s->ended = true;
	gate_end(s->gate, reason);
}

void stream_told(struct stream *s, struct class class, uint64_t version)
{
	if (class.view != s->class.view) {
		s->view_since = version;
		class.view->holders++;
		if (s->class.view)
			s->class.view->holders--;
	}
	s->class = class;
	s->version = version;
}

void stream_stands(struct stream *s, uint64_t version)
{
	if (version >= s->version)
		return;
	/* Which row it was told before it came to its view is not kept. */
	if (version && version < s->view_since)
		stream_end(s, LINK_END_MOVED);
	s->version = version;
}

struct class stream_class(const struct stream *s, const struct views *views, const struct snapshot *snapshot)
{
	const struct link_subscribe *request = &s->gate->request;
	return (struct class){.view = view_of(views, snapshot, s->slot), .band = (uint16_t)capver_band(request->capver), .zstd = request->zstd};
}
