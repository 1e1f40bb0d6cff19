#include "serve_rest.h"

#include "dispatch.h"
#include "session.h"

struct answer {
	const char *path;
	unsigned status;
	const char *type; /* NULL: plain text */
	const char *body;
};

static const struct answer answers[] = {
	/* The CLI shows the text and stops; nothing else breaks. */
	{"/machine/set-dns", 501, NULL, "this server does not publish DNS records for certificates\n"},
	{"/machine/feature/query", 501, NULL, "this server does not offer that feature\n"},
	{"/machine/webclient/{*}", 501, NULL, "this server does not authorise web client sessions\n"},
	/* Lock is never announced, so only somebody who types the command comes here. */
	{"/machine/tka/{*}", 501, NULL, "this server does not offer tailnet lock\n"},
};

void serve_rest(struct exchange *x)
{
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		if (strcmp(answers[i].path, x->route->path) != 0)
			continue;
		exchange_reply(x, answers[i].status, answers[i].type ? answers[i].type : "text/plain; charset=utf-8", bytes_text(answers[i].body));
		return;
	}
	exchange_reply_text(x, 404, "not found\n");
}

void serve_whoami(struct exchange *x)
{
	char text[KEY_TEXT_MAX];

	key_format_machine(text, x->machine);
	exchange_reply_text(x, 200, text);
}
