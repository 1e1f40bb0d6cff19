#include "log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "text.h"

/* A line fits a pipe's atomic write (PIPE_BUF) and what log collectors take; TAIL keeps room for telling that it was cut. */
enum { LINE_MAX_LEN = 4096, TAIL = 24, ESCAPE_MAX = 6 };

static const char *program = "fleetscale";
static _Atomic int least_level = LOG_INFO;
static _Atomic bool as_json;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

struct line {
	char at[LINE_MAX_LEN];
	size_t len;
	bool cut;
};

void log_setup(const char *name, enum log_level least, enum log_format format)
{
	program = name;
	least_level = (int)least;
	as_json = format == LOG_JSON;
}

bool log_on(enum log_level level)
{
	return (int)level >= least_level;
}

static bool add(struct line *l, struct bytes b, size_t keep)
{
	if (b.len > sizeof(l->at) - l->len || sizeof(l->at) - l->len - b.len < keep) {
		l->cut = true;
		return false;
	}
	if (b.len)
		memcpy(l->at + l->len, b.at, b.len);
	l->len += b.len;
	return true;
}

static bool add_text(struct line *l, const char *text)
{
	return add(l, bytes_text(text), TAIL);
}

/* One character, escaped as JSON wants it; bytes that are not UTF-8 become U+FFFD. *used tells how many were read. */
static struct bytes escaped(struct bytes b, char room[static ESCAPE_MAX + 1], size_t *used)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	size_t len = bytes_utf8_len(b);
	*used = len ? len : 1;
	if (!len)
		return BYTES("\\ufffd");
	const char *found = len == 1 && b.at[0] ? strchr(plain, b.at[0]) : NULL;
	if (found)
		return bytes_of(room, (size_t)snprintf(room, ESCAPE_MAX + 1, "\\%c", letter[found - plain]));
	if (len == 1 && (b.at[0] < 0x20 || b.at[0] == 0x7f))
		return bytes_of(room, (size_t)snprintf(room, ESCAPE_MAX + 1, "\\u%04x", (unsigned)b.at[0]));
	return bytes_take(b, len);
}

/* False only when not even an empty string fitted; otherwise what does not fit is left away and the quote is closed. */
static bool add_quoted(struct line *l, struct bytes b)
{
	char room[ESCAPE_MAX + 1];
	if (!add(l, BYTES("\""), TAIL + 1))
		return false;
	while (b.len) {
		size_t used;
		if (!add(l, escaped(b, room, &used), TAIL + 1))
			break;
		b = bytes_skip(b, used);
	}
	return add(l, BYTES("\""), TAIL);
}

/* What needs no quotes in the text form. */
static bool is_word(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.at[i];
		if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return b.len > 0;
}

static bool add_string(struct line *l, struct bytes b)
{
	return (!as_json && is_word(b) && add(l, b, TAIL)) || add_quoted(l, b);
}

static bool add_name(struct line *l, const char *name)
{
	if (as_json)
		return add_text(l, ",") && add_quoted(l, bytes_text(name)) && add_text(l, ":");
	return add_text(l, " ") && add_text(l, name) && add_text(l, "=");
}

static bool add_value(struct line *l, const struct log_field *f)
{
	char text[24] = "";
	switch (f->kind) {
	case LOG_END:
		break;
	case LOG_STRING:
		return f->text ? add_string(l, bytes_text(f->text)) : add_text(l, as_json ? "null" : "-");
	case LOG_BYTES:
		return add_string(l, f->bytes);
	case LOG_ERRCODE:
		return add_string(l, bytes_text(err_text(f->err)));
	case LOG_UINT:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)f->number);
		break;
	case LOG_INT:
		snprintf(text, sizeof(text), "%lld", (long long)f->integer);
		break;
	}
	return add_text(l, text);
}

/* A name without its value would be broken JSON: then the field is taken back whole. */
static void add_field(struct line *l, const struct log_field *f)
{
	size_t before = l->len;
	if (!add_name(l, f->name) || !add_value(l, f))
		l->len = before;
}

static void add_head(struct line *l, enum log_level level, struct subject subject, const char *event)
{
	char when[TIME_TEXT_MAX];
	struct wall now = clock_wall();
	int64_t ms = now.ns / 1000000 % 1000;
	size_t len = time_format(when, (struct wall){now.ns - now.ns % 1000000000});
	snprintf(when + len - 1, sizeof(when) - len + 1, ".%03dZ", (int)ms);
	const char *kind = subject.kind ? subject.kind : "program";
	if (as_json) {
		add_text(l, "{\"time\":\"");
		add_text(l, when);
		add_text(l, "\",\"level\":\"");
		add_text(l, level_names[level]);
		add_text(l, "\",\"program\":");
		add_quoted(l, bytes_text(program));
		add_text(l, ",\"subject\":");
		add_quoted(l, bytes_text(kind));
	} else {
		add_text(l, when);
		add_text(l, " ");
		add_text(l, level_names[level]);
		add_text(l, " ");
		add_text(l, kind);
	}
	if (subject.tailnet)
		add_field(l, &F_UINT("tailnet", subject.tailnet));
	if (subject.node)
		add_field(l, &F_UINT("node", subject.node));
	if (subject.id)
		add_field(l, &F_UINT("id", subject.id));
	add_text(l, as_json ? ",\"event\":" : " ");
	add_quoted(l, bytes_text(event));
}

static void put(const struct line *l)
{
	int kept = errno;
	for (size_t done = 0; done < l->len;) {
		ssize_t n = write(STDERR_FILENO, l->at + done, l->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	errno = kept;
}

void log_line(enum log_level level, struct subject subject, const char *event, const struct log_field *fields)
{
	struct line l;
	l.len = 0;
	l.cut = false;
	add_head(&l, level, subject, event);
	for (const struct log_field *f = fields; f->kind != LOG_END && !l.cut; f++)
		add_field(&l, f);
	if (l.cut)
		add(&l, as_json ? BYTES(",\"cut\":true") : BYTES(" cut=true"), 0);
	add(&l, as_json ? BYTES("}\n") : BYTES("\n"), 0);
	put(&l);
}
