#include "heldport.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stundoor.h"

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof sa;
	return getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ? 0 : endpoint_from_sockaddr((struct sockaddr *)&sa).port;
}

static bool is_taken(struct endpoint at, int type)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, type | SOCK_CLOEXEC, 0), one = 1;
	if (fd < 0)
		return false;
	if (type == SOCK_STREAM)
		(void)!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	bool taken = bind(fd, (const struct sockaddr *)&sa, len) < 0 && errno == EADDRINUSE;
	close(fd);
	return taken;
}

static enum err bind_tcp(struct endpoint at, int *fd)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(at, &sa);
	int one = 1, only = !ip_equal(at.ip, (struct ip){.family = IP_V6});
	*fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd >= 0 && sa.ss_family == AF_INET6)
		(void)!setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
	bool done = *fd >= 0 && !setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) && !setsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) &&
		    !bind(*fd, (struct sockaddr *)&sa, len);
	return done ? ERR_NONE : ERR_IO;
}

/* False and ERR_NONE: it is off. */
static bool read_place(struct heldport *p, int type, const char *text, const char *option, enum err *e, struct diag *why)
{
	*p = (struct heldport){.fd = -1};
	*e = ERR_NONE;
	if (!*text)
		return false;
	if (endpoint_parse(bytes_text(text), &p->at))
		*e = diag_set(why, ERR_MALFORMED, "%s: \"%s\" is not an address and a port", option, text);
	else if (p->at.port && is_taken(p->at, type))
		*e = diag_set(why, ERR_EXISTS, "%s: somebody %s %s already", option, type == SOCK_STREAM ? "listens on" : "uses", text);
	return !*e;
}

enum err heldport_open_tcp(struct heldport *p, const char *text, const char *option, struct diag *why)
{
	enum err e;
	if (!read_place(p, SOCK_STREAM, text, option, &e, why))
		return e;
	if (bind_tcp(p->at, &p->fd))
		return diag_set(why, ERR_IO, "%s: cannot bind %s: %s", option, text, strerror(errno));
	p->at.port = bound_port(p->fd);
	return ERR_NONE;
}

enum err heldport_open_udp(struct heldport *p, const char *text, const char *option, struct diag *why)
{
	enum err e;
	if (!read_place(p, SOCK_DGRAM, text, option, &e, why))
		return e;
	p->fd = stundoor_bind(p->at, why);
	if (p->fd < 0)
		return ERR_IO;
	p->at.port = bound_port(p->fd);
	return ERR_NONE;
}

int heldport_take(struct heldport *p)
{
	int fd = p->fd;
	p->fd = -1;
	return fd;
}

void heldport_close(struct heldport *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}
