#include "ctl_body.h"

#include <math.h>
#include <stdlib.h>

#include "text.h"

static json_t *number_of(struct ctl *c, const char *flag, const char *text, bool is_int)
{
	int64_t whole = 0;
	char *end = NULL;
	double value = strtod(text, &end);

	if (is_int ? text_parse_i64(bytes_text(text), &whole) != ERR_NONE : end == text || *end || !isfinite(value)) {
		ctl_misuse(c, "--%s: a%s number is wanted, not \"%s\"", flag, is_int ? " whole" : "", text);
		return NULL;
	}
	return is_int ? json_integer(whole) : json_real(value);
}

static json_t *value_of(struct ctl *c, const struct ctl_member *m)
{
	const char *text = ctl_flags_text(&c->flags, m->flag);

	switch (m->kind) {
	case CTL_BODY_TEXT:
		return json_string(text);
	case CTL_BODY_BOOL:
		return json_boolean(ctl_flags_on(&c->flags, m->flag));
	case CTL_BODY_LIST:
		return ctl_flags_list(&c->flags, m->flag);
	default:
		return number_of(c, m->flag, text, m->kind == CTL_BODY_INT);
	}
}

void ctl_body_put(struct ctl *c, json_t *body, const struct ctl_member *members)
{
	for (const struct ctl_member *m = members; m->flag; m++) {
		json_t *value = ctl_flags_given(&c->flags, m->flag) ? value_of(c, m) : NULL;

		if (value)
			json_object_set_new(body, m->member, value);
	}
}
