/* From the request to a proven key, at the relay of relay_house.h. */
#include "handshake.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "box.h"
#include "metrics_relay.h"
#include "relay_house.h"
#include "text.h"

#define DERP "Connection: Upgrade\r\nUpgrade: DERP\r\n"
#define MESH_KEY "1111111111111111111111111111111111111111111111111111111111111111"

enum { GREETING = DERPFRAME_SERVER_KEY_LEN };

/* What comes until the end of the stream or of so many bytes. */
static size_t read_some(int fd, char *out, size_t most)
{
	size_t len = 0;
	ssize_t n;
	while (len < most && (n = recv(fd, out + len, most - len, 0)) > 0)
		len += (size_t)n;
	return len;
}

static bool is_greeting(const char *at)
{
	return !memcmp(at,
		       "\x01\0\0\0\x28"
		       "DERP\xf0\x9f\x94\x91",
		       13) &&
	       !memcmp(at + 13, relay.public_key.raw, KEY_LEN);
}

/* Status; 0: the greeting comes at once, 1: something else. The head is kept. */
static int ask(const char *request, char *head, size_t room)
{
	int fd = dial(0), status = 1;
	size_t len = 0;
	char *end = NULL;
	write_all(fd, request, strlen(request));
	while (len < room - 1 && !end && read_some(fd, head + len, 1) == 1) {
		head[++len] = '\0';
		if (len == GREETING && is_greeting(head)) {
			close(fd);
			return 0;
		}
		end = strstr(head, "\r\n\r\n");
	}
	if (end && sscanf(head, "HTTP/1.1 %d ", &status) == 1 && status == 101) {
		char greeting[GREETING];
		assert_int_equal(read_some(fd, greeting, GREETING), GREETING);
		assert_true(is_greeting(greeting));
	}
	close(fd);
	return status;
}

static void upgrades(void **state)
{
	static const struct {
		const char *lines;
		int want;
	} cases[] = {
		{DERP, 101},
		{"Connection: upgrade\r\nUpgrade: derp\r\n", 101},
		{"connection: keep-alive, Upgrade\r\nupgrade: dErP\r\n", 101},
		{"Connection: Upgrade\r\nUpgrade: WebSocket\r\n", 101}, /* very old clients mean DERP */
		{DERP "Ideal-Node: 900b\r\n", 101},
		{DERP "Derp-Fast-Start: 1\r\n", 0},
		{DERP "derp-fast-start: 1\r\n", 0},
		{DERP "Derp-Fast-Start: 0\r\n", 101},
		{DERP "Derp-Fast-Start: 11\r\n", 101},
		{DERP "Derp-Fast-Start: true\r\n", 101},
		{DERP "Derp-Fast-Start:\r\n", 101},
		{"", 426},
		{"Derp-Fast-Start: 1\r\n", 426},
		{"Connection: Upgrade\r\nUpgrade: h2c\r\n", 426},
		{"Connection: Upgrade\r\nUpgrade: DERP2\r\n", 426},
	};
	char key[2 * KEY_LEN + 1], wanted[200];
	(void)state;
	hex_encode(key, bytes_of(relay.public_key.raw, KEY_LEN));
	snprintf(wanted, sizeof wanted, "\r\nDerp-Public-Key: %s\r\n", key);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char request[400], head[2048] = "";
		snprintf(request, sizeof request, "GET /derp HTTP/1.1\r\nHost: relay\r\n%s\r\n", cases[i].lines);
		int status = ask(request, head, sizeof head);
		if (status != cases[i].want)
			fail_msg("%s: %d", cases[i].lines, status);
		if (status != 101)
			continue;
		assert_non_null(strcasestr(head, "\r\nDerp-Version: 2\r\n"));
		assert_non_null(strcasestr(head, wanted));
	}
}

/* ---- what a client says ---- */

/* Request, ClientInfo by that JSON, a ping. */
static void write_hasty(struct buffer *out, const struct node_key *key, const struct private_key *secret, bool fast, const char *json)
{
	struct buffer payload;
	uint8_t head[DERPFRAME_HEADER_LEN];
	buffer_init(&payload, 4096);
	assert_int_equal(buffer_add(&payload, bytes_of(key->raw, KEY_LEN)), ERR_NONE);
	assert_int_equal(box_seal(secret, relay.public_key.raw, bytes_text(json), &payload), ERR_NONE);
	assert_int_equal(buffer_format(out, "GET /derp HTTP/1.1\r\nHost: relay\r\n" DERP "%s\r\n", fast ? "Derp-Fast-Start: 1\r\n" : ""), ERR_NONE);
	derpframe_encode(head, DERPFRAME_CLIENT_INFO, (uint32_t)payload.len);
	assert_int_equal(buffer_add(out, bytes_of(head, sizeof head)), ERR_NONE);
	assert_int_equal(buffer_add(out, buffer_bytes(&payload)), ERR_NONE);
	derpframe_encode(head, DERPFRAME_PING, 8);
	assert_int_equal(buffer_add(out, bytes_of(head, sizeof head)), ERR_NONE);
	assert_int_equal(buffer_add(out, BYTES("12345678")), ERR_NONE);
	buffer_clear(&payload);
}

