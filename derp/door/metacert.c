#include "metacert.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "text.h"

enum { PROTOCOL_VERSION = 2, HALF_LIFE_S = 30 * 24 * 3600 };

/* 71 characters are more than X.520 allows for a common name, hence no type that would be measured. */
static bool name_it(X509 *x, const struct public_key *relay)
{
	char hex[2 * KEY_LEN + 1], name[sizeof(hex) + 8];
	hex_encode(hex, bytes_of(relay->raw, KEY_LEN));
	int len = snprintf(name, sizeof name, "derpkey%s", hex);
	X509_NAME *subject = X509_get_subject_name(x);
	return X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *)name, len, -1, 0) &&
	       X509_set_issuer_name(x, subject);
}

/* Some systems want the constraints where subject and issuer are one. */
static bool constrain(X509 *x)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:FALSE");
	bool done = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return done;
}

static bool fill(X509 *x, EVP_PKEY *pair, const struct public_key *relay)
{
	return X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), PROTOCOL_VERSION) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -HALF_LIFE_S) && X509_gmtime_adj(X509_getm_notAfter(x), HALF_LIFE_S) && X509_set_pubkey(x, pair) &&
	       name_it(x, relay) && constrain(x) && X509_sign(x, pair, NULL) > 0;
}

enum err metacert_make(const struct public_key *relay, struct buffer *der)
{
	EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *x = X509_new();
	unsigned char *at = NULL;
	int len = pair && x && fill(x, pair, relay) ? i2d_X509(x, &at) : -1;
	enum err e = len > 0 ? buffer_add(der, bytes_of(at, (size_t)len)) : ERR_CRYPTO;
	OPENSSL_free(at);
	X509_free(x);
	EVP_PKEY_free(pair);
	return e;
}
