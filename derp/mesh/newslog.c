#include "newslog.h"

#include <assert.h>
#include <stdlib.h>

#include "list.h"

struct piece {
	struct list link;
	uint64_t begin;
	size_t len;
	uint8_t at[NEWSLOG_PIECE];
};

struct newslog {
	struct list pieces; /* oldest first */
	uint64_t begin, end;
};

struct newslog *newslog_new(void)
{
	struct newslog *log = x_zalloc(sizeof *log);
	list_init(&log->pieces);
	return log;
}

void newslog_free(struct newslog **log)
{
	if (*log)
		newslog_forget(*log, (*log)->end);
	free(*log);
	*log = NULL;
}

uint64_t newslog_end(const struct newslog *log)
{
	return log->end;
}

size_t newslog_size(const struct newslog *log)
{
	return (size_t)(log->end - log->begin);
}

static void add_piece(struct newslog *log)
{
	struct piece *p = x_alloc(sizeof *p);
	p->begin = log->end;
	p->len = 0;
	list_append(&log->pieces, &p->link);
}

static struct piece *last(const struct newslog *log)
{
	return OWNER_OF(log->pieces.prev, struct piece, link);
}

void newslog_add(struct newslog *log, struct bytes frame)
{
	assert(frame.len <= NEWSLOG_PIECE);
	if (!frame.len)
		return;
	if (list_empty(&log->pieces) || last(log)->len + frame.len > NEWSLOG_PIECE)
		add_piece(log);
	struct piece *p = last(log);
	memcpy(p->at + p->len, frame.at, frame.len);
	p->len += frame.len;
	log->end += frame.len;
}

struct bytes newslog_from(const struct newslog *log, uint64_t at)
{
	assert(at >= log->begin && at <= log->end);
	LIST_EACH(&log->pieces, p, struct piece, link) {
		if (at < p->begin + p->len)
			return bytes_of(p->at + (at - p->begin), p->len - (size_t)(at - p->begin));
	}
	return BYTES_NONE;
}

void newslog_forget(struct newslog *log, uint64_t before)
{
	LIST_EACH(&log->pieces, p, struct piece, link) {
		if (p->begin + p->len > before)
			break;
		log->begin = p->begin + p->len;
		list_remove(&p->link);
		free(p);
	}
}
