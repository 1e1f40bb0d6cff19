#include "openapi.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#include "dispatch.h"
#include "openapi_form.h"
#include "problem.h"
#include "yamlw.h"

enum { FORM_MAX = 4 << 20 };

enum form { FORM_JSON, FORM_YAML, FORM_OLD_JSON, FORM_OLD_YAML, FORM_PAGE, FORM_COUNT };

static const struct {
	const char *path, *type;
	enum form form;
	bool own;
} places[] = {
	{"/api/v1/openapi.json", "application/json", FORM_JSON, false},           {"/api/v1/openapi.yaml", "application/yaml", FORM_YAML, false},
	{"/api/v1/openapi-3.0.json", "application/json", FORM_OLD_JSON, false},   {"/api/v1/openapi-3.0.yaml", "application/yaml", FORM_OLD_YAML, false},
	{"/api/v1/docs", "text/html; charset=utf-8", FORM_PAGE, false},           {"/api/fleetscale/v1/openapi.json", "application/json", FORM_JSON, true},
	{"/api/fleetscale/v1/openapi.yaml", "application/yaml", FORM_YAML, true}, {"/api/fleetscale/v1/docs", "text/html; charset=utf-8", FORM_PAGE, true},
};

static struct buffer forms[2][FORM_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_json(const json_t *document, struct buffer *out)
{
	char *text = json_dumps(document, JSON_INDENT(2));

	if (!text || buffer_add_text(out, text))
		abort();
	free(text);
}

static void make_forms(struct buffer out[FORM_COUNT], const char *source)
{
	json_t *document = json_loads(source, 0, NULL), *old = openapi_downgrade(document);

	for (unsigned i = 0; i < FORM_COUNT; i++)
		buffer_init(&out[i], FORM_MAX);
	if (buffer_add_text(&out[FORM_JSON], source))
		abort();
	make_json(old, &out[FORM_OLD_JSON]);
	if (yamlw_write(document, &out[FORM_YAML]) || yamlw_write(old, &out[FORM_OLD_YAML]) || openapi_page(document, &out[FORM_PAGE]))
		abort();
	json_decref(old);
	json_decref(document);
}

static void make_all(void)
{
	make_forms(forms[0], openapi_v1_source);
	make_forms(forms[1], openapi_fleetscale_source);
}

void openapi_serve(struct exchange *x)
{
	pthread_once(&once, make_all);
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		if (strcmp(places[i].path, x->route->path) != 0)
			continue;
		admin_add_headers(x);
		exchange_reply(x, 200, places[i].type, buffer_bytes(&forms[places[i].own][places[i].form]));
		return;
	}
	problem_reply(x, 404, "Not Found", "there is nothing at this path", "path");
}
