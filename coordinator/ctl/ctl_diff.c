#include "ctl_diff.h"

#include <stdlib.h>

#include "mem.h"

/* Cells of the table of common lines; what is more is one block. */
enum { CELLS_MAX = 16 << 20, CONTEXT = 3 };

struct lines {
	struct bytes *list;
	size_t count;
};

static struct lines split(struct bytes text)
{
	struct lines lines = {0};
	struct bytes rest = text;
	size_t room = 1;

	for (size_t i = 0; i < text.len; i++)
		room += text.at[i] == '\n';
	lines.list = x_alloc(room * sizeof *lines.list);
	while (rest.len) {
		struct bytes line = bytes_split(rest, '\n', &rest);

		lines.list[lines.count++] = line;
	}
	return lines;
}

static void tell(FILE *out, char mark, struct bytes line)
{
	fprintf(out, "%c%.*s\n", mark, BYTES_ARG(line));
}

/* The middle, in which nothing is common at either end: by the longest common subsequence. */
static size_t tell_middle(FILE *out, struct lines a, struct lines b)
{
	size_t width = b.count + 1, i = 0, j = 0, told = 0;
	uint32_t *table = NULL;

	if (a.count && b.count && a.count < CELLS_MAX / width) {
		table = x_zalloc((a.count + 1) * width * sizeof *table);
		for (size_t y = a.count; y-- > 0;)
			for (size_t x = b.count; x-- > 0;) {
				uint32_t down = table[(y + 1) * width + x], right = table[y * width + x + 1];

				table[y * width + x] = bytes_equal(a.list[y], b.list[x]) ? table[(y + 1) * width + x + 1] + 1 : down > right ? down : right;
			}
	}
	while (i < a.count || j < b.count) {
		bool both = i < a.count && j < b.count && table;

		if (both && bytes_equal(a.list[i], b.list[j])) {
			tell(out, ' ', a.list[i++]), j++;
		} else if (i < a.count && (!both || table[(i + 1) * width + j] >= table[i * width + j + 1])) {
			tell(out, '-', a.list[i++]), told++;
		} else {
			tell(out, '+', b.list[j++]), told++;
		}
	}
	free(table);
	return told;
}

size_t ctl_diff(FILE *out, struct bytes before, struct bytes after)
{
	struct lines a = split(before), b = split(after);
	size_t head = 0, tail = 0, told = 0;

	while (head < a.count && head < b.count && bytes_equal(a.list[head], b.list[head]))
		head++;
	while (tail < a.count - head && tail < b.count - head && bytes_equal(a.list[a.count - 1 - tail], b.list[b.count - 1 - tail]))
		tail++;
	if (head + tail < a.count || head + tail < b.count) {
		size_t first = head > CONTEXT ? head - CONTEXT : 0, last = tail > CONTEXT ? CONTEXT : tail;

		fprintf(out, "@@ -%zu,%zu +%zu,%zu @@\n", first + 1, a.count - tail + last - first, first + 1, b.count - tail + last - first);
		for (size_t i = first; i < head; i++)
			tell(out, ' ', a.list[i]);
		told = tell_middle(out, (struct lines){a.list + head, a.count - head - tail}, (struct lines){b.list + head, b.count - head - tail});
		for (size_t i = 0; i < last; i++)
			tell(out, ' ', a.list[a.count - tail + i]);
	}
	free(a.list);
	free(b.list);
	return told;
}
