/* The far end is OpenSSL's server over two memory buffers; its certificates are made here, and the trust store is a file of this test. */
#include "linktls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "key.h"
#include "secret.h"
#include "text.h"

enum { DAY = 86400, CAP = 1 << 20, PIN_MAX = 80 };

/* ---- certificates ---- */

static EVP_PKEY *authority_key, *server_key;
static X509 *authority;
static char trusted[] = "/tmp/linktls_test_XXXXXX";

static void set_name(X509 *c, const char *name)
{
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
}

static void extend(X509 *c, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(c, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* san: as OpenSSL writes it, or NULL for an authority. `by` NULL: by itself. */
static X509 *certificate(EVP_PKEY *key, const char *san, int from_days, int to_days, EVP_PKEY *by)
{
	X509 *c = X509_new();
	X509_set_version(c, 2);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), random_number() >> 1);
	X509_gmtime_adj(X509_getm_notBefore(c), (long)from_days * DAY);
	X509_gmtime_adj(X509_getm_notAfter(c), (long)to_days * DAY);
	X509_set_pubkey(c, key);
	set_name(c, san ? "relay" : "authority");
	X509_set_issuer_name(c, by ? X509_get_subject_name(authority) : X509_get_subject_name(c));
	extend(c, NID_basic_constraints, san ? "CA:FALSE" : "critical,CA:TRUE");
	if (san)
		extend(c, NID_subject_alt_name, san);
	assert_true(X509_sign(c, by ? by : key, EVP_sha256()) > 0);
	return c;
}

static void pin_of(X509 *c, char pin[static PIN_MAX])
{
	unsigned char *der = NULL;
	uint8_t hash[32];
	int len = i2d_X509(c, &der);
	assert_true(len > 0);
	hash_bytes(bytes_of(der, (size_t)len), hash);
	memcpy(pin, "sha256-raw:", 11);
	hex_encode(pin + 11, bytes_of(hash, sizeof hash));
	OPENSSL_free(der);
}

static int open(void **state)
{
	(void)state;
	int fd = mkstemp(trusted);
	FILE *file = fdopen(fd, "w");
	authority_key = EVP_EC_gen("P-256");
	server_key = EVP_EC_gen("P-256");
	authority = certificate(authority_key, NULL, -1, 30, NULL);
	PEM_write_X509(file, authority);
	fclose(file);
	return setenv("SSL_CERT_FILE", trusted, 1) || setenv("SSL_CERT_DIR", "/nowhere", 1);
}

static int shut(void **state)
{
	(void)state;
	X509_free(authority);
	EVP_PKEY_free(authority_key);
	EVP_PKEY_free(server_key);
	unlink(trusted);
	return 0;
}

/* ---- the far end ---- */

struct far {
	SSL_CTX *context;
	SSL *ssl;
	char asked_for[300]; /* SNI */
};

static int on_name(SSL *ssl, int *alert, void *context)
{
	struct far *f = context;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)alert;
	snprintf(f->asked_for, sizeof f->asked_for, "%s", name ? name : "");
	return SSL_TLSEXT_ERR_OK;
}

