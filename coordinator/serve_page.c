#include "serve_page.h"

#include <stdio.h>
#include <time.h>

#include "coordinator.h"
#include "doorstep.h"
#include "hostinfo.h"
#include "html.h"
#include "log.h"
#include "logins.h"
#include "pages.h"
#include "sshchecks.h"
#include "text.h"

enum { PAGE_MAX = 256 << 10, SHOWN_MAX = 253, TEXT_MAX = 64 };

struct page_task {
	struct exchange *x;
	struct login_id id;
};

/* Only the style that we built in; nothing else is loaded, sent or framed. */
static void add_headers(struct exchange *x)
{
	uint8_t hash[32];
	struct buffer base64;

	hash_bytes(page_style, hash);
	buffer_init(&base64, 64);
	if (!base64_encode(bytes_of(hash, sizeof hash), &base64))
		exchange_add_header(x, "Content-Security-Policy",
				    bytes_text(arena_format(x->arena,
							    "default-src 'none'; style-src 'sha256-%.*s'; base-uri 'none'; form-action 'none'; "
							    "frame-ancestors 'none'",
							    BYTES_ARG(buffer_bytes(&base64)))));
	buffer_clear(&base64);
	exchange_add_header(x, "X-Frame-Options", BYTES("DENY"));
	exchange_add_header(x, "X-Content-Type-Options", BYTES("nosniff"));
	exchange_add_header(x, "Referrer-Policy", BYTES("no-referrer"));
	exchange_add_header(x, "Cache-Control", BYTES("no-store"));
}

static void page_reply(struct exchange *x, unsigned status, struct bytes text, const struct html_value *values)
{
	struct buffer out;

	buffer_init(&out, PAGE_MAX);
	if (html_fill(text, values, &out)) {
		log_warning(SUBJECT("page"), "page not filled", F_UINT("id", x->id));
		exchange_reply_text(x, 500, "this page cannot be shown\n");
	} else {
		add_headers(x);
		exchange_reply(x, status, "text/html; charset=utf-8", buffer_bytes(&out));
	}
	buffer_clear(&out);
}

static void reply_missing(struct exchange *x)
{
	doorstep_refused(x);
	page_reply(x, 404, page_missing, (struct html_value[]){{0}});
}

/* "6 Mar 2031, 14:05 UTC (in 12 minutes)" */
static struct bytes ends_text(struct arena *arena, struct wall ends, int64_t left_ms)
{
	time_t seconds = (time_t)(ends.ns / 1000000000);
	int64_t minutes = (left_ms + 59999) / 60000;
	struct tm parts;
	char text[TEXT_MAX];

	if (!gmtime_r(&seconds, &parts) || !strftime(text, sizeof text, "%-d %b %Y, %H:%M UTC", &parts))
		return BYTES("soon");
	return bytes_text(arena_format(arena, "%s (in %lld minute%s)", text, (long long)minutes, minutes == 1 ? "" : "s"));
}

static struct bytes told(const struct login *login, const char *member, struct arena *arena)
{
	return bytes_take(hostinfo_text(login->hostinfo, member, arena), SHOWN_MAX);
}

static struct bytes system_of(const struct login *login, struct arena *arena)
{
	struct bytes name = told(login, "OS", arena), version = told(login, "OSVersion", arena);

	if (!version.len)
		return name;
	return bytes_text(arena_format(arena, "%.*s %.*s", BYTES_ARG(name), BYTES_ARG(version)));
}

/* "tag:a, tag:b" */
static struct bytes tags_of(const struct login *login, struct arena *arena)
{
	char *text = arena_alloc(arena, SHOWN_MAX + 1);
	struct bytes *tags;
	size_t count = hostinfo_request_tags(login->hostinfo, arena, &tags), len = 0;

	for (size_t i = 0; i < count && len + tags[i].len + 2 < SHOWN_MAX; i++)
		len += (size_t)sprintf(text + len, "%s%.*s", len ? ", " : "", BYTES_ARG(tags[i]));
	return bytes_of(text, len);
}

