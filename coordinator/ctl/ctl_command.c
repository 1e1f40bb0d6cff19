#include "ctl_command.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl_docs.h"
#include "ctl_help.h"
#include "ctl_nouns.h"
#include "text.h"

const struct ctl_noun *const ctl_nouns[] = {
	&ctl_noun_tailnets,
	&ctl_noun_settings,
	&ctl_noun_policy,
	&ctl_noun_users,
	&ctl_noun_nodes,
	&ctl_noun_auth,
	&ctl_noun_preauthkeys,
	&ctl_noun_apikeys,
	&ctl_noun_keys,
	&ctl_noun_relays,
	&ctl_noun_regions,
	&ctl_noun_audits,
	&ctl_noun_operator,
	&ctl_noun_profiles,
	&ctl_noun_migrate,
	&ctl_noun_doctor,
	&ctl_noun_configtest,
	&ctl_noun_health,
	&ctl_noun_debug,
	&ctl_noun_completion,
	&ctl_noun_dumpconfig,
	&ctl_noun_version,
	NULL,
};

const struct ctl_flag ctl_global_flags[] = {
	{"output", 'o', false, CTL_TEXT, "FORM", NULL, "table (usual), json, json-line or yaml"},
	{"tailnet", 0, false, CTL_TEXT, "NAME", NULL, "the tailnet to act on (FLEETSCALE_TAILNET, else default); for the operator's key and the socket"},
	{"server", 0, false, CTL_TEXT, "URL", NULL,
	 "the admin door of a coordinator (FLEETSCALE_URL); the key is in FLEETSCALE_API_KEY or FLEETSCALE_API_KEY_FILE"},
	{"socket", 0, false, CTL_TEXT, "PATH", NULL, "its unix socket (FLEETSCALE_SOCKET, else /run/fleetscale/admin.sock); wants no key"},
	{"profile", 0, false, CTL_TEXT, "NAME", NULL, "the server of that profile (FLEETSCALE_PROFILE, else the current one)"},
	{"config", 'c', false, CTL_TEXT, "FILE", NULL, "the file of profiles (FLEETSCALE_CLI_CONFIG); for configtest, the program's options"},
	{"ca-file", 0, false, CTL_TEXT, "FILE", NULL, "certificates to trust for https (FLEETSCALE_CA_FILE)"},
	{"insecure", 0, false, CTL_SWITCH, NULL, NULL, "do not check certificates (FLEETSCALE_INSECURE)"},
	{"timeout", 0, false, CTL_SPAN, "DURATION", NULL, "wait so long for an answer (FLEETSCALE_TIMEOUT, else 60s)"},
	{"force", 0, false, CTL_SWITCH, NULL, NULL, "do not ask"},
	{"help", 'h', false, CTL_SWITCH, NULL, NULL, "this"},
	{0},
};

bool ctl_is_named(const char *word, const char *name, const char *aliases)
{
	struct bytes rest = bytes_text(aliases);

	if (strcmp(word, name) == 0)
		return true;
	while (rest.len) {
		struct bytes alias = bytes_split(rest, ' ', &rest);

		if (bytes_equal_text(alias, word))
			return true;
	}
	return false;
}

const struct ctl_noun *ctl_noun_find(const char *word)
{
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++)
		if (ctl_is_named(word, (*noun)->name, (*noun)->aliases))
			return *noun;
	return NULL;
}

const struct ctl_verb *ctl_verb_find(const struct ctl_noun *noun, const char *word)
{
	for (const struct ctl_verb *verb = noun->verbs; verb->name; verb++)
		if (*verb->name && ctl_is_named(word, verb->name, verb->aliases))
			return verb;
	return NULL;
}

/* What has been read of the words. */
struct reading {
	struct ctl *c;
	const struct ctl_noun *noun;
	const struct ctl_verb *verb;
	int argc, at;
	char **argv;
};

static void know_verb(struct reading *r, const struct ctl_verb *verb)
{
	r->verb = verb;
	ctl_flags_know(&r->c->flags, verb->flags);
}

static void take_noun(struct reading *r, const char *word)
{
	r->noun = ctl_noun_find(word);
	if (!r->noun)
		ctl_misuse(r->c, "there is no command \"%.60s\": see `fleetscale --help`", word);
	else if (!*r->noun->verbs[0].name)
		know_verb(r, &r->noun->verbs[0]);
}

static void take_word(struct reading *r, const char *word)
{
	const struct ctl_verb *verb;

	if (!r->noun) {
		take_noun(r, word);
	} else if (!r->verb) {
		verb = ctl_verb_find(r->noun, word);
		if (verb)
			know_verb(r, verb);
		else
			ctl_misuse(r->c, "there is no command \"%s %.60s\": see `fleetscale %s --help`", r->noun->name, word, r->noun->name);
	} else if (r->c->arg_count == r->verb->args_most || r->c->arg_count == CTL_ARGS_MAX) {
		ctl_misuse(r->c, "one word too many: \"%.60s\"", word);
	} else if (!bytes_is_utf8(bytes_text(word))) {
		ctl_misuse(r->c, "a word is not UTF-8");
	} else {
		r->c->args[r->c->arg_count++] = word;
	}
}

