/* Answers of coordinators and of the judge at verify.url: none admits but a 200 that says so, and both read it alike. */
#include <stdlib.h>

#include "judgment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In plain letters or with an escape: without these nothing can mean true. */
static bool may_allow(struct bytes body)
{
	return memmem(body.at, body.len, "true", 4) && (memmem(body.at, body.len, "\"Allow\"", 7) || memchr(body.at, '\\', body.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned statuses[] = {200, 200, 200, 200, 0, 201, 302, 403, 404, 429, 500, 503};
	static const enum err errors[] = {ERR_NONE, ERR_NONE, ERR_NONE, ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_BIG, ERR_CANCELED};
	if (size < 2)
		return 0;
	unsigned status = statuses[data[0] % COUNT_OF(statuses)];
	enum err e = errors[data[1] % COUNT_OF(errors)];
	struct bytes body = bytes_of(data + 2, size - 2);
	enum judgment url = judgment_of_url(e, status, body), coordinator = judgment_of_coordinator(e, status, body);
	struct standing standing = judgment_standing(body);
	if (standing.tailnet > INT64_MAX || standing.rate.per_second > INT64_MAX || standing.rate.burst > INT64_MAX)
		abort();
	bool clean = !e && status == 200;
	if ((url == JUDGMENT_ALLOWED || coordinator == JUDGMENT_ALLOWED) && (!clean || body.len > JUDGMENT_MAX || !may_allow(body)))
		abort();
	if (clean && (url != coordinator || url == JUDGMENT_NONE || url == JUDGMENT_DENIED))
		abort();
	if (!e && status != 200 && url != JUDGMENT_DENIED)
		abort();
	return 0;
}
