/* A gate against a coordinator that says anything: raw bytes instead of the handshake (first byte even), or frames behind a good one (odd).
 * The mapper answers each stream with bodies, chunks and ends. */
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate.h"
#include "log.h"
#include "noise.h"

#define SECRET BYTES("secret")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct gate *gate;
static size_t open_streams;

static void on_open(void *context, struct gate_stream *s)
{
	static const uint8_t name[LINK_CHUNK_NAME_LEN] = "chunk";
	struct body *body = body_new(BYTES("some bytes"));
	struct gate_piece pieces[2] = {{.body = body}, {.body = body, .chunk_name = name}};
	(void)context;
	open_streams++;
	s->user = &open_streams;
	gate_send_full(s, 1, pieces, 2);
	gate_send(gate, &s, 1, 2, BYTES("delta"));
	body_drop(&body);
	if (s->request.once)
		gate_end(s, LINK_END_DONE);
}

static void on_free(void *context, struct gate_stream *s)
{
	(void)context;
	assert(s->user && s->free);
	gate_send(gate, &s, 1, 3, BYTES("more"));
}

static void on_stands(void *context, struct gate_stream *s, uint64_t version)
{
	(void)context;
	assert(s->user);
	if (version % 7 == 6)
		gate_end(s, LINK_END_MOVED);
}

static void on_close(void *context, struct gate_stream *s)
{
	(void)context;
	(void)s;
	open_streams--;
}

static const struct gate_events events = {on_open, on_free, on_stands, on_close};

static void start(void)
{
	struct diag why;
	log_setup("fuzz", LOG_ERROR, LOG_TEXT);
	loop = loop_new();
	gate = gate_new(loop, (struct endpoint){.ip = {.family = IP_V4, .byte = {127, 0, 0, 1}}}, SECRET, &events, NULL, &why);
	if (!gate)
		abort();
}

static void turns(unsigned count)
{
	while (count--)
		loop_turn(loop, 0);
}

static bool greet(int fd, struct noise *noise)
{
	struct noise_psk psk;
	uint8_t message[NOISE_PSK_MESSAGE_LEN];
	noise_psk_start(&psk, SECRET, BYTES(LINK_PROLOGUE), message);
	if (write(fd, message, sizeof(message)) != sizeof(message))
		return false;
	for (int i = 0; i < 50; i++) {
		loop_turn(loop, 1);
		if (recv(fd, message, sizeof(message), MSG_DONTWAIT) == sizeof(message))
			return noise_psk_finish(&psk, bytes_of(message, sizeof(message)), noise) == ERR_NONE;
	}
	return false;
}

static void send_frames(int fd, struct bytes plain)
{
	struct noise noise;
	struct buffer out;
	if (!greet(fd, &noise))
		return;
	buffer_init(&out, 4 << 20);
	if (noise_seal(&noise.tx, plain, &out) == ERR_NONE && write(fd, out.at, out.len) < 0)
		turns(1);
	buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!loop)
		start();
	if (!size)
		return 0;
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(gate_endpoint(gate), &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		abort();
	if (data[0] & 1)
		send_frames(fd, bytes_of(data + 1, size - 1));
	else if (write(fd, data + 1, size - 1) < 0)
		abort();
	turns(4);
	/* Reset instead of a goodbye: no port rests. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
	close(fd);
	for (int i = 0; i < 200 && open_streams; i++)
		loop_turn(loop, 1);
	turns(2);
	assert(!open_streams);
	return 0;
}
