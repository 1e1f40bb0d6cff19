#include "signers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "serverkeys.h"

/* Outlives its owner while an answer is out: `c` is NULL then. */
struct signers {
	struct coordinator *c;
	struct timer look;
	struct signing_key keys[SERVERKEYS_MAX];
	size_t count;
	char told[SIGN_TEXT_MAX]; /* what signs, as it was told last */
	bool out;
};

static void end(struct signers *s)
{
	key_wipe(s, sizeof *s);
	free(s);
}

/* Each worker reads them, one tells: what signs from now on, whether its row is new or its time has come. */
static void tell(struct signers *s)
{
	const struct signing_key *signer = signers_now(s);
	char text[SIGN_TEXT_MAX] = "";

	if (signer)
		sign_format(text, &signer->key);
	if (s->c->worker->index || strcmp(text, s->told) == 0)
		return;
	if (!signer)
		log_error(SUBJECT("relay"), "no key signs answers to relays: they believe none");
	else
		log_info(SUBJECT("relay"), "another key signs answers to relays", F_TEXT("key", text), F_UINT("keys", s->count));
	snprintf(s->told, sizeof s->told, "%s", text);
}

static void on_keys(void *context, enum err e, const struct signing_key *keys, size_t count)
{
	struct signers *s = context;

	s->out = false;
	if (!s->c) {
		end(s);
		return;
	}
	if (e && e != ERR_NOT_FOUND)
		return;
	key_wipe(s->keys, sizeof s->keys);
	memcpy(s->keys, keys, count * sizeof *keys);
	s->count = count;
	tell(s);
}

static void on_look(void *context)
{
	struct signers *s = context;

	if (!s->out) {
		s->out = true;
		serverkeys_signing(s->c->pg, on_keys, s);
	}
	timer_set(&s->look, SIGNERS_LOOK_MS);
}

struct signers *signers_new(struct coordinator *c, const struct signing_key *keys, size_t count)
{
	struct signers *s = x_zalloc(sizeof *s);

	s->c = c;
	s->count = count < SERVERKEYS_MAX ? count : SERVERKEYS_MAX;
	memcpy(s->keys, keys, s->count * sizeof *keys);
	if (signers_now(s))
		sign_format(s->told, &signers_now(s)->key);
	timer_init(&s->look, c->loop, on_look, s);
	timer_set(&s->look, SIGNERS_LOOK_MS);
	return s;
}

void signers_free(struct signers **signers)
{
	struct signers *s = *signers;

	if (!s)
		return;
	*signers = NULL;
	timer_cancel(&s->look);
	s->c = NULL;
	if (!s->out)
		end(s);
}

const struct signing_key *signers_now(const struct signers *signers)
{
	return serverkeys_signer(signers->keys, signers->count, clock_wall());
}

const struct signing_key *signers_all(const struct signers *signers, size_t *count)
{
	*count = signers->count;
	return signers->keys;
}
