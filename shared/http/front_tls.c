#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "clock.h"
#include "expiry.h"
#include "front.h"
#include "log.h"
#include "tlsfiles.h"

/* Control clients offer no protocol list, relay clients offer http/1.1; h2 is never taken (it lives only inside Noise). */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *context)
{
	static const unsigned char OURS[] = "\x08http/1.1";
	unsigned char *chosen;
	(void)ssl, (void)context;
	if (SSL_select_next_proto(&chosen, out_len, OURS, sizeof(OURS) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static enum err refuse(struct diag *why, const char *what, const char *file)
{
	char text[160] = "";
	unsigned long code = ERR_get_error();
	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return diag_set(why, ERR_MALFORMED, "%s %s: %s", what, file, text);
}

/* The library shall send the chain as it is, neither completed nor sorted. */
static bool add_last(SSL_CTX *c, struct bytes der)
{
	const unsigned char *at = der.at;
	X509 *x = d2i_X509(NULL, &at, (long)der.len);
	SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN);
	if (x && SSL_CTX_add0_chain_cert(c, x) == 1)
		return true;
	X509_free(x);
	return false;
}

static enum err load_pair(const struct front_tls *tls, const char *certificate, const char *key, SSL_CTX **loaded, struct diag *why)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	if (!c)
		abort();
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	/* Tickets and sessions cost memory per connection, and connections here live long. */
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(c, 0);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(c, on_protocols, NULL);
	ERR_clear_error();
	enum err e = ERR_NONE;
	if (SSL_CTX_use_certificate_chain_file(c, certificate) != 1)
		e = refuse(why, "cannot use the certificate", certificate);
	else if (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(c) != 1)
		e = refuse(why, "cannot use the key", key);
	if (e == ERR_NONE && tls->last.len && !add_last(c, tls->last))
		e = refuse(why, "cannot add to the chain of", certificate);
	if (e != ERR_NONE) {
		SSL_CTX_free(c);
		return e;
	}
	*loaded = c;
	return ERR_NONE;
}

/* ---- several names ---- */

/* Contexts of further pairs, owned by that of the first and freed with it: handshakes that have begun keep theirs. */
struct others {
	unsigned count;
	SSL_CTX *context[FRONT_PAIRS_MAX];
};

static void free_others(struct others *o)
{
	for (unsigned i = 0; o && i < o->count; i++)
		SSL_CTX_free(o->context[i]);
	free(o);
}

static void on_context_freed(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
	(void)parent, (void)data, (void)index, (void)number, (void)pointer;
	free_others(value);
}

static int others_index;
static pthread_once_t others_prepared = PTHREAD_ONCE_INIT;

static void prepare_others(void)
{
	others_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_freed);
}

static int on_server_name(SSL *ssl, int *alert, void *context)
{
	const struct others *o = context;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)alert;
	if (!name || X509_check_host(SSL_get_certificate(ssl), name, 0, 0, NULL) == 1)
		return SSL_TLSEXT_ERR_OK;
	for (unsigned i = 0; i < o->count; i++) {
		if (X509_check_host(SSL_CTX_get0_certificate(o->context[i]), name, 0, 0, NULL) == 1) {
			SSL_set_SSL_CTX(ssl, o->context[i]);
			break;
		}
	}
	return SSL_TLSEXT_ERR_OK;
}

static char *next_path(struct bytes *rest)
{
	struct bytes path = bytes_trim(bytes_split(*rest, ',', rest));
	char *copy = x_alloc(path.len + 1);
	if (path.len)
		memcpy(copy, path.at, path.len);
	copy[path.len] = 0;
	return copy;
}

static enum err load_next(const struct front_tls *tls, struct bytes *certificates, struct bytes *keys, SSL_CTX **loaded, struct diag *why)
{
	if (!keys->at)
		return diag_set(why, ERR_MALFORMED, "fewer keys than certificates: %s", tls->key);
	char *certificate = next_path(certificates), *key = next_path(keys);
	enum err e = load_pair(tls, certificate, key, loaded, why);
	free(certificate);
	free(key);
	return e;
}

