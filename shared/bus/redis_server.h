/* Tests only: a private redis-server on a unix socket in a temporary folder (and on a port of 127.0.0.1 when it is given one).
 * Not for programs.
 * Ended by redis_stop, by its pid; redis_clear also removes the folder. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"

struct redis_server {
	char folder[32], socket[64], url[96];
	const char *password;
	unsigned port;
	pid_t pid;
};

static inline bool redis_answers(const struct redis_server *r)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", r->socket);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool yes = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
	close(fd);
	return yes;
}

/* Starts it (again) with no data. */
static inline void redis_start(struct redis_server *r)
{
	char port[16];
	if (!r->folder[0]) {
		snprintf(r->folder, sizeof(r->folder), "/tmp/fs-redis-XXXXXX");
		if (!mkdtemp(r->folder))
			abort();
		snprintf(r->socket, sizeof(r->socket), "%s/s", r->folder);
		snprintf(r->url, sizeof(r->url), "unix:%s", r->socket);
	}
	snprintf(port, sizeof(port), "%u", r->port);
	r->pid = fork();
	if (!r->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket", r->socket, "--save", "", "--appendonly", "no",
		       "--dir", r->folder, r->password ? "--requirepass" : (char *)NULL, r->password, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && !redis_answers(r); i++)
		usleep(10000);
}

static inline void redis_stop(struct redis_server *r)
{
	if (!r->pid)
		return;
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	unlink(r->socket);
	r->pid = 0;
}

static inline void redis_clear(struct redis_server *r)
{
	redis_stop(r);
	rmdir(r->folder);
}

/* A port that was free a moment ago. */
static inline unsigned free_port(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || getsockname(fd, (struct sockaddr *)&sa, &len))
		abort();
	close(fd);
	return ntohs(sa.sin_port);
}

/* Turns the loop until the condition holds or `most_ms` have passed. */
#define TURN_UNTIL(loop, most_ms, condition) \
	do { \
		int64_t until_ = clock_mono().ms + (most_ms); \
		while (!(condition) && clock_mono().ms < until_) \
			loop_turn(loop, 5); \
		assert_true(condition); \
	} while (0)

static inline void turn_for(struct loop *loop, int64_t ms)
{
	for (int64_t until = clock_mono().ms + ms; clock_mono().ms < until;)
		loop_turn(loop, 5);
}

#endif
