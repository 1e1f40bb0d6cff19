#include "messages.h"

enum { WARN_MOST_MS = 7 * 24 * 3600 * 1000, WARN_PART = 10 };

static const struct {
	enum message message;
	const char *id, *title, *text, *severity;
	bool cuts_off;
} texts[] = {
	{MESSAGE_SUSPENDED, "suspended", "Tailnet suspended", "An administrator has suspended this tailnet: its machines see nobody until it is resumed.",
	 "high", true},
	{MESSAGE_APPROVAL, "approval", "Waiting for approval", "This machine must be approved by an administrator before it can reach others.", "high", true},
	{MESSAGE_EXPIRED, "key-expired", "Key expired", "The key of this machine has expired: log in again.", "high", true},
	{MESSAGE_EXPIRING, "key-expiring", "Key expires soon", "The key of this machine expires soon: log in again before it does.", "medium", false},
	{MESSAGE_ROUTES, "routes", "Routes not approved", "This machine offers routes that no administrator has approved yet.", "low", false},
	{MESSAGE_NOTICE, "notice", "From your administrators", NULL, "low", false},
};

/* A week before the end, but not earlier than in the last tenth of a key's life. */
static struct wall warned_from(const struct node *node, int64_t lifetime_ms)
{
	int64_t before = lifetime_ms && lifetime_ms / WARN_PART < WARN_MOST_MS ? lifetime_ms / WARN_PART : WARN_MOST_MS;
	return wall_add_ms(node->expiry, -before);
}

static bool waits_for_routes(const struct node *node)
{
	for (size_t i = 0; i < node->advertised_count; i++) {
		bool approved = false;
		for (size_t j = 0; j < node->approved_count && !approved; j++)
			approved = !prefix_compare(prefix_masked(node->routes_advertised[i]), prefix_masked(node->routes_approved[j]));
		if (!approved)
			return true;
	}
	return false;
}

unsigned messages_of(const struct node *node, bool suspended, bool has_notice, int64_t lifetime_ms, struct wall now)
{
	unsigned messages = has_notice ? MESSAGE_NOTICE : 0;
	/* Suspended says it all. */
	if (suspended)
		return messages | MESSAGE_SUSPENDED;
	if (node_is_expired(node, now))
		messages |= MESSAGE_EXPIRED;
	else if (!wall_is_zero(node->expiry) && wall_passed(warned_from(node, lifetime_ms), now))
		messages |= MESSAGE_EXPIRING;
	if (!node->approved)
		messages |= MESSAGE_APPROVAL;
	else if (waits_for_routes(node))
		messages |= MESSAGE_ROUTES;
	return messages;
}

struct wall messages_due(const struct node *node, int64_t lifetime_ms, struct wall now)
{
	struct wall from;
	if (wall_is_zero(node->expiry) || node_is_expired(node, now))
		return WALL_ZERO;
	from = warned_from(node, lifetime_ms);
	return wall_passed(from, now) ? node->expiry : from;
}

static void write_message(struct jsonw *w, size_t i, struct bytes notice)
{
	jsonw_object(w, texts[i].id);
	jsonw_string(w, "Title", texts[i].title);
	jsonw_text(w, "Text", texts[i].text ? bytes_text(texts[i].text) : notice);
	jsonw_string(w, "Severity", texts[i].severity);
	if (texts[i].cuts_off)
		jsonw_bool(w, "ImpactsConnectivity", true);
	jsonw_object_end(w);
}

static void write_health(struct jsonw *w, unsigned messages, struct bytes notice)
{
	jsonw_array(w, "Health");
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (messages & texts[i].message)
			jsonw_text(w, NULL, texts[i].text ? bytes_text(texts[i].text) : notice);
	jsonw_array_end(w);
}

void messages_write(struct jsonw *w, unsigned messages, struct bytes notice, bool as_health, bool first)
{
	if (as_health) {
		write_health(w, messages, notice);
		return;
	}
	if (first && !messages)
		return;
	jsonw_object(w, "DisplayMessages");
	if (!first)
		jsonw_null(w, "*");
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (messages & texts[i].message)
			write_message(w, i, notice);
	jsonw_object_end(w);
}
