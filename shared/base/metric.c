#include "metric.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Histograms: buckets up to 2^4 .. 2^25 us (16 us to 33 s), one for what is slower, then the sum. */
enum { TABLES_MAX = 16, SLOTS_MAX = 1024, BUCKET_FIRST = 4, BUCKET_LAST = 25, BUCKETS = BUCKET_LAST - BUCKET_FIRST + 2 };

enum { FACTS_MAX = 4, FACT_TEXT_MAX = 1 << 20 };

/* Series that were told, as they are written. */
struct fact {
	const struct metric *metric;
	struct buffer text;
};

/* Written by its thread alone, read by whoever sums. */
struct counts {
	struct counts *next;
	_Atomic int64_t slot[SLOTS_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* tables, facts, and the list of counts */
static struct metric *tables[TABLES_MAX];
static struct fact facts[FACTS_MAX];
static size_t table_count;
static unsigned slots_taken = 1; /* slot 0: not registered, not counted */
static struct counts *living;
static int64_t ended[SLOTS_MAX]; /* what threads that ended had counted */
static _Thread_local struct counts *mine;
static pthread_key_t thread_end;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void on_thread_end(void *at)
{
	struct counts *gone = at;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < SLOTS_MAX; i++)
		ended[i] += gone->slot[i];
	for (struct counts **c = &living; *c; c = &(*c)->next) {
		if (*c == gone) {
			*c = gone->next;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	mine = NULL;
	free(gone);
}

static void prepare(void)
{
	int failed = pthread_key_create(&thread_end, on_thread_end);
	assert(!failed);
	(void)failed;
}

static struct counts *counts_of_thread(void)
{
	if (mine)
		return mine;
	pthread_once(&prepared, prepare);
	struct counts *fresh = x_zalloc(sizeof(*fresh));
	pthread_setspecific(thread_end, fresh);
	pthread_mutex_lock(&lock);
	fresh->next = living;
	living = fresh;
	pthread_mutex_unlock(&lock);
	return mine = fresh;
}

static unsigned value_count(const struct metric *m)
{
	unsigned count = 0;
	if (m->type == METRIC_TOLD)
		return 0;
	if (!m->label)
		return 1;
	while (m->values[count])
		count++;
	return count;
}

static bool has_bounds(const struct metric *m)
{
	return m->type == METRIC_HISTOGRAM && m->label;
}

static unsigned slots_of(const struct metric *m)
{
	assert(!has_bounds(m) || !strcmp(m->label, "le"));
	return m->type != METRIC_HISTOGRAM ? value_count(m) : has_bounds(m) ? value_count(m) + 2 : BUCKETS + 1;
}

static bool is_registered(const struct metric *table)
{
	for (size_t i = 0; i < table_count; i++) {
		if (tables[i] == table)
			return true;
	}
	return false;
}

void metric_register(struct metric *table)
{
	pthread_mutex_lock(&lock);
	if (!is_registered(table)) {
		assert(table_count < TABLES_MAX);
		tables[table_count++] = table;
		for (struct metric *m = table; m->name; m++) {
			m->slot = slots_taken;
			slots_taken += slots_of(m);
			assert(slots_taken <= SLOTS_MAX);
		}
	}
	pthread_mutex_unlock(&lock);
}

static void count(unsigned slot, int64_t amount)
{
	_Atomic int64_t *at = &counts_of_thread()->slot[slot];
	int64_t before = atomic_load_explicit(at, memory_order_relaxed);
	atomic_store_explicit(at, before + amount, memory_order_relaxed);
}

void metric_add(const struct metric *m, int64_t amount)
{
	metric_add_at(m, 0, amount);
}

void metric_add_at(const struct metric *m, unsigned value, int64_t amount)
{
	if (!m->slot)
		return;
	assert(m->type != METRIC_HISTOGRAM && value < value_count(m));
	count(m->slot + value, amount);
}

static unsigned bucket_of(uint64_t us)
{
	unsigned power = us > 1 ? 64 - (unsigned)__builtin_clzll(us - 1) : 0; /* the least power with us <= 2^power */
	return power <= BUCKET_FIRST ? 0 : power > BUCKET_LAST ? BUCKETS - 1 : power - BUCKET_FIRST;
}

void metric_observe_us(const struct metric *m, uint64_t us)
{
	if (!m->slot)
		return;
	assert(m->type == METRIC_HISTOGRAM);
	count(m->slot + bucket_of(us), 1);
	count(m->slot + BUCKETS, (int64_t)us);
}

void metric_observe_at(const struct metric *m, unsigned bucket, int64_t amount)
{
	unsigned bounds;
	if (!m->slot)
		return;
	bounds = value_count(m);
	assert(has_bounds(m) && bucket <= bounds);
	count(m->slot + bucket, 1);
	count(m->slot + bounds + 1, amount);
}

static int64_t sum_of(unsigned slot)
{
	pthread_mutex_lock(&lock);
	int64_t sum = ended[slot];
	for (struct counts *c = living; c; c = c->next)
		sum += atomic_load_explicit(&c->slot[slot], memory_order_relaxed);
	pthread_mutex_unlock(&lock);
	return sum;
}

int64_t metric_sum(const struct metric *m, unsigned value)
{
	assert((m->type != METRIC_HISTOGRAM || m->label) && value < slots_of(m));
	return m->slot ? sum_of(m->slot + value) : 0;
}

/* Help texts and label values: backslash, newline and, in values, the quote. */
static enum err add_escaped(struct buffer *out, struct bytes text, bool quote)
{
	enum err e = ERR_NONE;
	for (size_t i = 0; i < text.len && e == ERR_NONE; i++) {
		uint8_t c = text.at[i];
		if (c == '\n')
			e = buffer_add_text(out, "\\n");
		else if (c == '\\' || (quote && c == '"'))
			e = buffer_format(out, "\\%c", c);
		else
			e = buffer_add_byte(out, c);
	}
	return e;
}

static enum err write_label(struct buffer *out, struct bytes name, struct bytes value)
{
	enum err e = buffer_format(out, "%.*s=\"", BYTES_ARG(name));
	if (e == ERR_NONE)
		e = add_escaped(out, value, true);
	return e == ERR_NONE ? buffer_add_byte(out, '"') : e;
}

static enum err write_labels(struct buffer *out, const char *labels, const char *values)
{
	struct bytes names = bytes_text(labels), rest = bytes_text(values);
	enum err e = ERR_NONE;
	while (e == ERR_NONE && names.at) {
		struct bytes name = bytes_split(names, ',', &names);
		e = write_label(out, name, names.at ? bytes_split(rest, ',', &rest) : rest);
		if (e == ERR_NONE && names.at)
			e = buffer_add_byte(out, ',');
	}
	return e;
}

static const char *type_name(enum metric_type type)
{
	return type == METRIC_COUNTER ? "counter" : type == METRIC_HISTOGRAM ? "histogram" : "gauge";
}

static enum err write_head(struct buffer *out, const struct metric *m)
{
	enum err e = buffer_format(out, "# HELP fleetscale_%s ", m->name);
	if (e == ERR_NONE)
		e = add_escaped(out, bytes_text(m->help ? m->help : ""), false);
	return e == ERR_NONE ? buffer_format(out, "\n# TYPE fleetscale_%s %s\n", m->name, type_name(m->type)) : e;
}

static enum err write_values(struct buffer *out, const struct metric *m)
{
	if (!m->label)
		return buffer_format(out, "fleetscale_%s %lld\n", m->name, (long long)sum_of(m->slot));
	for (unsigned i = 0; m->values[i]; i++) {
		enum err e = buffer_format(out, "fleetscale_%s{", m->name);
		if (e == ERR_NONE)
			e = write_labels(out, m->label, m->values[i]);
		if (e == ERR_NONE)
			e = buffer_format(out, "} %lld\n", (long long)sum_of(m->slot + i));
		if (e != ERR_NONE)
			return e;
	}
	return ERR_NONE;
}

static bool in_seconds(const struct metric *m)
{
	static const char end[] = "_seconds";
	size_t len = strlen(m->name);
	return len >= sizeof(end) - 1 && !strcmp(m->name + len - (sizeof(end) - 1), end);
}

static enum err write_own_bounds(struct buffer *out, const struct metric *m)
{
	unsigned bounds = value_count(m);
	int64_t below = 0, sum = sum_of(m->slot + bounds + 1);
	for (unsigned i = 0; i <= bounds; i++) {
		below += sum_of(m->slot + i);
		enum err e = buffer_format(out, "fleetscale_%s_bucket{le=\"%s\"} %lld\n", m->name, i < bounds ? m->values[i] : "+Inf", (long long)below);
		if (e != ERR_NONE)
			return e;
	}
	return buffer_format(out, "fleetscale_%s_sum %.16g\nfleetscale_%s_count %lld\n", m->name, (double)sum * (in_seconds(m) ? 1e-6 : 1), m->name,
			     (long long)below);
}

static enum err write_histogram(struct buffer *out, const struct metric *m)
{
	double unit = in_seconds(m) ? 1e-6 : 1;
	int64_t below = 0;
	for (unsigned i = 0; i < BUCKETS; i++) {
		below += sum_of(m->slot + i);
		enum err e = i == BUCKETS - 1 ? buffer_format(out, "fleetscale_%s_bucket{le=\"+Inf\"} %lld\n", m->name, (long long)below)
					      : buffer_format(out, "fleetscale_%s_bucket{le=\"%.9g\"} %lld\n", m->name,
							      (double)(1u << (BUCKET_FIRST + i)) * unit, (long long)below);
		if (e != ERR_NONE)
			return e;
	}
	return buffer_format(out, "fleetscale_%s_sum %.16g\nfleetscale_%s_count %lld\n", m->name, (double)sum_of(m->slot + BUCKETS) * unit, m->name,
			     (long long)below);
}

static enum err write_metric(struct buffer *out, const struct metric *m)
{
	if (m->type == METRIC_TOLD)
		return ERR_NONE;
	enum err e = write_head(out, m);
	if (e != ERR_NONE)
		return e;
	if (m->type != METRIC_HISTOGRAM)
		return write_values(out, m);
	return has_bounds(m) ? write_own_bounds(out, m) : write_histogram(out, m);
}

static struct bytes part_of(const char *values, unsigned number)
{
	struct bytes rest = bytes_text(values), part = bytes_split(rest, ',', &rest);
	while (number--)
		part = bytes_split(rest, ',', &rest);
	return part;
}

/* Of one of several labels: each once. */
static enum err list_values(struct buffer *out, const struct metric *m, unsigned label)
{
	enum err e = ERR_NONE;
	for (unsigned i = 0; e == ERR_NONE && m->values[i]; i++) {
		struct bytes value = part_of(m->values[i], label);
		unsigned same = 0;
		while (same < i && !bytes_equal(part_of(m->values[same], label), value))
			same++;
		if (same == i)
			e = buffer_format(out, "%s%.*s", i ? ", " : "", BYTES_ARG(value));
	}
	return e;
}

static enum err write_row(struct buffer *out, const struct metric *m)
{
	enum err e = buffer_format(out, "| `fleetscale_%s` | %s | ", m->name, type_name(m->type));
	struct bytes names = m->label ? bytes_text(m->label) : BYTES_NONE;
	for (unsigned i = 0; e == ERR_NONE && names.at; i++) {
		struct bytes name = bytes_split(names, ',', &names);
		e = buffer_format(out, m->values ? "`%.*s`: " : "`%.*s`", BYTES_ARG(name));
		if (e == ERR_NONE && m->values)
			e = list_values(out, m, i);
		if (e == ERR_NONE && names.at)
			e = buffer_add_text(out, m->values ? "; " : ", ");
	}
	return e == ERR_NONE ? buffer_format(out, " | %s |\n", m->help ? m->help : "") : e;
}

static enum err write_each(struct buffer *out, enum err (*write)(struct buffer *, const struct metric *))
{
	size_t before = out->len;
	enum err e = ERR_NONE;
	for (size_t i = 0; i < table_count; i++) {
		for (const struct metric *m = tables[i]; m->name && e == ERR_NONE; m++)
			e = write(out, m);
	}
	if (e != ERR_NONE)
		buffer_cut(out, before);
	return e;
}

/* ---- what is told ---- */

static enum err write_told(struct buffer *out, const struct metric *m, const struct metric_told *told)
{
	struct bytes names = bytes_text(m->label);
	enum err e = buffer_format(out, "fleetscale_%s{", m->name);
	for (unsigned i = 0; e == ERR_NONE && names.at; i++) {
		struct bytes name = bytes_split(names, ',', &names);
		e = write_label(out, name, bytes_text(told->values[i]));
		if (e == ERR_NONE && names.at)
			e = buffer_add_byte(out, ',');
	}
	if (e != ERR_NONE)
		return e;
	return in_seconds(m) ? buffer_format(out, "} %.6f\n", (double)told->value / 1e6) : buffer_format(out, "} %lld\n", (long long)told->value);
}

void metric_tell(const struct metric *m, const struct metric_told *series, size_t count)
{
	struct fact *f = facts;
	struct buffer text;
	buffer_init(&text, FACT_TEXT_MAX);
	assert(m->type == METRIC_TOLD && m->label);
	enum err e = write_head(&text, m);
	for (size_t i = 0; i < count && e == ERR_NONE; i++) {
		size_t before = text.len;
		e = write_told(&text, m, &series[i]);
		if (e != ERR_NONE)
			buffer_cut(&text, before);
	}
	pthread_mutex_lock(&lock);
	while (f < facts + FACTS_MAX && f->metric && f->metric != m)
		f++;
	assert(f < facts + FACTS_MAX);
	if (!f->metric)
		buffer_init(&f->text, FACT_TEXT_MAX);
	f->metric = m;
	buffer_clear(&f->text);
	buffer_move(&f->text, &text);
	pthread_mutex_unlock(&lock);
}

static enum err write_facts(struct buffer *out)
{
	enum err e = ERR_NONE;
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < FACTS_MAX && facts[i].metric && e == ERR_NONE; i++)
		e = buffer_add(out, buffer_bytes(&facts[i].text));
	pthread_mutex_unlock(&lock);
	return e;
}

enum err metric_write(struct buffer *out)
{
	size_t before = out->len;
	enum err e = write_facts(out);
	if (e == ERR_NONE)
		e = write_each(out, write_metric);
	if (e != ERR_NONE)
		buffer_cut(out, before);
	return e;
}

enum err metric_write_docs(struct buffer *out)
{
	size_t before = out->len;
	enum err e = buffer_add_text(out, "| metric | type | label | meaning |\n| --- | --- | --- | --- |\n");
	if (e == ERR_NONE)
		e = write_each(out, write_row);
	if (e != ERR_NONE)
		buffer_cut(out, before);
	return e;
}
