#include "err.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const texts[ERR_COUNT] = {
	[ERR_NONE] = "no error",
	[ERR_AGAIN] = "not yet",
	[ERR_MALFORMED] = "malformed",
	[ERR_TOO_BIG] = "too big",
	[ERR_NOT_FOUND] = "not found",
	[ERR_EXISTS] = "already exists",
	[ERR_CONFLICT] = "conflict",
	[ERR_DENIED] = "denied",
	[ERR_UNAUTHENTICATED] = "unauthenticated",
	[ERR_EXHAUSTED] = "exhausted",
	[ERR_UNSUPPORTED] = "unsupported",
	[ERR_CRYPTO] = "authentication of bytes failed",
	[ERR_NO_HISTORY] = "history does not reach back",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_TIMEOUT] = "timed out",
	[ERR_CLOSED] = "closed by the other side",
	[ERR_CANCELED] = "canceled",
	[ERR_IO] = "refused by the operating system",
	[ERR_BUG] = "internal error",
};

const char *err_text(enum err e)
{
	return (unsigned)e < ERR_COUNT && texts[e] ? texts[e] : "unknown error";
}

enum err diag_set(struct diag *why, enum err e, const char *format, ...)
{
	if (why) {
		va_list args;
		va_start(args, format);
		vsnprintf(why->text, sizeof(why->text), format, args);
		va_end(args);
	}
	return e;
}
