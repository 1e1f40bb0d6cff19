#include "heldport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

typedef enum err (*open_fn)(struct heldport *port, const char *text, const char *option, struct diag *why);

static const open_fn opens[] = {heldport_open_tcp, heldport_open_udp};

static void a_port_is_found_and_held(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(opens); i++) {
		struct heldport held, second;
		struct diag why = {0};
		char text[ENDPOINT_TEXT_MAX];
		assert_int_equal(opens[i](&held, "127.0.0.1:0", "listen.x", &why), ERR_NONE);
		assert_true(held.fd >= 0 && held.at.port);
		if (opens[i] == heldport_open_tcp)
			assert_int_equal(listen(held.fd, 1), 0);
		endpoint_format(text, held.at);
		assert_int_equal(opens[i](&second, text, "listen.x", &why), ERR_EXISTS);
		assert_int_equal(second.fd, -1);
		assert_non_null(strstr(why.text, "listen.x"));
		assert_non_null(strstr(why.text, text));
		heldport_close(&held);
		heldport_close(&held);
		assert_int_equal(opens[i](&second, text, "listen.x", &why), ERR_NONE);
		assert_int_equal(second.at.port, held.at.port);
		heldport_close(&second);
	}
}

static void it_is_handed_on(void **state)
{
	(void)state;
	struct heldport held;
	struct diag why = {0};
	assert_int_equal(heldport_open_udp(&held, "127.0.0.1:0", "listen.x", &why), ERR_NONE);
	int fd = heldport_take(&held);
	assert_true(fd >= 0);
	assert_int_equal(heldport_take(&held), -1);
	heldport_close(&held);
	assert_int_equal(close(fd), 0);
}

/* The shards' own sockets come beside it, and it takes nothing from them. */
static void listeners_share_it(void **state)
{
	(void)state;
	struct heldport held;
	struct diag why = {0};
	struct sockaddr_storage sa;
	int one = 1;
	assert_int_equal(heldport_open_tcp(&held, "127.0.0.1:0", "listen.x", &why), ERR_NONE);
	socklen_t len = endpoint_to_sockaddr(held.at, &sa);
	int client = socket(AF_INET, SOCK_STREAM, 0), listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, len), -1);
	close(client);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(listener, 8), 0);
	for (unsigned i = 0; i < 8; i++) {
		client = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(client, (struct sockaddr *)&sa, len), 0);
		close(client);
	}
	close(listener);
	heldport_close(&held);
}

static void what_is_no_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(opens); i++) {
		struct heldport held;
		struct diag why = {0};
		assert_int_equal(opens[i](&held, "", "listen.x", &why), ERR_NONE);
		assert_true(held.fd == -1 && !held.at.port);
		heldport_close(&held);
		assert_int_equal(opens[i](&held, "nowhere", "listen.x", &why), ERR_MALFORMED);
		/* An address of nobody here. */
		assert_int_equal(opens[i](&held, "192.0.2.1:0", "listen.x", &why), ERR_IO);
		assert_true(*why.text);
		heldport_close(&held);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_found_and_held),
		cmocka_unit_test(it_is_handed_on),
		cmocka_unit_test(listeners_share_it),
		cmocka_unit_test(what_is_no_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
