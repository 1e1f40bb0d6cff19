/* Prices of the handshake and of records. A line per case, then one JSON line. */
#include <stdio.h>

#include "clock.h"
#include "noise.h"

static void tell(const char *what, uint64_t count, uint64_t us)
{
	double each = (double)us * 1000 / (double)count;
	printf("%-24s %10.0f ns %12.0f /s\n", what, each, 1e9 / each);
	printf("{\"bench\":\"noise\",\"case\":\"%s\",\"ns\":%.0f,\"count\":%llu}\n", what, each, (unsigned long long)count);
}

static int bench_handshake(unsigned count)
{
	struct private_key server, machine, ephemeral;
	struct public_key server_public, unused;
	struct noise_dial dial;
	struct noise noise;
	uint8_t initiation[NOISE_INITIATION_LEN], response[NOISE_RESPONSE_LEN];
	key_mint(&server, &server_public);
	key_mint(&machine, &unused);
	key_mint(&ephemeral, &unused);
	noise_dial_start(&dial, &machine, &ephemeral, &server_public, 142, initiation);
	uint64_t start = clock_mono_us();
	for (unsigned i = 0; i < count; i++) {
		if (noise_accept(&server, bytes_of(initiation, sizeof(initiation)), response, &noise) != ERR_NONE)
			return 1;
	}
	tell("accept", count, clock_mono_us() - start);
	return 0;
}

static int bench_records(const char *name, size_t size, unsigned count, bool opening)
{
	static const uint8_t plain[NOISE_PLAIN_MAX];
	struct noise_cipher tx = {.key = {7}};
	struct buffer sealed, opened;
	size_t used;
	int failed = 0;
	buffer_init(&sealed, NOISE_RECORD_MAX);
	buffer_init(&opened, NOISE_RECORD_MAX);
	uint64_t start = clock_mono_us();
	for (unsigned i = 0; i < count; i++) {
		struct noise_cipher rx = tx;
		if (!opening || !i) {
			buffer_reset(&sealed);
			failed |= noise_seal(&tx, bytes_of(plain, size), &sealed) != ERR_NONE;
			tx.counter = 0;
		}
		buffer_reset(&opened);
		rx.counter = 0;
		if (opening)
			failed |= noise_open(&rx, buffer_bytes(&sealed), &opened, &used) != ERR_NONE;
	}
	tell(name, count, clock_mono_us() - start);
	buffer_clear(&sealed);
	buffer_clear(&opened);
	return failed;
}

int main(void)
{
	return bench_handshake(5000) | bench_records("seal 230", 230, 500000, false) | bench_records("seal 4077", 4077, 200000, false) |
	       bench_records("open 230", 230, 500000, true) | bench_records("open 4077", 4077, 200000, true);
}
