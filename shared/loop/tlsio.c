#include "tlsio.h"

#include <assert.h>
#include <openssl/err.h>
#include <pthread.h>

/* The beginning of what h2o 2.2.5 keeps for a TLS socket (lib/common/socket.c); it has no call that tells the SSL object. */
struct h2o_tls_head {
	SSL_CTX *context;
	SSL *ssl;
};

enum { COPY_BELOW = 8192 }; /* shorter stretches are put together to full records */

static int on_bio_read(BIO *bio, char *to, int len)
{
	struct tlsio *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	if (!t->in.len) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t count = t->in.len < (size_t)len ? t->in.len : (size_t)len;
	memcpy(to, t->in.at, count);
	t->in = bytes_skip(t->in, count);
	return (int)count;
}

static int on_bio_write(BIO *bio, const char *at, int len)
{
	struct tlsio *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	/* Nobody listens: h2o says its own farewell into a socket that is about to be closed. */
	if (!t->into)
		return len;
	if (len > 0 && buffer_add(t->into, bytes_of(at, (size_t)len)) != ERR_NONE) {
		t->overflow = true;
		return -1;
	}
	return len;
}

static long on_bio_control(BIO *bio, int what, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "pipe");
	if (!method || !BIO_meth_set_read(method, on_bio_read) || !BIO_meth_set_write(method, on_bio_write) || !BIO_meth_set_ctrl(method, on_bio_control))
		abort();
}

void tlsio_take(struct tlsio *t, h2o_socket_t *sock)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct h2o_tls_head *head = (const void *)sock->ssl;
	pthread_once(&once, make_method);
	*t = (struct tlsio){.ssl = head->ssl};
	list_init(&t->warm);
	/* The one that h2o reads and writes by is bound to this very socket: proof that the head is what we take it for. */
	assert(BIO_get_data(SSL_get_rbio(t->ssl)) == sock);
	BIO *bio = BIO_new(method);
	if (!bio)
		abort();
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_clear_mode(t->ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_set_mode(t->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

enum err tlsio_open(struct tlsio *t, struct bytes in, uint8_t *to, size_t *len, struct buffer *answers)
{
	int got;
	t->in = in;
	t->into = answers;
	ERR_clear_error();
	*len = 0;
	while ((got = SSL_read(t->ssl, to + *len, TLSIO_RECORD)) > 0)
		*len += (size_t)got;
	int why = SSL_get_error(t->ssl, got);
	t->into = NULL;
	t->in = BYTES_NONE;
	t->used = true;
	return why == SSL_ERROR_WANT_READ ? ERR_NONE : why == SSL_ERROR_ZERO_RETURN ? ERR_CLOSED : ERR_IO;
}

static bool seal_one(struct tlsio *t, const uint8_t *at, size_t len)
{
	return SSL_write(t->ssl, at, (int)len) == (int)len && !t->overflow;
}

/* The stretch that begins with piece `*i`: pieces that lie one behind the other are one. */
static struct bytes stretch(const struct iovec *pieces, size_t count, size_t *i)
{
	const uint8_t *at = (const uint8_t *)pieces[*i].iov_base;
	size_t len = pieces[*i].iov_len;
	while (++*i < count && (const uint8_t *)pieces[*i].iov_base == at + len)
		len += pieces[*i].iov_len;
	return bytes_of(at, len);
}

enum err tlsio_seal(struct tlsio *t, const struct iovec *pieces, size_t count, struct buffer *sealed)
{
	static __thread uint8_t together[TLSIO_RECORD];
	size_t filled = 0;
	bool good = true;
	t->into = sealed;
	t->overflow = false;
	ERR_clear_error();
	for (size_t i = 0; i < count && good;) {
		struct bytes rest = stretch(pieces, count, &i);
		while (rest.len && good) {
			size_t part = TLSIO_RECORD - filled;
			if (part > rest.len)
				part = rest.len;
			if (!filled && part >= COPY_BELOW) {
				good = seal_one(t, rest.at, part);
			} else {
				memcpy(together + filled, rest.at, part);
				filled += part;
				if (filled == TLSIO_RECORD)
					good = seal_one(t, together, filled), filled = 0;
			}
			rest = bytes_skip(rest, part);
		}
	}
	if (filled && good)
		good = seal_one(t, together, filled);
	t->into = NULL;
	t->used = true;
	return good ? ERR_NONE : ERR_IO;
}

/* Half a record that has come stays. */
static void cool(struct tlsio *t)
{
	(void)SSL_free_buffers(t->ssl);
	list_remove(&t->warm);
	t->warmth->count--;
}

void tlsio_leave(struct tlsio *t)
{
	if (list_linked(&t->warm))
		cool(t);
	t->ssl = NULL;
}

void tlsio_warm(struct tlsio *t, struct warmth *warmth)
{
	if (list_linked(&t->warm))
		return;
	if (warmth->count == WARM_MOST)
		cool(LIST_HEAD(&warmth->list, struct tlsio, warm));
	t->warmth = warmth;
	list_append(&warmth->list, &t->warm);
	warmth->count++;
}

void tlsio_cool(struct warmth *warmth)
{
	LIST_EACH(&warmth->list, t, struct tlsio, warm) {
		if (!t->used)
			cool(t);
		t->used = false;
	}
}

void tlsio_farewell(struct tlsio *t, struct buffer *sealed)
{
	t->into = sealed;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
	t->into = NULL;
}
