/* fleetcorpus FOLDER: every recorded case below the folder against the policy engine.
 * fleetcorpus --answer: cases on standard input, one a line; what the engine says to each, one a line. */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "compare.h"

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_case(const char *path)
{
	size_t len = strlen(path);
	return len > 5 && !strcmp(path + len - 5, ".json");
}

/* Whether the case in this file passes; else the difference. */
static bool passes(const char *path, char difference[static DIFFERENCE_MAX])
{
	json_error_t fault;
	struct diag why = {0};
	struct recorded recorded;
	json_t *json = json_load_file(path, 0, &fault);
	struct arena *arena = arena_new();
	bool same = false;
	if (!json) {
		snprintf(difference, DIFFERENCE_MAX, "line %d: %s", fault.line, fault.text);
	} else if (recorded_read(arena, json, &recorded, &why)) {
		snprintf(difference, DIFFERENCE_MAX, "not a case: %s", why.text);
	} else {
		json_t *answer = answer_of(arena, &recorded);
		same = compare_case(json, answer, difference);
		json_decref(answer);
	}
	arena_free(&arena);
	json_decref(json);
	return same;
}

static const char *short_name(const char *path)
{
	const char *last = strrchr(path, '/'), *before = last;
	while (before && before > path && before[-1] != '/')
		before--;
	return before ? before : path;
}

/* One line, whatever is in it. */
static void tell(const char *path, char *difference)
{
	const char *name = short_name(path);
	for (char *at = difference; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
	printf("%.*s: %s\n", (int)(strlen(name) - (is_case(name) ? 5 : 0)), name, difference);
}

static int run_folder(char *folder)
{
	char *paths[] = {folder, NULL}, difference[DIFFERENCE_MAX];
	size_t passed = 0, failed = 0;
	FTS *fts = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
	for (FTSENT *entry; fts && (entry = fts_read(fts));) {
		bool unread = entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS;
		if (unread && !entry->fts_level)
			break;
		if (!unread && ((entry->fts_info != FTS_F && entry->fts_info != FTS_SLNONE) || !is_case(entry->fts_path)))
			continue;
		if (!unread && passes(entry->fts_path, difference)) {
			passed++;
			continue;
		}
		failed++;
		if (unread)
			snprintf(difference, sizeof difference, "%s", strerror(entry->fts_errno));
		tell(entry->fts_path, difference);
	}
	if (fts)
		fts_close(fts);
	if (!passed && !failed) {
		fprintf(stderr, "fleetcorpus: no cases below %s\n", folder);
		return 2;
	}
	printf("%zu passed, %zu failed\n", passed, failed);
	return failed ? 1 : 0;
}

static json_t *answer_line(const char *line, struct arena *arena)
{
	json_error_t fault;
	struct diag why = {0};
	struct recorded recorded;
	json_t *json = json_loads(line, 0, &fault), *answer;
	if (!json)
		return json_pack("{s:o}", "fault", answer_text(fault.text));
	if (recorded_read(arena, json, &recorded, &why))
		answer = json_pack("{s:o}", "fault", answer_text(why.text));
	else
		answer = answer_of(arena, &recorded);
	json_decref(json);
	return answer;
}

static int run_lines(void)
{
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, stdin) > 0) {
		struct arena *arena = arena_new();
		json_t *answer = answer_line(line, arena);
		json_dumpf(answer, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(answer);
		arena_free(&arena);
	}
	free(line);
	return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--answer"))
		return run_lines();
	if (argc == 2 && argv[1][0] != '-')
		return run_folder(argv[1]);
	fprintf(stderr, "usage: fleetcorpus FOLDER | fleetcorpus --answer\n");
	return 2;
}
