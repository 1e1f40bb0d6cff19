#include "h2pipe.h"

/* The first byte says where to split the rest; handlers answer, stream, or never answer until the end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct exchange *held[256];
static size_t held_count;

static void serve_echo(struct exchange *x)
{
	exchange_add_header(x, "X-Back", exchange_header(x, "x-extra"));
	exchange_reply(x, 200, "text/plain", x->body);
}

static void serve_hold(struct exchange *x)
{
	if (held_count < COUNT_OF(held))
		held[held_count++] = x;
	else
		exchange_reply_text(x, 503, "full\n");
}

static void on_room(void *context)
{
	struct exchange *x = context;
	struct body *b = body_new(BYTES("piece"));
	if (exchange_ready(x))
		exchange_send(x, &b, 1);
	body_drop(&b);
	if (x->id & 1)
		exchange_end(x);
}

static void on_gone(void *context, enum err why)
{
	(void)context, (void)why;
}

static void serve_stream(struct exchange *x)
{
	static const struct exchange_events EVENTS = {.on_room = on_room, .on_gone = on_gone};
	exchange_stream(x, 200, NULL, &EVENTS, x);
}

static const struct route TABLE[] = {
	{METHOD_POST, "/e", DOOR_NOISE, NULL, serve_echo, 100},
	{METHOD_GET, "/e", DOOR_NOISE, NULL, serve_echo, 0},
	{METHOD_GET, "/h/{id}", DOOR_NOISE, NULL, serve_hold, 0},
	{METHOD_GET, "/s", DOOR_NOISE, NULL, serve_stream, 0},
	{0},
};

static void take(struct h2pipe *h2, struct loop *loop)
{
	struct buffer out;
	buffer_init(&out, 1 << 20);
	loop_turn(loop, 0);
	(void)!h2pipe_take(h2, 1 << 16, &out);
	loop_turn(loop, 0);
	buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t BEGIN[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	static struct loop *loop;
	if (!loop)
		loop = loop_new();
	if (!size)
		return 0;
	struct h2pipe_config config = {.loop = loop, .table = TABLE, .door = DOOR_NOISE};
	struct h2pipe *h2 = h2pipe_new(&config);
	size_t split = data[0] ? data[0] : size;
	/* An odd first byte brings its own preface. */
	enum err e = data[0] & 1 ? ERR_NONE : h2pipe_feed(h2, bytes_of(BEGIN, sizeof(BEGIN)));
	for (size_t at = 1; at < size && e == ERR_NONE; at += split) {
		e = h2pipe_feed(h2, bytes_of(data + at, split < size - at ? split : size - at));
		take(h2, loop);
	}
	take(h2, loop);
	if (data[0] & 2)
		for (size_t i = 0; i < held_count; i++)
			exchange_reply_text(held[i], 200, "late");
	bool answered = data[0] & 2;
	h2pipe_free(&h2);
	for (size_t i = 0; i < held_count && !answered; i++)
		exchange_reply_text(held[i], 200, "later");
	held_count = 0;
	loop_turn(loop, 0);
	return 0;
}
