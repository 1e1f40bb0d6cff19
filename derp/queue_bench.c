#include <stdio.h>

#include "clock.h"
#include "queue.h"

/* Packets per second through one queue: made, pushed, popped, freed; in bursts that fit and in bursts that drop. */
static double run(unsigned burst, uint32_t len, unsigned rounds)
{
	static const struct node_key from = {{1}}, to = {{2}};
	struct queue q;
	queue_init(&q);
	uint64_t begun = clock_mono_us();
	for (unsigned r = 0; r < rounds; r++) {
		for (unsigned i = 0; i < burst; i++) {
			struct packet *p = packet_new(&from, &to, len);
			*packet_payload(p) = (uint8_t)i;
			queue_add(&q, p);
			struct packet *oldest = queue_cut(&q);
			packet_free(&oldest);
		}
		queue_clear(&q);
	}
	return (double)rounds * burst / ((double)(clock_mono_us() - begun + 1) / 1e6);
}

int main(void)
{
	static const struct {
		unsigned burst;
		uint32_t len;
	} cases[] = {{16, 64}, {16, 1200}, {64, 64}, {64, 1200}};
	printf("%-8s %-8s %s\n", "burst", "bytes", "packets/s");
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		printf("%-8u %-8u %.0f\n", cases[i].burst, cases[i].len, run(cases[i].burst, cases[i].len, 200000));
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		printf("{\"bench\":\"queue\",\"burst\":%u,\"bytes\":%u,\"packets_per_s\":%.0f}\n", cases[i].burst, cases[i].len,
		       run(cases[i].burst, cases[i].len, 200000));
	return 0;
}
