#include "ipam.h"

typedef unsigned __int128 wide;

/* What is never given out, whatever the range. Source: docs/protocol/addresses.md. */
static const struct prefix reserved_blocks[] = {
	{{IP_V4, {100, 100, 100, 100}}, 32},                                                            /* MagicDNS resolver */
	{{IP_V4, {100, 115, 92, 0}}, 23},                                                               /* ChromeOS virtual machines */
	{{IP_V6, {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = 0x53}}, 128},                              /* MagicDNS resolver */
	{{IP_V6, {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0x0b, 0x1a}}, 64},                                /* 4via6 routes */
	{{IP_V6, {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0xab, 0x12, 0x48, 0x43, 0xcd, 0x96, 0x62}}, 104}, /* 4-to-6 block */
};

static wide to_wide(struct ip ip)
{
	wide w = 0;
	for (unsigned i = 0; i < ip_bits(ip) / 8; i++)
		w = w << 8 | ip.byte[i];
	return w;
}

/* How far the last address of `prefix` is from its first. */
static wide span(struct prefix prefix)
{
	unsigned host = ip_bits(prefix.ip) - prefix.bits;
	return host >= 128 ? ~(wide)0 : ((wide)1 << host) - 1;
}

static const struct prefix *block_of(struct ip ip)
{
	for (size_t i = 0; i < COUNT_OF(reserved_blocks); i++)
		if (prefix_has(reserved_blocks[i], ip))
			return &reserved_blocks[i];
	return NULL;
}

enum err ipam_next(struct prefix range, uint64_t cursor, struct ip *ip, uint64_t *next)
{
	range = prefix_masked(range);
	wide first = to_wide(range.ip), last = span(range), offset = cursor ? cursor : 1;
	/* A reserved block is stepped over at once; the blocks do not touch each other, so this turns once or twice. */
	while (offset < last && offset < UINT64_MAX) {
		*ip = ip_add(range.ip, (uint64_t)offset);
		const struct prefix *block = block_of(*ip);
		if (!block) {
			*next = (uint64_t)offset + 1;
			return ERR_NONE;
		}
		offset = to_wide(block->ip) + span(*block) + 1 - first;
	}
	return ERR_EXHAUSTED;
}
