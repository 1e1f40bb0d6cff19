#include "mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *must(void *at)
{
	static const char why[] = "out of memory\n";
	if (!at) {
		ssize_t told = write(STDERR_FILENO, why, sizeof(why) - 1);
		(void)told;
		abort();
	}
	return at;
}

void *x_alloc(size_t size)
{
	return must(malloc(size ? size : 1));
}

void *x_zalloc(size_t size)
{
	return must(calloc(1, size ? size : 1));
}

void *x_realloc(void *old, size_t size)
{
	return must(realloc(old, size ? size : 1));
}

void *x_dup(const void *at, size_t size)
{
	void *copy = x_alloc(size);
	if (size)
		memcpy(copy, at, size);
	return copy;
}

char *x_strdup(const char *text)
{
	return x_dup(text, strlen(text) + 1);
}
