#include "firstcert.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "log.h"
#include "shard.h"
#include "tlsfiles.h"

enum { LOOK_MS = 1000 };

/* Is any of the files, by commas, not there? */
static bool lacks(const char *files)
{
	bool lacking = false;
	for (struct bytes rest = bytes_text(files); rest.at && !lacking;) {
		struct bytes path = bytes_trim(bytes_split(rest, ',', &rest));
		struct stat st;
		char *copy = x_alloc(path.len + 1);
		if (path.len)
			memcpy(copy, path.at, path.len);
		copy[path.len] = 0;
		lacking = stat(copy, &st) < 0 && errno == ENOENT;
		free(copy);
	}
	return lacking;
}

bool firstcert_is_missing(const struct relay_options *o)
{
	return *o->acme_webroot && *o->tls_certificate && (lacks(o->tls_certificate) || lacks(o->tls_key));
}

static void on_all_open(void *context)
{
	struct shard *s = context;
	if (!s->closing && !s->life.ending)
		s->relay->first_certificate.on_there(s);
}

static void on_there(void *context)
{
	struct shard *s = context;
	struct shard *first = s->relay->shard[0];
	relaylife_welcome(s);
	if (atomic_fetch_sub(&s->relay->first_certificate.opening, 1) == 1)
		loop_post(first->loop, on_all_open, first);
}

static void on_look(void *context)
{
	struct shard *s = context;
	struct relay *r = s->relay;
	struct firstcert *f = &r->first_certificate;
	struct diag why = {0};
	if (s->life.ending)
		return;
	if (!shard_complete(s) || firstcert_is_missing(r->options)) {
		timer_set(&f->look, LOOK_MS);
		return;
	}
	if (tlsfiles_check(r->options->tls_certificate, r->options->tls_key, &why)) {
		/* Perhaps one of the two is still being written. */
		if (!f->said)
			log_warning(SUBJECT("relay"), "the first certificate is no good", F_TEXT("reason", why.text));
		f->said = true;
		timer_set(&f->look, LOOK_MS);
		return;
	}
	log_info(SUBJECT("relay"), "the first certificate is there", F_TEXT("file", r->options->tls_certificate));
	atomic_store(&r->uncertified, false);
	atomic_store(&f->opening, r->count);
	for (unsigned i = 0; i < r->count; i++)
		loop_post(r->shard[i]->loop, on_there, r->shard[i]);
}

void firstcert_await(struct shard *first, void (*then)(struct shard *first))
{
	struct firstcert *f = &first->relay->first_certificate;
	f->on_there = then;
	timer_init(&f->look, first->loop, on_look, first);
	timer_set(&f->look, LOOK_MS);
	log_warning(SUBJECT("relay"), "no certificate yet: only the plain port is open until the files are there",
		    F_TEXT("file", first->relay->options->tls_certificate));
}

void firstcert_stop(struct shard *first)
{
	struct firstcert *f = &first->relay->first_certificate;
	if (f->on_there)
		timer_cancel(&f->look);
}
