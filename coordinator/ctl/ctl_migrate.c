#include "ctl_migrate.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "key.h"
#include "schema.h"

enum { DONE, FAILED, WRONG_USE, PASSWORD_MAX = 1024 };

static const char usage[] =
	"usage: fleetscale migrate [--database URL] [--base-domain DOMAIN] [--coordinator-password-file FILE] [--mapper-password-file FILE]\n"
	"\n"
	"Creates or updates the schema, the SQL roles fleetscale_coordinator, fleetscale_mapper and fleetscale_lookup, the server's Noise key,\n"
	"and at first tailnet and user `default`. May run several times and in several places at once.\n"
	"\n"
	"  --database URL                     of the role that owns the schema (default: $FLEETSCALE_DATABASE_URL)\n"
	"  --base-domain DOMAIN               a new tailnet's domain is NAME.DOMAIN (at first tailnet.internal)\n"
	"  --coordinator-password-file FILE   sets that role's password to the file's first line\n"
	"  --mapper-password-file FILE        likewise\n";

/* The first line of a file, or NULL after a sentence. */
static char *read_password(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = x_zalloc(PASSWORD_MAX);
	if (file && fgets(line, PASSWORD_MAX, file)) {
		line[strcspn(line, "\r\n")] = 0;
		fclose(file);
		if (*line)
			return line;
		fprintf(stderr, "fleetscale migrate: %s holds no password\n", path);
	} else {
		fprintf(stderr, "fleetscale migrate: %s cannot be read: %s\n", path, file ? "it is empty" : strerror(errno));
		if (file)
			fclose(file);
	}
	free(line);
	return NULL;
}

static void on_step(void *context, const char *sentence)
{
	(void)context;
	printf("%s\n", sentence);
}

static void forget(const char *password)
{
	if (password)
		key_wipe((char *)password, PASSWORD_MAX);
	free((char *)password);
}

static int migrate(const struct schema_plan *plan)
{
	struct diag why = {.text = ""};
	if (schema_migrate(plan, &why)) {
		fprintf(stderr, "fleetscale migrate: %s\n", why.text);
		return FAILED;
	}
	printf("schema is at migration %zu\n", schema_migration_count);
	return DONE;
}

int ctl_migrate(int argc, char **argv)
{
	static const struct option options[] = {
		{"database", required_argument, NULL, 'd'},
		{"base-domain", required_argument, NULL, 'b'},
		{"coordinator-password-file", required_argument, NULL, 'c'},
		{"mapper-password-file", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct schema_plan plan = {.url = getenv("FLEETSCALE_DATABASE_URL"), .on_step = on_step};
	const char *coordinator_file = NULL, *mapper_file = NULL;
	int c;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			plan.url = optarg;
			break;
		case 'b':
			plan.base_domain = optarg;
			break;
		case 'c':
			coordinator_file = optarg;
			break;
		case 'm':
			mapper_file = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return DONE;
		default:
			fputs(usage, stderr);
			return WRONG_USE;
		}
	}
	if (optind < argc || !plan.url || !*plan.url) {
		fputs(optind < argc ? "fleetscale migrate: what is that word?\n" : "fleetscale migrate: no database given\n", stderr);
		fputs(usage, stderr);
		return WRONG_USE;
	}
	int status = FAILED;
	if (coordinator_file)
		plan.coordinator_password = read_password(coordinator_file);
	if (mapper_file)
		plan.mapper_password = read_password(mapper_file);
	if ((!coordinator_file || plan.coordinator_password) && (!mapper_file || plan.mapper_password))
		status = migrate(&plan);
	forget(plan.coordinator_password);
	forget(plan.mapper_password);
	return status;
}