static void expect_welcome(int fd, const struct node_key *key, const struct private_key *secret, bool fast)
{
	struct peer p = {.fd = fd, .secret = *secret, .key = *key};
	char head[2048];
	size_t len = 0;
	uint32_t frame = 0;
	memcpy(p.relay.raw, relay.public_key.raw, KEY_LEN);
	while (!fast && (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0)) {
		assert_true(len < sizeof head);
		assert_int_equal(read_some(fd, head + len++, 1), 1);
	}
	assert_int_equal(read_frame(fd, &frame), DERPFRAME_SERVER_KEY);
	assert_true(server_info_comes(&p));
	assert_int_equal(read_frame(fd, &frame), DERPFRAME_PONG);
	assert_memory_equal(payload_in, "12345678", 8);
}

/* All that a client says at once, and cut at every byte; at its own shard and at the other. */
static void words_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (unsigned fast = 0; fast < 2; fast++) {
		struct node_key key;
		struct private_key secret;
		struct buffer said;
		mint(&key, &secret, fast);
		buffer_init(&said, 8192);
		write_hasty(&said, &key, &secret, fast, "{\"version\":2}");
		for (size_t cut = 0; cut < said.len; cut++) {
			int fd = dial(0), one = 1;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			write_all(fd, said.at, cut);
			if (cut % 16 == 1)
				usleep(2000);
			write_all(fd, said.at + cut, said.len - cut);
			expect_welcome(fd, &key, &secret, fast);
			close(fd);
		}
		buffer_clear(&said);
	}
}

static int64_t failures(enum relay_fail why)
{
	return metric_sum(&relay_metrics[RELAY_HANDSHAKE_FAILURES], why);
}

static bool counted(enum relay_fail why, int64_t want)
{
	for (unsigned i = 0; i < 5000 && failures(why) < want; i++)
		usleep(1000);
	return failures(why) == want;
}

/* What is no ClientInfo ends it without a word, and is counted by its reason. */
static void other_words_end_it(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t len, sent; /* of the payload */
		enum relay_fail why;
	} cases[] = {
		{DERPFRAME_PING, 8, 8, RELAY_FAIL_FRAME},
		{DERPFRAME_SERVER_KEY, 40, 40, RELAY_FAIL_FRAME},
		{0xff, 0, 0, RELAY_FAIL_FRAME},
		{DERPFRAME_CLIENT_INFO, 0, 0, RELAY_FAIL_FRAME},
		{DERPFRAME_CLIENT_INFO, DERPFRAME_INFO_LEAST - 1, 0, RELAY_FAIL_FRAME},
		{DERPFRAME_CLIENT_INFO, DERPFRAME_INFO_MAX + 1, 0, RELAY_FAIL_FRAME},
		{DERPFRAME_CLIENT_INFO, UINT32_MAX, 100, RELAY_FAIL_FRAME},
		{DERPFRAME_CLIENT_INFO, 200, 200, RELAY_FAIL_BOX}, /* 'x' all over */
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct peer p;
		struct node_key key;
		struct private_key secret;
		uint8_t frame[DERPFRAME_HEADER_LEN + 200];
		int64_t before = failures(cases[i].why);
		mint(&key, &secret, i % HOUSE_SHARDS);
		begin(&p, &key, &secret, 0);
		memset(frame, 'x', sizeof frame);
		derpframe_encode(frame, cases[i].type, cases[i].len);
		write_all(p.fd, frame, DERPFRAME_HEADER_LEN + cases[i].sent);
		expect_end(p.fd);
		assert_true(counted(cases[i].why, before + 1));
	}
	/* It goes itself, before and within the frame. */
	int64_t before = failures(RELAY_FAIL_CLOSED);
	for (unsigned i = 0; i < 2; i++) {
		struct peer p;
		struct node_key key;
		struct private_key secret;
		mint(&key, &secret, 0);
		begin(&p, &key, &secret, 0);
		write_all(p.fd, "\x02\0\0\1\0abc", i * 8);
		shutdown(p.fd, SHUT_WR);
		expect_end(p.fd);
	}
	assert_true(counted(RELAY_FAIL_CLOSED, before + 2));
}

/* ---- siblings ---- */