static struct far *far_new(X509 *leaf, X509 *more, int newest)
{
	struct far *f = x_zalloc(sizeof *f);
	f->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_security_level(f->context, 0);
	SSL_CTX_set_min_proto_version(f->context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(f->context, newest);
	SSL_CTX_set_tlsext_servername_callback(f->context, on_name);
	SSL_CTX_set_tlsext_servername_arg(f->context, f);
	assert_int_equal(SSL_CTX_use_certificate(f->context, leaf), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(f->context, server_key), 1);
	if (more)
		assert_int_equal(SSL_CTX_add1_chain_cert(f->context, more), 1);
	f->ssl = SSL_new(f->context);
	SSL_set_bio(f->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(f->ssl);
	return f;
}

static void far_free(struct far **far)
{
	SSL_free((*far)->ssl);
	SSL_CTX_free((*far)->context);
	free(*far);
	*far = NULL;
	ERR_clear_error();
}

/* ---- both ---- */

static struct linktls *tls;
static struct far *far;
static struct buffer came, plain, sent;
static struct diag why;

static void begin(const char *host, const char *cert_name, bool insecure, X509 *leaf, X509 *more, int newest)
{
	tls = linktls_new(host, cert_name, insecure);
	assert_non_null(tls);
	far = far_new(leaf, more, newest);
	buffer_init(&came, CAP);
	buffer_init(&plain, CAP);
	buffer_init(&sent, CAP);
	why = (struct diag){.text = ""};
}

static void end(void)
{
	linktls_free(&tls);
	assert_null(tls);
	linktls_free(&tls);
	far_free(&far);
	buffer_clear(&came);
	buffer_clear(&plain);
	buffer_clear(&sent);
}

/* What the far end has to say, in pieces. */
static enum err feed(size_t piece)
{
	uint8_t bytes[16384];
	enum err e = ERR_NONE;
	int got;
	if (piece > sizeof bytes)
		piece = sizeof bytes;
	while (!e && (got = BIO_read(SSL_get_wbio(far->ssl), bytes, (int)piece)) > 0) {
		assert_int_equal(buffer_add(&came, bytes_of(bytes, (size_t)got)), ERR_NONE);
		e = linktls_turn(tls, &came, &plain, &sent, &why);
		assert_int_equal(came.len, 0);
	}
	return e;
}

static void give(size_t piece)
{
	for (struct bytes all = buffer_bytes(&sent); all.len; all = bytes_skip(all, piece)) {
		struct bytes part = bytes_take(all, piece);
		BIO_write(SSL_get_rbio(far->ssl), part.at, (int)part.len);
	}
	buffer_reset(&sent);
}

/* Until nobody has anything to say. The far end may not believe what we say; only what we believe counts. */
static enum err shake(size_t piece)
{
	enum err e = linktls_turn(tls, &came, &plain, &sent, &why);
	for (unsigned i = 0; i < 20 && !e; i++) {
		give(piece);
		(void)!SSL_do_handshake(far->ssl);
		e = feed(piece);
	}
	return e;
}

/* ---- tests ---- */

/* Whom we believe: what official clients do. Source: docs/protocol/derpmap.md and the reference, TLS. */
static void it_believes_whom_clients_believe(void **state)
{
	(void)state;
	enum signer { TRUSTED, SELF };
	static const struct {
		const char *host, *cert_name; /* "pin": the right one; "other": of another certificate */
		bool insecure;
		const char *san;
		enum signer by;
		int from, to;
		bool good;
		const char *asked_for;
	} cases[] = {
		{"h.example", "", false, "DNS:h.example", TRUSTED, -1, 1, true, "h.example"},
		{"h.relays.example", "", false, "DNS:*.relays.example", TRUSTED, -1, 1, true, "h.relays.example"},
		{"h.example", "", false, "DNS:x.example", TRUSTED, -1, 1, false, "h.example"},
		{"h.example", "", false, "DNS:h.example", SELF, -1, 1, false, "h.example"},
		{"h.example", "", false, "DNS:h.example", TRUSTED, -2, -1, false, "h.example"},
		{"h.example", "", false, "DNS:h.example", TRUSTED, 1, 2, false, "h.example"},
		{"192.0.2.1", "", false, "IP:192.0.2.1", TRUSTED, -1, 1, true, ""},
		{"2001:db8::1", "", false, "IP:2001:db8::1", TRUSTED, -1, 1, true, ""},
		{"192.0.2.1", "", false, "IP:192.0.2.2", TRUSTED, -1, 1, false, ""},
		/* The chain is for another name. */
		{"h.example", "c.example", false, "DNS:c.example", TRUSTED, -1, 1, true, "h.example"},
		{"h.example", "c.example", false, "DNS:h.example", TRUSTED, -1, 1, false, "h.example"},
		{"192.0.2.1", "c.example", false, "DNS:c.example", TRUSTED, -1, 1, true, ""},
		/* Nobody checks, but a CertName. */
		{"h.example", "", true, "DNS:x.example", SELF, -2, -1, true, "h.example"},
		{"h.example", "c.example", true, "DNS:x.example", SELF, -1, 1, false, "h.example"},
		{"h.example", "other", true, "DNS:h.example", SELF, -1, 1, false, "h.example"},
		/* One certificate, whoever signed it, while it is good. */
		{"h.example", "pin", false, "DNS:h.example", SELF, -1, 1, true, "h.example"},
		{"192.0.2.1", "pin", false, "DNS:x.example", SELF, -1, 1, true, ""},
		{"h.example", "pin", true, "DNS:h.example", SELF, -1, 1, true, "h.example"},
		{"h.example", "pin", false, "DNS:x.example", SELF, -1, 1, false, "h.example"},
		{"h.example", "other", false, "DNS:h.example", TRUSTED, -1, 1, false, "h.example"},
		{"h.example", "pin", false, "DNS:h.example", SELF, -2, -1, false, "h.example"},
		{"h.example", "pin", false, "DNS:h.example", SELF, 1, 2, false, "h.example"},
	};
	static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
	for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
		size_t at = i / 2;
		X509 *leaf = certificate(server_key, cases[at].san, cases[at].from, cases[at].to, cases[at].by == TRUSTED ? authority_key : NULL);
		char pin[PIN_MAX];
		pin_of(leaf, pin);
		if (!strcmp(cases[at].cert_name, "other"))
			pin[20] = pin[20] == '0' ? '1' : '0';
		bool pinned = !strcmp(cases[at].cert_name, "other") || !strcmp(cases[at].cert_name, "pin");
		begin(cases[at].host, pinned ? pin : cases[at].cert_name, cases[at].insecure, leaf, NULL, versions[i % 2]);
		enum err e = shake(CAP);
		if (e != (cases[at].good ? ERR_NONE : ERR_CRYPTO))
			fail_msg("case %zu: %s, %s", at, err_text(e), why.text);
		assert_string_equal(far->asked_for, cases[at].asked_for);
		assert_int_equal(*why.text, cases[at].good ? 0 : *why.text ? *why.text : 1); /* a refusal has its reason */
		if (cases[at].good)
			assert_true(linktls_ready(tls));
		end();
		X509_free(leaf);
	}
}

/* The certificate behind the chain that tells a relay's key. */
static void more_behind_the_chain(void **state)
{
	(void)state;
	X509 *leaf = certificate(server_key, "DNS:h.example", -1, 1, authority_key), *more = certificate(authority_key, "DNS:derpkey00", -1, 1, NULL);
	char pin[PIN_MAX];
	pin_of(leaf, pin);
	for (unsigned pinned = 0; pinned < 2; pinned++) {
		begin("h.example", pinned ? pin : "", false, leaf, more, TLS1_3_VERSION);
		assert_int_equal(shake(CAP), ERR_NONE);
		assert_true(linktls_ready(tls));
		end();
	}
	/* It is no way in. */
	pin_of(more, pin);
	begin("h.example", pin, false, leaf, more, TLS1_3_VERSION);
	assert_int_equal(shake(CAP), ERR_CRYPTO);
	end();
	X509_free(leaf);
	X509_free(more);
}

static void wishes_that_cannot_be(void **state)
{
	static const char *const names[] = {"sha256-raw:", "sha256-raw:00", "sha256-raw:zz00000000000000000000000000000000000000000000000000000000000000",
					    "sha256-raw:000000000000000000000000000000000000000000000000000000000000000000"};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_null(linktls_new("h.example", names[i], true));
	X509 *leaf = certificate(server_key, "DNS:h.example", -1, 1, authority_key);
	begin("h.example", "", true, leaf, NULL, TLS1_1_VERSION);
	assert_int_equal(shake(CAP), ERR_CRYPTO);
	end();
	X509_free(leaf);
}

static void say(const void *at, size_t len, size_t piece)
{
	static uint8_t heard[CAP];
	size_t got = 0, n;
	assert_int_equal(linktls_seal(tls, bytes_of(at, len), &sent), ERR_NONE);
	give(piece);
	while (got < len && SSL_read_ex(far->ssl, heard + got, sizeof heard - got, &n))
		got += n;
	assert_int_equal(got, len);
	assert_memory_equal(heard, at, len);
}

static void hear(const void *at, size_t len, size_t piece)
{
	size_t n;
	assert_int_equal(SSL_write_ex(far->ssl, at, len, &n), 1);
	assert_int_equal(feed(piece), ERR_NONE);
	assert_int_equal(plain.len, len);
	assert_memory_equal(plain.at, at, len);
	buffer_reset(&plain);
}

/* In pieces of any size both hear the same. */
static void pieces_mean_nothing(void **state)
{
	(void)state;
	static const size_t pieces[] = {1, 2, 3, 5, 17, 511, 4096, CAP};
	static uint8_t text[100000];
	X509 *leaf = certificate(server_key, "DNS:h.example", -1, 1, authority_key);
	random_fill(text, sizeof text);
	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		begin("h.example", "", false, leaf, NULL, i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		assert_false(linktls_ready(tls));
		assert_int_equal(shake(pieces[i]), ERR_NONE);
		assert_true(linktls_ready(tls));
		assert_int_equal(plain.len, 0);
		say("GET /derp", 9, pieces[i]);
		hear("x", 1, pieces[i]);
		say(text, sizeof text, pieces[i]);
		hear(text, sizeof text, pieces[i]);
		assert_int_equal(linktls_seal(tls, BYTES_NONE, &sent), ERR_NONE);
		assert_int_equal(sent.len, 0);
		end();
	}
	X509_free(leaf);
}

static void it_ends(void **state)
{
	(void)state;
	X509 *leaf = certificate(server_key, "DNS:h.example", -1, 1, authority_key);
	size_t n;
	/* In order: what was said before counts. */
	begin("h.example", "", false, leaf, NULL, TLS1_3_VERSION);
	assert_int_equal(shake(CAP), ERR_NONE);
	assert_int_equal(SSL_write_ex(far->ssl, "bye", 3, &n), 1);
	SSL_shutdown(far->ssl);
	assert_int_equal(feed(CAP), ERR_CLOSED);
	assert_true(bytes_equal_text(buffer_bytes(&plain), "bye"));
	end();
	/* Bytes that are none of TLS, at each stage. */
	for (unsigned stage = 0; stage < 2; stage++) {
		begin("h.example", "", false, leaf, NULL, TLS1_3_VERSION);
		if (stage)
			assert_int_equal(shake(CAP), ERR_NONE);
		assert_int_equal(buffer_add(&came, BYTES("HTTP/1.1 400 Bad Request\r\n\r\n")), ERR_NONE);
		assert_int_equal(linktls_turn(tls, &came, &plain, &sent, &why), ERR_CRYPTO);
		assert_int_equal(plain.len, 0);
		end();
	}
	/* A byte on its way was changed. */
	begin("h.example", "", false, leaf, NULL, TLS1_3_VERSION);
	assert_int_equal(shake(CAP), ERR_NONE);
	uint8_t record[200];
	assert_int_equal(SSL_write_ex(far->ssl, "hello", 5, &n), 1);
	int len = BIO_read(SSL_get_wbio(far->ssl), record, sizeof record);
	assert_true(len > 20);
	record[len - 1] ^= 1;
	assert_int_equal(buffer_add(&came, bytes_of(record, (size_t)len)), ERR_NONE);
	assert_int_equal(linktls_turn(tls, &came, &plain, &sent, &why), ERR_CRYPTO);
	assert_int_equal(plain.len, 0);
	end();
	X509_free(leaf);
}

static void caps_hold(void **state)
{
	(void)state;
	static uint8_t text[60000];
	X509 *leaf = certificate(server_key, "DNS:h.example", -1, 1, authority_key);
	size_t n;
	begin("h.example", "", false, leaf, NULL, TLS1_3_VERSION);
	assert_int_equal(shake(CAP), ERR_NONE);
	plain.cap = 40000;
	assert_int_equal(SSL_write_ex(far->ssl, text, sizeof text, &n), 1);
	assert_int_equal(feed(CAP), ERR_TOO_BIG);
	assert_true(plain.len <= 40000);
	sent.cap = 1000;
	assert_int_equal(linktls_seal(tls, bytes_of(text, sizeof text), &sent), ERR_TOO_BIG);
	end();
	X509_free(leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_believes_whom_clients_believe),
		cmocka_unit_test(more_behind_the_chain),
		cmocka_unit_test(wishes_that_cannot_be),
		cmocka_unit_test(pieces_mean_nothing),
		cmocka_unit_test(it_ends),
		cmocka_unit_test(caps_hold),
	};
	return cmocka_run_group_tests(tests, open, shut);
}
