#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl_command.h"
#include "text.h"
#include "told.h"

enum { WORDS_MAX = 12 };

/* Every word that may stand at one place means one thing. */
struct words {
	struct bytes list[128];
	size_t count;
};

static void add_word(struct words *w, struct bytes word)
{
	for (size_t i = 0; i < w->count; i++)
		assert_false(bytes_equal(w->list[i], word));
	assert_true(w->count < COUNT_OF(w->list));
	w->list[w->count++] = word;
}

static void add_words(struct words *w, const char *name, const char *aliases)
{
	struct bytes rest = bytes_text(aliases);

	add_word(w, bytes_text(name));
	while (rest.len)
		add_word(w, bytes_split(rest, ' ', &rest));
}

static void names_mean_one_thing(void **state)
{
	struct words nouns = {0};

	(void)state;
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++) {
		struct words verbs = {0};

		add_words(&nouns, (*noun)->name, (*noun)->aliases);
		for (const struct ctl_verb *verb = (*noun)->verbs; verb && verb->name; verb++) {
			add_words(&verbs, verb->name, verb->aliases);
			assert_true(verb->args_least <= verb->args_most && verb->args_most <= CTL_ARGS_MAX);
			assert_true((verb->args != NULL) == (verb->args_most > 0));
			assert_ptr_equal(*verb->name ? ctl_verb_find(*noun, verb->name) : verb, verb);
		}
		assert_ptr_equal(ctl_noun_find((*noun)->name), *noun);
	}
	assert_ptr_equal(ctl_noun_find("authkeys"), ctl_noun_find("preauthkeys"));
	assert_ptr_equal(ctl_verb_find(ctl_noun_find("nodes"), "ls"), ctl_verb_find(ctl_noun_find("node"), "list"));
}

static void add_flags(struct words *names, char *letters, const struct ctl_flag *flags)
{
	for (; flags && flags->name; flags++) {
		add_word(names, bytes_text(flags->name));
		assert_true((flags->type == CTL_SWITCH) == (flags->value == NULL));
		assert_non_null(flags->help);
		if (!flags->letter)
			continue;
		assert_null(strchr(letters, flags->letter));
		letters[strlen(letters)] = flags->letter;
	}
}

static void flags_mean_one_thing(void **state)
{
	(void)state;
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++) {
		for (const struct ctl_verb *verb = (*noun)->verbs; verb && verb->name; verb++) {
			struct words names = {0};
			char letters[CTL_FLAGS_MAX + 1] = "";

			add_flags(&names, letters, ctl_global_flags);
			add_flags(&names, letters, verb->flags);
			assert_true(names.count <= CTL_FLAGS_MAX);
		}
	}
}

static void expect_help(const char *const *words, const char *usage)
{
	struct told told = told_by(words);

	assert_int_equal(told.status, CTL_DONE);
	assert_non_null(strstr(told.out, usage));
	assert_string_equal(told.err, "");
	told_clear(&told);
}

static void everything_helps(void **state)
{
	char usage[128];

	(void)state;
	expect_help(WORDS("--help"), "usage: fleetscale");
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++) {
		snprintf(usage, sizeof usage, "usage: fleetscale %s", (*noun)->name);
		expect_help(WORDS((*noun)->name, "-h"), usage);
		for (const struct ctl_verb *verb = (*noun)->verbs; verb->name; verb++) {
			if (!*verb->name)
				continue;
			snprintf(usage, sizeof usage, "usage: fleetscale %s %s", (*noun)->name, verb->name);
			expect_help(WORDS((*noun)->name, verb->name, "--help"), usage);
			expect_help(WORDS("-h", (*noun)->name, verb->name), usage);
		}
	}
}

static const char *const wrong_uses[][WORDS_MAX] = {
	{NULL},
	{"nonsense"},
	{"nodes"},
	{"nodes", "nonsense"},
	{"nodes", "list", "one-too-many"},
	{"nodes", "list", "--no-such-flag"},
	{"--user", "x", "nodes", "list"},
	{"-o", "xml", "nodes", "list"},
	{"-o"},
	{"users", "create"},
	{"users", "rename", "zoe"},
	{"users", "list", "-i", "1", "-n", "zoe"},
	{"nodes", "get"},
	{"nodes", "get", "seven"},
	{"nodes", "get", "--identifier", "seven"},
	{"nodes", "rename", "other"},
	{"nodes", "expire", "7", "-d", "-e", "1h"},
	{"preauthkeys", "create"},
	{"apikeys", "expire"},
	{"apikeys", "expire", "-i", "1", "-p", "abc"},
	{"relays", "create"},
	{"--server", "http://127.0.0.1:1", "--socket", "/nowhere", "nodes", "list"},
	{"--server", "http://127.0.0.1:1", "nodes", "list"}, /* no API key */
	{"--socket", "/nowhere", "--tailnet", "a\nb", "nodes", "list"},
	{"--profile", "nobody", "nodes", "list"},
	{"--timeout", "5", "nodes", "list"},
	{"tailnets", "set", "lab"},
	{"tailnets", "delete", "lab"},
	{"tailnets", "delete", "lab", "--confirm", "other"},
	{"tailnets", "rename", "lab"},
	{"settings", "set"},
	{"settings", "set", "--key-lifetime", "3"},
	{"settings", "set", "--split", "a.example"},
	{"settings", "set", "--record", "a.example A"},
	{"settings", "set", "--file", "/nowhere"},
	{"auth", "approve"},
	{"auth", "register", "-u", "zoe"},
	{"nodes", "register", "-k", "x"},
	{"nodes", "backfillips"}, /* nobody to ask */
	{"operator", "reset", "--database", "host=/nowhere"},
	{"tailnets", "freeze", "lab", "--database", "env"},
	{"profiles", "add", "lab"},
	{"profiles", "add", "a.b", "--server", "http://127.0.0.1:1"},
	{"profiles", "add", "lab", "--server", "http://127.0.0.1:1", "--store-key"},
	{"configtest", "--program", "nonsense"},
	{"migrate"},
	{"nodes", "get", "\xff"},
};