/* Known as soon as it is read, so that every later complaint has the wanted form. */
static void take_form(struct ctl *c)
{
	static const char *const forms[] = {[CTL_TABLE] = "table", [CTL_JSON] = "json", [CTL_JSON_LINE] = "json-line", [CTL_YAML] = "yaml"};
	const char *text = ctl_flags_text(&c->flags, "output");

	if (!text)
		return;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		if (strcmp(forms[i], text) == 0) {
			c->form = (enum ctl_form)i;
			return;
		}
	}
	ctl_misuse(c, "--output is table, json, json-line or yaml, not \"%.60s\"", text);
}

static void take_flag(struct reading *r)
{
	struct diag why = {0};

	if (ctl_flags_take(&r->c->flags, r->argc, r->argv, &r->at, &why))
		ctl_misuse(r->c, "%s", why.text);
	else
		take_form(r->c);
}

/* Stops at the first mistake or at the end. */
static void read_words(struct reading *r)
{
	bool only_words = false;

	while (r->at < r->argc && !r->c->status) {
		char *word = r->argv[r->at];

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
			r->at++;
		} else if (!only_words && ctl_flags_is_flag(word)) {
			take_flag(r);
		} else {
			take_word(r, word);
			r->at++;
		}
	}
}

static void act(struct reading *r)
{
	struct ctl *c = r->c;
	struct diag why = {0};
	bool wants_help = ctl_flags_on(&c->flags, "help");

	if (wants_help || !r->noun || !r->verb) {
		ctl_help(wants_help ? c->out : c->err, c->arena, r->noun, r->verb);
		c->status = wants_help ? CTL_DONE : CTL_MISUSE;
	} else if (ctl_flags_finish(&c->flags, &why)) {
		ctl_misuse(c, "%s: see `fleetscale %s %s --help`", why.text, r->noun->name, r->verb->name);
	} else if (c->arg_count < r->verb->args_least) {
		ctl_misuse(c, "%s is missing: see `fleetscale %s %s --help`", r->verb->args, r->noun->name, r->verb->name);
	} else {
		r->verb->run(c);
	}
}

/* --- the screen ------------------------------------------------------------------------------------------------------------------------------ */

/* What is longer than the screen goes through $PAGER: gathered at first, for who writes cannot know. */
struct screen {
	FILE *out, *gathered;
	char *text;
	size_t len;
	unsigned rows;
};

static void screen_open(struct screen *s, struct ctl *c)
{
	const char *pager = getenv("PAGER");
	struct winsize size;

	s->out = c->out;
	if (fileno(c->out) < 0 || !isatty(fileno(c->out)) || ioctl(fileno(c->out), TIOCGWINSZ, &size))
		return;
	c->width = size.ws_col;
	s->rows = size.ws_row;
	if (pager && *pager && s->rows && isatty(STDIN_FILENO))
		s->gathered = open_memstream(&s->text, &s->len);
	if (s->gathered)
		c->out = s->gathered;
}

static bool page_out(const struct screen *s)
{
	void (*was)(int);
	FILE *pager;

	fflush(s->out);
	was = signal(SIGPIPE, SIG_IGN);
	setenv("LESS", "FRX", 0);
	pager = popen(getenv("PAGER"), "we");
	if (pager) {
		fwrite(s->text, 1, s->len, pager);
		pclose(pager);
	}
	signal(SIGPIPE, was);
	return pager != NULL;
}

static void screen_close(struct screen *s)
{
	unsigned lines = 0;

	if (!s->gathered)
		return;
	fclose(s->gathered);
	for (size_t i = 0; i < s->len; i++)
		lines += s->text[i] == '\n';
	if (lines < s->rows || !page_out(s))
		fwrite(s->text, 1, s->len, s->out);
	free(s->text);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------------------- */

static bool is_docs(int argc, char **argv)
{
	return argc == 3 && strcmp(argv[1], "--docs") == 0 && strcmp(argv[2], "cli") == 0;
}

int ctl_command(int argc, char **argv, FILE *out, FILE *err)
{
	struct ctl c = {.arena = arena_new(), .out = out, .err = err, .kept = json_array()};
	struct reading r = {.c = &c, .argc = argc, .argv = argv, .at = 1};
	struct screen screen = {0};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	ctl_flags_know(&c.flags, ctl_global_flags);
	screen_open(&screen, &c);
	if (is_docs(argc, argv)) {
		ctl_docs(out, c.arena);
	} else {
		read_words(&r);
		if (!c.status)
			act(&r);
	}
	screen_close(&screen);
	if (fflush(out) && !c.status)
		c.status = CTL_FAILED;
	json_decref(c.kept);
	arena_free(&c.arena);
	curl_global_cleanup();
	return c.status;
}