/* A right mesh key makes a sibling; a wrong one is no fault: a client like others, which may not say what siblings say. */
static void mesh_keys(void **state)
{
	static const struct {
		const char *json;
		bool sibling;
	} cases[] = {
		{"{\"version\":2,\"meshKey\":\"" MESH_KEY "\"}", true},
		{"{\"version\":2,\"meshKey\":\"2222222222222222222222222222222222222222222222222222222222222222\"}", false},
		{"{\"version\":2,\"meshKey\":\"0000000000000000000000000000000000000000000000000000000000000000\"}", false},
		{"{\"version\":2}", false},
	};
	(void)state;
	house_tell("\"MeshKey\":\"" MESH_KEY "\",\"MeshKeyBefore\":\"\"");
	for (unsigned home = 0; home < HOUSE_SHARDS; home++) {
		for (size_t i = 0; i < COUNT_OF(cases); i++) {
			struct peer p;
			struct node_key key;
			struct private_key secret;
			uint32_t len = 0;
			mint(&key, &secret, home);
			begin(&p, &key, &secret, 0);
			send_info(&p, cases[i].json);
			assert_true(server_info_comes(&p));
			send_frame(p.fd, DERPFRAME_WATCH_CONNS, "", 0);
			assert_int_equal(read_frame(p.fd, &len), cases[i].sibling ? DERPFRAME_PEER_PRESENT : 0);
			close(p.fd);
		}
	}
	house_tell("");
}

/* ---- limits ---- */

/* Strangers without a key are so many; when they have gone there is room again. */
static void strangers_are_bounded(void **state)
{
	enum { MANY = 260 };
	static const char request[] = "GET /derp HTTP/1.1\r\nHost: relay\r\n" DERP "\r\n";
	static int fd[MANY];
	unsigned welcome = 0, refused = 0;
	int64_t before = failures(RELAY_FAIL_LIMIT_HANDSHAKES);
	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		char head[13] = "";
		fd[i] = dial(0);
		write_all(fd[i], request, sizeof request - 1);
		assert_int_equal(read_some(fd[i], head, 12), 12);
		welcome += !strcmp(head, "HTTP/1.1 101");
		refused += !strcmp(head, "HTTP/1.1 503");
	}
	assert_int_equal(welcome + refused, MANY);
	assert_in_range(welcome, options.limit_handshakes, HOUSE_SHARDS * options.limit_handshakes);
	assert_int_equal(failures(RELAY_FAIL_LIMIT_HANDSHAKES) - before, refused);
	for (unsigned i = 0; i < MANY; i++)
		close(fd[i]);
	bool room = false;
	for (unsigned i = 0; i < 1000 && !room; i++) {
		char head[2048] = "";
		room = ask(request, head, sizeof head) == 101 && ask(request, head, sizeof head) == 101;
		usleep(5000);
	}
	assert_true(room);
}

/* Ten seconds in all: who says nothing, and who dribbles. Time stands still but for what it lets pass. */
static void time_is_bounded(void **state)
{
	struct peer p[3];
	bool open[COUNT_OF(p)];
	int64_t passed = 0, ended[COUNT_OF(p)] = {0}, before = failures(RELAY_FAIL_TIMEOUT);
	static const char head[] = "\x02\0\0\xff\xff";
	unsigned dribbled = 0;
	(void)state;
	house_pass(0);
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		struct node_key key;
		struct private_key secret;
		mint(&key, &secret, 0);
		begin(&p[i], &key, &secret, 0);
		open[i] = true;
	}
	write_all(p[1].fd, "\x02\0\0\1\0", 5);
	for (unsigned left = COUNT_OF(p); left && passed < 60000; passed += 100) {
		house_pass(100);
		for (unsigned i = 0; i < COUNT_OF(p); i++) {
			struct pollfd f = {.fd = p[i].fd, .events = POLLIN};
			if (!open[i])
				continue;
			if (i == 2)
				(void)!send(p[i].fd, dribbled < 5 ? head + dribbled++ : "x", 1, MSG_NOSIGNAL);
			if (poll(&f, 1, 1) != 1)
				continue;
			open[i] = false;
			ended[i] = passed + 100;
			left--;
		}
	}
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		close(p[i].fd);
		assert_false(open[i]);
		assert_in_range(ended[i], 10000, 11000);
	}
	assert_true(counted(RELAY_FAIL_TIMEOUT, before + (int64_t)COUNT_OF(p)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upgrades),  cmocka_unit_test(words_may_be_cut_anywhere), cmocka_unit_test(other_words_end_it),
		cmocka_unit_test(mesh_keys), cmocka_unit_test(strangers_are_bounded),     cmocka_unit_test(time_is_bounded),
	};
	return cmocka_run_group_tests(tests, house_open, house_close);
}
