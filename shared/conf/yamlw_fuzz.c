#include "yamlback.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever JSON says comes back from its YAML. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *value = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *back;
	struct buffer out;

	if (!value)
		return 0;
	buffer_init(&out, 1 << 20);
	if (yamlw_write(value, &out) == ERR_NONE) {
		back = yamlback_read(buffer_bytes(&out));
		if (!json_equal(value, back))
			abort();
		json_decref(back);
	}
	buffer_clear(&out);
	json_decref(value);
	return 0;
}