static void wrong_use_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong_uses); i++) {
		struct told told = told_by(wrong_uses[i]);

		assert_int_equal(told.status, CTL_MISUSE);
		assert_string_equal(told.out, "");
		assert_true(strlen(told.err) > 10);
		told_clear(&told);
	}
}

static void complaints_take_the_wanted_form(void **state)
{
	struct told told = told_by(WORDS("-o", "json-line", "nodes", "nonsense"));

	(void)state;
	assert_string_equal(told.err, "{\"error\":\"there is no command \\\"nodes nonsense\\\": see `fleetscale nodes --help`\"}\n");
	told_clear(&told);
	told = told_by(WORDS("nodes", "-o", "table", "nonsense"));
	assert_string_equal(told.err, "Error: there is no command \"nodes nonsense\": see `fleetscale nodes --help`\n");
	told_clear(&told);
}

static void version_has_all_forms(void **state)
{
	struct told told = told_by(WORDS("version"));

	(void)state;
	assert_string_equal(told.out, "fleetscale " FLEETSCALE_VERSION "\n");
	told_clear(&told);
	told = told_by(WORDS("version", "-o", "json-line"));
	assert_string_equal(told.out, "{\"version\":\"" FLEETSCALE_VERSION "\"}\n");
	assert_int_equal(told.status, CTL_DONE);
	told_clear(&told);
	told = told_by(WORDS("version", "-o", "yaml"));
	assert_string_equal(told.out, "version: \"" FLEETSCALE_VERSION "\"\n");
	told_clear(&told);
	told = told_by(WORDS("nodes", "-o", "yaml", "nonsense"));
	assert_string_equal(told.err, "error: \"there is no command \\\"nodes nonsense\\\": see `fleetscale nodes --help`\"\n");
	told_clear(&told);
}

static bool holds_word(const char *text, const char *word)
{
	const char *at = text;
	size_t len = strlen(word);

	while ((at = strstr(at, word))) {
		bool begins = at == text || strchr(" \n\t'|\"", at[-1]), ends = strchr(" \n\t':)|;\"", at[len]) != NULL;

		if (begins && ends)
			return true;
		at++;
	}
	return false;
}

static void expect_words(const char *script, const struct ctl_flag *flags, bool dashes)
{
	char word[64];

	for (; flags && flags->name; flags++) {
		snprintf(word, sizeof word, "%s%s", dashes ? "--" : "", flags->name);
		assert_true(holds_word(script, word));
	}
}

/* Each script and the page know every noun, verb and flag. */
static void nothing_is_forgotten(void **state)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(shells); i++) {
		struct told told = told_by(WORDS("completion", shells[i]));

		assert_int_equal(told.status, CTL_DONE);
		for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++) {
			assert_true(holds_word(told.out, (*noun)->name));
			for (const struct ctl_verb *verb = (*noun)->verbs; verb->name; verb++) {
				assert_true(!*verb->name || holds_word(told.out, verb->name));
				expect_words(told.out, verb->flags, i != 2);
			}
		}
		expect_words(told.out, ctl_global_flags, i != 2);
		told_clear(&told);
	}
}

static void the_page_knows_all(void **state)
{
	struct told told = told_by(WORDS("--docs", "cli"));
	char title[128];

	(void)state;
	assert_int_equal(told.status, CTL_DONE);
	for (const struct ctl_noun *const *noun = ctl_nouns; *noun; noun++) {
		for (const struct ctl_verb *verb = (*noun)->verbs; verb->name; verb++) {
			snprintf(title, sizeof title, "### fleetscale %s%s%s\n", (*noun)->name, *verb->name ? " " : "", verb->name);
			assert_non_null(strstr(told.out, title));
			for (const struct ctl_flag *flag = verb->flags; flag && flag->name; flag++)
				assert_non_null(strstr(told.out, flag->name));
		}
	}
	told_clear(&told);
}

/* What the surroundings say must not decide what these tests see. */
static int forget_environment(void **state)
{
	static const char *const names[] = {"URL",     "SOCKET",  "API_KEY",  "API_KEY_FILE", "TAILNET",       "CA_FILE", "DATABASE_URL", "DATABASE_URL_FILE",
					    "PROFILE", "TIMEOUT", "INSECURE", "REDIS_URL",    "REDIS_URL_FILE"};
	char name[64];

	setenv("FLEETSCALE_CLI_CONFIG", "/nowhere/cli.yaml", 1);
	unsetenv("HEADSCALE_CLI_ADDRESS");
	unsetenv("HEADSCALE_CLI_API_KEY");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(name, sizeof name, "FLEETSCALE_%s", names[i]);
		unsetenv(name);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_mean_one_thing),
		cmocka_unit_test(flags_mean_one_thing),
		cmocka_unit_test(everything_helps),
		cmocka_unit_test(wrong_use_is_told),
		cmocka_unit_test(complaints_take_the_wanted_form),
		cmocka_unit_test(version_has_all_forms),
		cmocka_unit_test(nothing_is_forgotten),
		cmocka_unit_test(the_page_knows_all),
	};

	return cmocka_run_group_tests(tests, forget_environment, NULL);
}
