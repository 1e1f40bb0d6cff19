/* Paths and queries of strangers: whatever comes is answered once, and what a handler sees has no NUL. The first byte chooses the method; a question
 * mark ends the path. */
#include <stdlib.h>

#include "dispatch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned answers;

static struct bytes play_header(const struct exchange *x, const char *name)
{
	(void)x, (void)name;
	return BYTES_NONE;
}

static void play_add_header(struct exchange *x, const char *name, struct bytes value)
{
	(void)x, (void)name, (void)value;
}

static void play_reply(struct exchange *x, unsigned code, const char *type, struct bytes body)
{
	(void)x, (void)type, (void)body;
	if (code < 200 || code > 599)
		abort();
	answers++;
}

static const struct carrier PLAYED = {.header = play_header, .add_header = play_add_header, .reply = play_reply};

static void must_be_text(struct bytes b)
{
	if (b.len && memchr(b.at, 0, b.len))
		abort();
}

static void serve(struct exchange *x)
{
	for (size_t i = 0; i < EXCHANGE_PARAMS_MAX; i++)
		must_be_text(x->params[i]);
	must_be_text(exchange_query(x, "name"));
	must_be_text(exchange_query(x, ""));
	exchange_reply_text(x, 200, "");
}

static void guard(struct exchange *x)
{
	if (exchange_query(x, "please").at)
		dispatch_pass(x);
	else
		exchange_reply_error(x, ERR_DENIED, NULL);
}

static const struct route TABLE[] = {
	{METHOD_GET, "/", DOOR_CLIENTS, NULL, serve, 0},
	{METHOD_GET, "/n/{id}", DOOR_CLIENTS, guard, serve, 0},
	{METHOD_POST, "/n/register", DOOR_CLIENTS, NULL, serve, 7},
	{METHOD_DELETE, "/n/{id}/r/{name}", DOOR_CLIENTS | DOOR_ADMIN, NULL, serve, 0},
	{METHOD_GET, "/{a}/{b}/{c}/{d}", DOOR_CLIENTS, NULL, serve, 0},
	{METHOD_GET, "/files/{*}", DOOR_CLIENTS, NULL, serve, 0},
	{0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct exchange x = {.carrier = &PLAYED, .arena = arena_new(), .door = DOOR_CLIENTS, .method = (enum method)(data[0] % (METHOD_DELETE + 1))};
	x.path = bytes_split(bytes_of(data + 1, size - 1), '?', &x.query);
	answers = 0;
	(void)dispatch_body_max(TABLE, x.door, x.method, x.path);
	dispatch(TABLE, &x);
	if (answers != 1)
		abort();
	arena_free(&x.arena);
	return 0;
}
