#include "selfsigned.h"

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "addr.h"
#include "key.h"

enum { BACKDATED_S = 24 * 3600, VALID_S = 365 * 24 * 3600, COMMON_NAME_MAX = 64 };

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool done = extension && X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
	return done;
}

static bool name_it(X509 *x, const char *host)
{
	char alternative[300];
	struct ip ip;
	assert(host);
	bool is_ip = ip_parse(bytes_text(host), &ip) == ERR_NONE;
	snprintf(alternative, sizeof alternative, "%s:%s", is_ip ? "IP" : "DNS", host);
	X509_NAME *name = X509_get_subject_name(x);
	/* The common name is for people and ends at 64 characters; the alternative name counts. */
	const char *common = strlen(host) <= COMMON_NAME_MAX ? host : "fleetscale";
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0) && X509_set_issuer_name(x, name) &&
	       add_extension(x, NID_subject_alt_name, alternative) && add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_key_usage, "critical,digitalSignature") && add_extension(x, NID_ext_key_usage, "serverAuth");
}

static bool fill(X509 *x, EVP_PKEY *key, const char *host)
{
	return X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), random_number() >> 1 | 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -BACKDATED_S) && X509_gmtime_adj(X509_getm_notAfter(x), VALID_S) && X509_set_pubkey(x, key) &&
	       name_it(x, host) && X509_sign(x, key, EVP_sha256()) > 0;
}

static enum err take(BIO *bio, struct buffer *out)
{
	char *at;
	long len = BIO_get_mem_data(bio, &at);
	return len > 0 ? buffer_add(out, bytes_of(at, (size_t)len)) : ERR_CRYPTO;
}

static enum err write_both(X509 *x, EVP_PKEY *pair, struct buffer *certificate, struct buffer *key)
{
	BIO *public_part = BIO_new(BIO_s_mem()), *private_part = BIO_new(BIO_s_secmem());
	enum err e = ERR_CRYPTO;
	if (public_part && private_part && PEM_write_bio_X509(public_part, x) && PEM_write_bio_PKCS8PrivateKey(private_part, pair, NULL, NULL, 0, NULL, NULL)) {
		e = take(public_part, certificate);
		if (!e)
			e = take(private_part, key);
	}
	BIO_free(public_part);
	BIO_free(private_part);
	return e;
}

static bool fits(const char *host)
{
	size_t len = strlen(host);
	if (!len || len > 253)
		return false;
	/* What X509V3_EXT_conf_nid would take for syntax of its own. */
	return !strpbrk(host, ",;\n\r\\ \"'@");
}

enum err selfsigned_make(const char *host, struct buffer *certificate, struct buffer *key)
{
	if (!fits(host))
		return ERR_MALFORMED;
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	enum err e = pair && x && fill(x, pair, host) ? write_both(x, pair, certificate, key) : ERR_CRYPTO;
	X509_free(x);
	EVP_PKEY_free(pair);
	return e;
}
