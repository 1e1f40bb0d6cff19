#include "webroot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_token(struct bytes t)
{
	if (!t.len || t.len > WEBROOT_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		uint8_t c = t.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
		if (!letter && !digit && c != '-' && c != '_')
			return false;
	}
	return true;
}

/* One step down, never through a link. Closes what it came from. */
static int step(int from, const char *name, int flags)
{
	int fd = from < 0 ? -1 : openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
	if (from >= 0)
		close(from);
	return fd;
}

enum err webroot_read(const char *root, struct bytes token, struct buffer *out)
{
	char name[WEBROOT_TOKEN_MAX + 1], text[WEBROOT_ANSWER_MAX + 1];
	struct stat st;
	if (!is_token(token))
		return ERR_NOT_FOUND;
	memcpy(name, token.at, token.len);
	name[token.len] = 0;
	int fd = open(root, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	fd = step(fd, ".well-known", O_DIRECTORY);
	fd = step(fd, "acme-challenge", O_DIRECTORY);
	fd = step(fd, name, O_NONBLOCK); /* opening a FIFO shall not wait */
	if (fd < 0)
		return ERR_NOT_FOUND;
	ssize_t len = !fstat(fd, &st) && S_ISREG(st.st_mode) ? read(fd, text, sizeof text) : -1;
	close(fd);
	if (len < 0 || len > WEBROOT_ANSWER_MAX)
		return ERR_NOT_FOUND;
	return buffer_add(out, bytes_of(text, (size_t)len));
}
