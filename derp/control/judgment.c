#include "judgment.h"

#include "jsonr.h"

static enum judgment read(struct bytes body)
{
	json_t *answer;
	if (jsonr_parse(body, JUDGMENT_MAX, &answer, NULL))
		return JUDGMENT_REFUSED;
	bool allow = json_is_true(json_object_get(answer, "Allow"));
	json_decref(answer);
	return allow ? JUDGMENT_ALLOWED : JUDGMENT_REFUSED;
}

struct standing judgment_standing(struct bytes body)
{
	json_t *answer;
	struct standing s = {0};
	if (jsonr_parse(body, JUDGMENT_MAX, &answer, NULL))
		return s;
	s.tailnet = jsonr_count(answer, "Tailnet");
	s.rate = (struct rate){jsonr_count(answer, "TailnetBytesPerSecond"), jsonr_count(answer, "TailnetBurstBytes")};
	json_decref(answer);
	return s;
}

enum judgment judgment_of_coordinator(enum err e, unsigned status, struct bytes body)
{
	if (e || status >= 500 || status == 429 || status == 404)
		return JUDGMENT_NONE;
	return status == 200 ? read(body) : JUDGMENT_DENIED;
}

enum judgment judgment_of_url(enum err e, unsigned status, struct bytes body)
{
	if (e == ERR_TOO_BIG)
		return JUDGMENT_REFUSED;
	if (e)
		return JUDGMENT_NONE;
	return status == 200 ? read(body) : JUDGMENT_DENIED;
}