static void reply_login(struct page_task *t, const struct logins_found *found)
{
	struct arena *arena = t->x->arena;
	const struct login *login = found->login;
	const struct bytes yes = BYTES("1"), no = BYTES_NONE;
	bool pending = !login_answered(login) && found->left_ms > 0, expired = !login_answered(login) && !pending;
	struct bytes host = told(login, "Hostname", arena);
	char *key = arena_alloc(arena, KEY_SHORT_MAX), *ends = arena_alloc(arena, TIME_TEXT_MAX);

	key_short(key, login->machine_key.raw);
	time_format(ends, (struct wall){login->ends.ns / 1000000000 * 1000000000});
	page_reply(t->x, expired ? 410 : 200, page_login,
		   (struct html_value[]){
			   {"id", bytes_text(t->id.text)},
			   {"host", host.len ? host : login->label},
			   {"os", system_of(login, arena)},
			   {"client", told(login, "IPNVersion", arena)},
			   {"address", login->address},
			   {"machine", bytes_text(key)},
			   {"renews", found->renews},
			   {"tags", tags_of(login, arena)},
			   {"ephemeral", login->ephemeral ? yes : no},
			   {"ends", bytes_text(ends)},
			   {"ends_text", ends_text(arena, login->ends, found->left_ms)},
			   {"pending", pending ? yes : no},
			   {"joined", login->node ? yes : no},
			   {"rejected", login->refused ? login->refusal : no},
			   {"expired", expired ? yes : no},
			   {0},
		   });
}

static void on_found(void *context, enum err e, const struct logins_found *found)
{
	struct page_task *t = context;

	if (e) {
		exchange_add_header(t->x, "Retry-After", BYTES("5"));
		exchange_reply_text(t->x, 503, "try again in a moment\n");
	} else if (found->login) {
		reply_login(t, found);
	} else {
		reply_missing(t->x);
	}
}

void serve_login_page(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct page_task *t = ARENA_NEW(x->arena, struct page_task);

	t->x = x;
	if (!doorstep_credential(x))
		return;
	if (login_id_parse(x->params[0], &t->id))
		reply_missing(x);
	else
		logins_find(c->pg, t->id.hash, x->arena, on_found, t);
}

/* --- of SSH rules -------------------------------------------------------------------------------------------------------------------------------------- */

static void reply_check(struct page_task *t, const struct sshchecks_found *found)
{
	struct arena *arena = t->x->arena;
	const struct sshcheck *check = &found->check;
	const struct bytes yes = BYTES("1"), no = BYTES_NONE;
	bool pending = !check->answered && found->left_ms > 0, expired = !check->answered && !pending;
	char *ends = arena_alloc(arena, TIME_TEXT_MAX);

	time_format(ends, (struct wall){check->ends.ns / 1000000000 * 1000000000});
	page_reply(t->x, expired ? 410 : 200, page_check,
		   (struct html_value[]){
			   {"id", bytes_text(t->id.text)},
			   {"source", found->source},
			   {"owner", found->owner},
			   {"destination", found->destination},
			   {"local_user", check->local_user},
			   {"network", found->network},
			   {"ends", bytes_text(ends)},
			   {"ends_text", ends_text(arena, check->ends, found->left_ms)},
			   {"pending", pending ? yes : no},
			   {"approved", check->answered && !check->refusal.at ? yes : no},
			   {"rejected", sshcheck_refused(check) ? check->refusal : no},
			   {"expired", expired ? yes : no},
			   {0},
		   });
}

static void on_check_found(void *context, enum err e, const struct sshchecks_found *found)
{
	struct page_task *t = context;

	if (e) {
		exchange_add_header(t->x, "Retry-After", BYTES("5"));
		exchange_reply_text(t->x, 503, "try again in a moment\n");
	} else if (found) {
		reply_check(t, found);
	} else {
		reply_missing(t->x);
	}
}

void serve_check_page(struct exchange *x)
{
	struct coordinator *c = x->program;
	struct page_task *t = ARENA_NEW(x->arena, struct page_task);

	t->x = x;
	if (!doorstep_credential(x))
		return;
	if (login_id_parse(x->params[0], &t->id))
		reply_missing(x);
	else
		sshchecks_find(c->pg, t->id.hash, x->arena, on_check_found, t);
}