static enum err load(const struct front_tls *tls, SSL_CTX **loaded, struct diag *why)
{
	struct bytes certificates = bytes_text(tls->certificate), keys = bytes_text(tls->key);
	SSL_CTX *first = NULL;
	enum err e = load_next(tls, &certificates, &keys, &first, why);
	if (e)
		return e;
	struct others *o = x_zalloc(sizeof(*o));
	while (!e && certificates.at && o->count < FRONT_PAIRS_MAX) {
		e = load_next(tls, &certificates, &keys, &o->context[o->count], why);
		o->count += !e;
	}
	if (!e && (certificates.at || keys.at))
		e = diag_set(why, ERR_MALFORMED, "certificates and keys are not as many, or more than %d: %s", FRONT_PAIRS_MAX, tls->certificate);
	pthread_once(&others_prepared, prepare_others);
	if (e || !SSL_CTX_set_ex_data(first, others_index, o)) {
		free_others(o);
		SSL_CTX_free(first);
		return e ? e : ERR_CRYPTO;
	}
	if (o->count) {
		SSL_CTX_set_tlsext_servername_callback(first, on_server_name);
		SSL_CTX_set_tlsext_servername_arg(first, o);
	}
	*loaded = first;
	return ERR_NONE;
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * UINT64_C(0x100000001b3);
}

static uint64_t look(const struct front_tls *tls)
{
	const char *const lists[] = {tls->certificate, tls->key};
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (unsigned i = 0; i < COUNT_OF(lists); i++) {
		for (struct bytes rest = bytes_text(lists[i]); rest.at;) {
			char *path = next_path(&rest);
			struct stat st = {0};
			(void)!stat(path, &st);
			free(path);
			sum = mix(mix(mix(mix(sum, (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec), st.st_ino), (uint64_t)st.st_size);
		}
	}
	return sum;
}

static int64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;
	return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

static void note_expiry(const struct front_tls *tls, bool fresh)
{
	const struct others *o = SSL_CTX_get_ex_data(tls->context, others_index);
	struct bytes rest = bytes_text(tls->certificate);
	for (unsigned i = 0; i <= o->count; i++) {
		const X509 *x = SSL_CTX_get0_certificate(i ? o->context[i - 1] : tls->context);
		char *path = next_path(&rest);
		expiry_note(path, seconds_of(X509_get0_notBefore(x)), seconds_of(X509_get0_notAfter(x)), fresh);
		free(path);
	}
}

static void drop_expiry(const struct front_tls *tls)
{
	for (struct bytes rest = bytes_text(tls->certificate); rest.at;) {
		char *path = next_path(&rest);
		expiry_drop(path);
		free(path);
	}
}

enum err front_tls_open(struct front_tls *tls, const char *certificate, const char *key, struct bytes last, struct diag *why)
{
	*tls = (struct front_tls){.certificate = x_strdup(certificate), .key = x_strdup(key), .last = last};
	tls->seen = look(tls);
	enum err e = load(tls, &tls->context, why);
	if (e != ERR_NONE)
		front_tls_close(tls);
	else
		note_expiry(tls, true);
	return e;
}

enum err tlsfiles_check(const char *certificate, const char *key, struct diag *why)
{
	struct front_tls tls;
	enum err e = front_tls_open(&tls, certificate, key, BYTES_NONE, why);

	if (!e)
		front_tls_close(&tls);
	return e;
}

/* A handshake ends after request.timeout, which is five minutes at most. */
enum { RETIRED_MS = 6 * 60 * 1000 };

static void drop_retired(struct front_tls *tls, int64_t before_ms)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < tls->retired_count; i++) {
		if (tls->retired[i].since_ms < before_ms)
			SSL_CTX_free(tls->retired[i].context);
		else
			tls->retired[kept++] = tls->retired[i];
	}
	tls->retired_count = kept;
}

void front_tls_refresh(struct front_tls *tls)
{
	drop_retired(tls, clock_mono().ms - RETIRED_MS);
	if (tls->retired_count == FRONT_RETIRED_MAX)
		return; /* changed too often: looked at again when the oldest is gone */
	uint64_t now = look(tls);
	bool again = now == tls->seen;
	SSL_CTX *fresh;
	struct diag why = {0};
	if (again && !tls->doubtful)
		return;
	tls->seen = now;
	/* Of two files one may have been replaced so far: a second look tells. */
	tls->doubtful = false;
	if (load(tls, &fresh, &why) != ERR_NONE) {
		tls->doubtful = !again;
		if (again)
			log_warning(SUBJECT("door"), "new certificate refused, the old one stays", F_TEXT("reason", why.text));
		return;
	}
	tls->retired[tls->retired_count++] = (struct front_retired){tls->context, clock_mono().ms};
	tls->context = fresh;
	note_expiry(tls, false);
	log_info(SUBJECT("door"), "certificate read anew", F_TEXT("file", tls->certificate));
}

void front_tls_close(struct front_tls *tls)
{
	if (tls->context)
		drop_expiry(tls);
	free(tls->certificate);
	free(tls->key);
	SSL_CTX_free(tls->context);
	drop_retired(tls, INT64_MAX);
	*tls = (struct front_tls){0};
}
