/* Whatever a value holds, what comes out can end neither a text nor a quoted attribute, and is UTF-8; whatever a template holds, filling ends. */
#include "html.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size), rest, first = bytes_split(input, '|', &rest);
	const struct html_value values[] = {{"a", rest}, {"b", BYTES_NONE}, {0}};
	struct buffer out;

	buffer_init(&out, 1 << 20);
	if (!html_escape(input, &out)) {
		if (!bytes_is_utf8(buffer_bytes(&out)))
			abort();
		for (size_t i = 0; i < out.len; i++)
			if (out.at[i] == '<' || out.at[i] == '>' || out.at[i] == '"' || out.at[i] == '\'')
				abort();
	}
	buffer_reset(&out);
	if (html_fill(first, values, &out) == ERR_NONE && !rest.len && out.len > first.len)
		abort();
	buffer_clear(&out);
	return 0;
}
