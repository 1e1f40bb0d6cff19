#include "owncert.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "clock.h"
#include "key.h"
#include "log.h"
#include "selfsigned.h"
#include "text.h"

enum { LEAST_LEFT_S = 60 * 24 * 3600, PEM_MAX = 1 << 16, HASH_LEN = 32 };

static bool is_for(X509 *x, const char *host)
{
	struct ip ip;
	time_t least = (time_t)(clock_wall().ns / 1000000000) + LEAST_LEFT_S;
	bool named = ip_parse(bytes_text(host), &ip) ? X509_check_host(x, host, 0, 0, NULL) == 1 : X509_check_ip_asc(x, host, 0) == 1;
	return named && X509_cmp_time(X509_get0_notAfter(x), &least) > 0;
}

static X509 *read_certificate(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	if (f)
		fclose(f);
	return x;
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	if (f)
		fclose(f);
	return key;
}

typedef enum err (*put_fn)(struct owncert *own, char path[static OWNCERT_PATH_MAX], const struct buffer *text, struct diag *why);

/* Whole or not at all: a start that is cut short leaves the old file. */
static enum err put_in_folder(struct owncert *own, char path[static OWNCERT_PATH_MAX], const struct buffer *text, struct diag *why)
{
	(void)own;
	char fresh[OWNCERT_PATH_MAX + 8];
	snprintf(fresh, sizeof fresh, "%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool done = fd >= 0 && write(fd, text->at, text->len) == (ssize_t)text->len && !fsync(fd);
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (!done || rename(fresh, path) < 0)
		return diag_set(why, ERR_IO, "cannot write %s: %s", path, strerror(done ? errno : error));
	return ERR_NONE;
}

/* Readable by path while it is open. */
static enum err put_in_memory(struct owncert *own, char path[static OWNCERT_PATH_MAX], const struct buffer *text, struct diag *why)
{
	int fd = memfd_create("certificate", MFD_CLOEXEC);
	if (fd >= 0)
		own->fd[own->fd_count++] = fd;
	if (fd < 0 || write(fd, text->at, text->len) != (ssize_t)text->len)
		return diag_set(why, ERR_IO, "cannot keep a certificate in memory: %s", strerror(errno));
	snprintf(path, OWNCERT_PATH_MAX, "/proc/self/fd/%d", fd);
	return ERR_NONE;
}

static enum err make(struct owncert *own, put_fn put, const char *host, struct diag *why)
{
	struct buffer certificate, key;
	buffer_init(&certificate, PEM_MAX);
	buffer_init(&key, PEM_MAX);
	enum err e = selfsigned_make(host, &certificate, &key);
	if (e)
		diag_set(why, e, "cannot make a certificate for \"%s\"", host);
	if (!e)
		e = put(own, own->key, &key, why);
	if (!e)
		e = put(own, own->certificate, &certificate, why);
	if (key.len)
		key_wipe(key.at, key.len);
	buffer_clear(&certificate);
	buffer_clear(&key);
	return e;
}

/* Whether the files hold a pair that is good for `host`; then its pin. */
static bool look(struct owncert *own, const char *host)
{
	uint8_t hash[HASH_LEN];
	char hex[2 * HASH_LEN + 1];
	unsigned len = sizeof hash;
	X509 *x = read_certificate(own->certificate);
	EVP_PKEY *key = read_key(own->key);
	bool good = x && key && is_for(x, host) && X509_check_private_key(x, key) == 1 && X509_digest(x, EVP_sha256(), hash, &len) == 1;
	if (good) {
		hex_encode(hex, bytes_of(hash, sizeof hash));
		snprintf(own->pin, sizeof own->pin, "sha256-raw:%s", hex);
	}
	X509_free(x);
	EVP_PKEY_free(key);
	return good;
}

enum err owncert_open(struct owncert *own, const char *folder, const char *host, struct diag *why)
{
	*own = (struct owncert){0};
	if (strlen(folder) + 16 > OWNCERT_PATH_MAX)
		return diag_set(why, ERR_TOO_BIG, "the path of a folder has at most %d bytes: %s", OWNCERT_PATH_MAX - 16, folder);
	snprintf(own->certificate, sizeof own->certificate, "%s/relay.crt", folder);
	snprintf(own->key, sizeof own->key, "%s/relay.key", folder);
	if (look(own, host))
		return ERR_NONE;
	enum err e = make(own, put_in_folder, host, why);
	if (e)
		return e;
	if (!look(own, host))
		return diag_set(why, ERR_CRYPTO, "the certificate just made in %s is no good", folder);
	log_info(SUBJECT("relay"), "made a certificate of its own", F_TEXT("file", own->certificate), F_TEXT("pin", own->pin));
	return ERR_NONE;
}

enum err owncert_open_unsafe(struct owncert *own, const char *host, struct diag *why)
{
	*own = (struct owncert){0};
	return make(own, put_in_memory, host, why);
}

void owncert_close(struct owncert *own)
{
	while (own->fd_count)
		close(own->fd[--own->fd_count]);
}
