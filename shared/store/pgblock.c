#include "pgblock.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "sqlstate.h"

enum { CONNECT_S = 10 };

struct pgblock {
	PGconn *c;
	PGresult *result;
};

static void ignore(void *context, const char *message)
{
	(void)context, (void)message;
}

enum err pgblock_open(const char *url, struct pgblock **out, struct diag *why)
{
	char seconds[12];
	snprintf(seconds, sizeof seconds, "%d", CONNECT_S);
	const char *const words[] = {"fallback_application_name", "connect_timeout", "dbname", "client_encoding", NULL};
	const char *const values[] = {"fleetscale", seconds, url, "UTF8", NULL};
	struct pgblock *p = x_zalloc(sizeof *p);
	*out = NULL;
	p->c = PQconnectdbParams(words, values, 1);
	if (PQstatus(p->c) != CONNECTION_OK) {
		struct bytes text = bytes_trim(bytes_text(PQerrorMessage(p->c)));
		enum err e = diag_set(why, ERR_UNAVAILABLE, "%.*s", BYTES_ARG(text.len ? text : BYTES("no connection to the database")));
		pgblock_close(&p);
		return e;
	}
	PQsetNoticeProcessor(p->c, ignore, NULL);
	*out = p;
	return ERR_NONE;
}

void pgblock_close(struct pgblock **p)
{
	if (!*p)
		return;
	PQclear((*p)->result);
	PQfinish((*p)->c);
	free(*p);
	*p = NULL;
}

static enum err judge(struct pgblock *p, struct diag *why)
{
	ExecStatusType status = PQresultStatus(p->result);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
		return ERR_NONE;
	const char *sentence = PQresultErrorField(p->result, PG_DIAG_MESSAGE_PRIMARY);
	return sqlstate_judge(PQresultErrorField(p->result, PG_DIAG_SQLSTATE), sentence ? sentence : "", PQresultErrorField(p->result, PG_DIAG_CONSTRAINT_NAME),
			      why);
}

enum err pgblock_run(struct pgblock *p, const char *sql, int count, const char *const *args, struct diag *why)
{
	PQclear(p->result);
	p->result = PQexecParams(p->c, sql, count, NULL, args, NULL, NULL, 0);
	return judge(p, why);
}

enum err pgblock_script(struct pgblock *p, const char *sql, struct diag *why)
{
	PQclear(p->result);
	p->result = PQexec(p->c, sql);
	return judge(p, why);
}

size_t pgblock_rows(const struct pgblock *p)
{
	return (size_t)PQntuples(p->result);
}

struct bytes pgblock_text(const struct pgblock *p, size_t row, int column)
{
	if (row >= pgblock_rows(p) || PQgetisnull(p->result, (int)row, column))
		return BYTES_NONE;
	return bytes_of(PQgetvalue(p->result, (int)row, column), (size_t)PQgetlength(p->result, (int)row, column));
}

const char *pgblock_state(const struct pgblock *p)
{
	const char *state = PQresultErrorField(p->result, PG_DIAG_SQLSTATE);
	return state ? state : "";
}

static char *keep(char *text)
{
	char *copy = text ? x_strdup(text) : NULL;
	PQfreemem(text);
	return copy;
}

char *pgblock_verifier(struct pgblock *p, const char *password, const char *role)
{
	return keep(PQencryptPasswordConn(p->c, password, role, NULL));
}

char *pgblock_literal(struct pgblock *p, const char *text)
{
	return keep(PQescapeLiteral(p->c, text, strlen(text)));
}
