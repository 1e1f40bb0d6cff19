#include "hostname.h"

#include <stdio.h>

static bool is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}
static bool is_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}
static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}
static bool is_alnum(uint8_t c)
{
	return is_lower(c) || is_upper(c) || is_digit(c);
}
static bool is_separator(uint8_t c)
{
	return c == ' ' || c == '.' || c == '@' || c == '_';
}

static struct bytes drop_suffix(struct bytes name, const char *suffix)
{
	struct bytes s = bytes_text(suffix);
	if (name.len >= s.len && !memcmp(name.at + name.len - s.len, s.at, s.len))
		name.len -= s.len;
	return name;
}

void hostname_label(struct bytes hostname, char label[static NODE_LABEL_MAX + 1])
{
	/* Each once, in this order, and case-sensitive: the client derives its own idea of the label with the same steps. */
	hostname = drop_suffix(hostname, ".local");
	hostname = drop_suffix(hostname, ".localdomain");
	hostname = drop_suffix(hostname, ".lan");
	hostname = bytes_take(hostname, NODE_LABEL_MAX);

	size_t start = 0, end = hostname.len, len = 0;
	while (start < end && !is_alnum(hostname.at[start]))
		start++;
	while (start < end && !is_alnum(hostname.at[end - 1]))
		end--;
	for (size_t i = start; i < end; i++) {
		uint8_t c = hostname.at[i];
		if (is_separator(c))
			label[len++] = '-';
		else if (is_upper(c))
			label[len++] = (char)(c - 'A' + 'a');
		else if (is_alnum(c) || c == '-')
			label[len++] = (char)c;
	}
	label[len] = 0;
	if (!len)
		memcpy(label, "node", sizeof "node");
}

void hostname_candidate(const char *base, unsigned n, char label[static NODE_LABEL_MAX + 1])
{
	char suffix[16] = "";
	size_t suffix_len = n ? (size_t)snprintf(suffix, sizeof suffix, "-%u", n) : 0;
	size_t len = strlen(base);
	if (len > NODE_LABEL_MAX - suffix_len)
		len = NODE_LABEL_MAX - suffix_len;
	/* A base cut at a hyphen would end in two, or, without a suffix, break the label's form. */
	while (len > 1 && base[len - 1] == '-')
		len--;
	memcpy(label, base, len);
	memcpy(label + len, suffix, suffix_len);
	label[len + suffix_len] = 0;
}

enum err hostname_check(struct bytes label, struct diag *why)
{
	if (!label.len || label.len > NODE_LABEL_MAX)
		return diag_set(why, ERR_MALFORMED, "a node name has 1 to %d characters", NODE_LABEL_MAX);
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.at[i];
		if (!is_lower(c) && !is_digit(c) && c != '-')
			return diag_set(why, ERR_MALFORMED, "a node name holds only lower-case letters, digits and hyphens");
	}
	if (label.at[0] == '-' || label.at[label.len - 1] == '-')
		return diag_set(why, ERR_MALFORMED, "a node name neither starts nor ends with a hyphen");
	return ERR_NONE;
}
