#include "linktls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "addr.h"
#include "mem.h"
#include "secret.h"
#include "text.h"

static const char pin_prefix[] = "sha256-raw:";

struct linktls {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out; /* of ssl */
	bool ready, pinned;
	uint8_t pin[32];
};

static bool set_peer(struct linktls *t, const char *host, const char *cert_name, bool insecure)
{
	X509_VERIFY_PARAM *wanted = SSL_get0_param(t->ssl);
	const char *name = *cert_name ? cert_name : host;
	struct ip ip;
	bool host_is_ip = !ip_parse(bytes_text(host), &ip);
	if (!host_is_ip && !SSL_set_tlsext_host_name(t->ssl, host))
		return false;
	if (bytes_starts(bytes_text(cert_name), pin_prefix)) {
		t->pinned = true;
		return !hex_decode(bytes_text(cert_name + sizeof pin_prefix - 1), t->pin, sizeof t->pin);
	}
	if (insecure && !*cert_name)
		return true;
	SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
	if (!SSL_CTX_set_default_verify_paths(t->context))
		return false;
	return !ip_parse(bytes_text(name), &ip) ? X509_VERIFY_PARAM_set1_ip_asc(wanted, name) : X509_VERIFY_PARAM_set1_host(wanted, name, 0);
}

struct linktls *linktls_new(const char *host, const char *cert_name, bool insecure)
{
	struct linktls *t = x_zalloc(sizeof *t);
	t->context = SSL_CTX_new(TLS_client_method());
	t->ssl = t->context ? SSL_new(t->context) : NULL;
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out || !SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION)) {
		BIO_free(t->in);
		BIO_free(t->out);
		t->in = t->out = NULL;
		linktls_free(&t);
		return NULL;
	}
	SSL_set_bio(t->ssl, t->in, t->out);
	SSL_set_connect_state(t->ssl);
	if (!set_peer(t, host, cert_name, insecure))
		linktls_free(&t);
	return t;
}

void linktls_free(struct linktls **tls)
{
	struct linktls *t = *tls;
	*tls = NULL;
	if (!t)
		return;
	SSL_free(t->ssl);
	SSL_CTX_free(t->context);
	free(t);
}

bool linktls_ready(const struct linktls *t)
{
	return t->ready;
}

static enum err drain(struct linktls *t, struct buffer *send)
{
	char *at;
	long len = BIO_get_mem_data(t->out, &at);
	enum err e = len > 0 ? buffer_add(send, bytes_of(at, (size_t)len)) : ERR_NONE;
	(void)BIO_reset(t->out);
	return e;
}

static bool is_pinned(const struct linktls *t, X509 *leaf)
{
	unsigned char *der = NULL;
	uint8_t hash[32];
	int len = i2d_X509(leaf, &der);
	bool same = len > 0;
	if (same) {
		hash_bytes(bytes_of(der, (size_t)len), hash);
		same = !memcmp(hash, t->pin, sizeof hash);
	}
	OPENSSL_free(der);
	return same;
}

static enum err check_pin(struct linktls *t, struct diag *why)
{
	X509 *leaf = SSL_get1_peer_certificate(t->ssl);
	const char *host = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name); /* NULL: it is an address, which is not looked at */
	const char *wrong = NULL;
	if (!leaf || !is_pinned(t, leaf))
		wrong = "its certificate is not the pinned one";
	else if (X509_cmp_current_time(X509_get0_notBefore(leaf)) >= 0 || X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0)
		wrong = "its pinned certificate is not valid now";
	else if (host && X509_check_host(leaf, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
		wrong = "its pinned certificate is not for its host name";
	X509_free(leaf);
	return wrong ? diag_set(why, ERR_CRYPTO, "%s", wrong) : ERR_NONE;
}

static enum err shake(struct linktls *t, struct diag *why)
{
	ERR_clear_error();
	int done = SSL_do_handshake(t->ssl);
	if (done != 1) {
		int reason = SSL_get_error(t->ssl, done);
		long verified = SSL_get_verify_result(t->ssl);
		if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
			return ERR_NONE;
		return diag_set(why, ERR_CRYPTO, "%s", verified == X509_V_OK ? "TLS handshake failed" : X509_verify_cert_error_string(verified));
	}
	t->ready = true;
	return t->pinned ? check_pin(t, why) : ERR_NONE;
}

enum err linktls_turn(struct linktls *t, struct buffer *came, struct buffer *plain, struct buffer *send, struct diag *why)
{
	enum err e = ERR_NONE;
	if (came->len && BIO_write(t->in, came->at, (int)came->len) != (int)came->len)
		return ERR_CRYPTO;
	buffer_consume(came, came->len);
	if (!t->ready)
		e = shake(t, why);
	while (!e && t->ready) {
		uint8_t *room = buffer_reserve(plain, 16384);
		int got;
		if (!room)
			return ERR_TOO_BIG;
		ERR_clear_error();
		got = SSL_read(t->ssl, room, 16384);
		if (got <= 0) {
			int reason = SSL_get_error(t->ssl, got);
			e = reason == SSL_ERROR_WANT_READ ? ERR_AGAIN : reason == SSL_ERROR_ZERO_RETURN ? ERR_CLOSED : ERR_CRYPTO;
			break;
		}
		buffer_filled(plain, (size_t)got);
	}
	if (drain(t, send))
		return ERR_TOO_BIG;
	return e == ERR_AGAIN ? ERR_NONE : e;
}

enum err linktls_seal(struct linktls *t, struct bytes plain, struct buffer *send)
{
	ERR_clear_error();
	if (plain.len && SSL_write(t->ssl, plain.at, (int)plain.len) != (int)plain.len)
		return ERR_CRYPTO;
	return drain(t, send);
}
