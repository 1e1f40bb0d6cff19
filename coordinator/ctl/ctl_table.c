#include "ctl_table.h"

#include <assert.h>

enum { GAP = 2 };

struct layout {
	unsigned widths[CTL_COLUMNS_MAX];
	bool hidden[CTL_COLUMNS_MAX];
	unsigned count;
};

/* Bytes of the next character; *shown becomes what may be printed for it. */
static size_t next_char(struct bytes text, struct bytes *shown)
{
	size_t len = bytes_utf8_len(text);
	bool steers = len == 0 || (len == 1 && (text.at[0] < 0x20 || text.at[0] == 0x7f)) || (len == 2 && text.at[0] == 0xc2 && text.at[1] < 0xa0) ||
		      /* bidirectional overrides and isolates */
		      (len == 3 && text.at[0] == 0xe2 &&
		       ((text.at[1] == 0x80 && text.at[2] >= 0xaa && text.at[2] <= 0xae) || (text.at[1] == 0x81 && text.at[2] >= 0xa6 && text.at[2] <= 0xa9)));

	*shown = steers ? BYTES("?") : bytes_take(text, len);
	return len ? len : 1;
}

static unsigned width_of(const char *cell)
{
	struct bytes text = bytes_text(cell), shown;
	unsigned width = 0;

	for (; text.len; width++)
		text = bytes_skip(text, next_char(text, &shown));
	return width;
}

/* Returns the characters printed, at most `most`; what is cut ends in an ellipsis. */
static unsigned print_cell(FILE *out, const char *cell, unsigned most)
{
	struct bytes text = bytes_text(cell), shown;
	unsigned width = width_of(cell), kept = width > most ? most - 1 : width;

	for (unsigned i = 0; i < kept; i++) {
		text = bytes_skip(text, next_char(text, &shown));
		fwrite(shown.at, 1, shown.len, out);
	}
	if (width > most)
		fputs("…", out);
	return width > most ? most : width;
}

static unsigned total(const struct layout *l)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < l->count; i++)
		if (!l->hidden[i])
			sum += l->widths[i] + (sum ? GAP : 0);
	return sum;
}

/* Takes one character from the widest column that may be cut. */
static bool cut_one(struct layout *l, const struct ctl_heading *headings)
{
	unsigned widest = l->count;

	for (unsigned i = 0; i < l->count; i++)
		if (!l->hidden[i] && headings[i].least && l->widths[i] > headings[i].least && (widest == l->count || l->widths[i] > l->widths[widest]))
			widest = i;
	if (widest == l->count)
		return false;
	l->widths[widest]--;
	return true;
}

static bool hide_one(struct layout *l, const struct ctl_heading *headings)
{
	unsigned last = l->count;

	for (unsigned i = 0; i < l->count; i++)
		if (!l->hidden[i] && headings[i].rank && (last == l->count || headings[i].rank >= headings[last].rank))
			last = i;
	if (last == l->count)
		return false;
	l->hidden[last] = true;
	return true;
}

static void measure(struct layout *l, const struct ctl_heading *headings, const char *const *cells, size_t rows)
{
	for (unsigned i = 0; i < l->count; i++)
		l->widths[i] = width_of(headings[i].title);
	for (size_t i = 0; i < rows * l->count; i++) {
		unsigned width = width_of(cells[i]);

		if (l->widths[i % l->count] < width)
			l->widths[i % l->count] = width;
	}
}

static void fit(struct layout *l, unsigned width, const struct ctl_heading *headings)
{
	struct layout whole = *l;

	while (width && total(l) > width) {
		if (cut_one(l, headings))
			continue;
		/* Cutting did not suffice: with one column less, the others may be wide again. */
		if (!hide_one(&whole, headings))
			return;
		*l = whole;
	}
}

static void print_row(FILE *out, const struct layout *l, const char *const *cells)
{
	unsigned owed = 0;

	for (unsigned i = 0; i < l->count; i++) {
		if (l->hidden[i])
			continue;
		/* Nothing is printed behind the last cell that is not empty. */
		if (*cells[i]) {
			fprintf(out, "%*s", (int)owed, "");
			owed = 0;
		}
		owed += l->widths[i] + GAP - print_cell(out, cells[i], l->widths[i]);
	}
	putc('\n', out);
}

void ctl_table_print(FILE *out, unsigned width, const struct ctl_heading *headings, unsigned count, const char *const *cells, size_t rows)
{
	const char *titles[CTL_COLUMNS_MAX];
	struct layout l = {.count = count};

	assert(count && count <= CTL_COLUMNS_MAX);
	measure(&l, headings, cells, rows);
	fit(&l, width, headings);
	for (unsigned i = 0; i < CTL_COLUMNS_MAX; i++)
		titles[i] = i < count ? headings[i].title : "";
	print_row(out, &l, titles);
	for (size_t row = 0; row < rows; row++)
		print_row(out, &l, cells + row * count);
}

void ctl_table_print_one(FILE *out, const struct ctl_heading *headings, unsigned count, const char *const *cells)
{
	unsigned widest = 0;

	for (unsigned i = 0; i < count; i++)
		if (*cells[i] && width_of(headings[i].title) > widest)
			widest = width_of(headings[i].title);
	for (unsigned i = 0; i < count; i++) {
		if (!*cells[i])
			continue;
		fprintf(out, "%s%*s", headings[i].title, (int)(widest + GAP - width_of(headings[i].title)), "");
		print_cell(out, cells[i], UINT32_MAX);
		putc('\n', out);
	}
}

void ctl_table_print_text(FILE *out, const char *text)
{
	struct bytes rest = bytes_text(text), shown;

	while (rest.len) {
		bool divides = rest.at[0] == '\n' || rest.at[0] == '\t';
		size_t len = next_char(rest, &shown);

		if (divides)
			shown = bytes_take(rest, len);
		fwrite(shown.at, 1, shown.len, out);
		rest = bytes_skip(rest, len);
	}
}
