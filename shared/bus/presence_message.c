#include "presence_message.h"

#include "lease.h"
#include "text.h"

enum err presence_message_parse(struct bytes text, struct presence_message *message)
{
	static const char *const words[] = {"take", "drop", "declared", "gone"};
	struct bytes rest, word = bytes_split(text, ' ', &rest);
	*message = (struct presence_message){0};
	size_t i = 0;
	while (i < COUNT_OF(words) && !bytes_equal_text(word, words[i]))
		i++;
	if (i == COUNT_OF(words))
		return ERR_UNSUPPORTED;
	message->word = (enum presence_word)i;
	message->holder = bytes_split(rest, ' ', &rest);
	if (!lease_name_is_good(message->holder))
		return ERR_MALFORMED;
	if (message->word == PRESENCE_DECLARED) {
		message->number = rest;
		return rest.len && rest.len <= LEASE_VALUE_MAX ? ERR_NONE : ERR_MALFORMED;
	}
	if (message->word == PRESENCE_GONE)
		return ERR_NONE;
	struct bytes tailnet = bytes_split(rest, ' ', &message->pairs);
	return text_parse_u64(tailnet, UINT64_MAX, &message->tailnet);
}

bool presence_pair(struct bytes *rest, uint64_t *node, uint64_t *session)
{
	struct bytes session_text, pair = bytes_split(*rest, ' ', rest);
	struct bytes node_text = bytes_split(pair, ':', &session_text);
	return text_parse_u64(node_text, UINT64_MAX, node) == ERR_NONE && text_parse_u64(session_text, UINT64_MAX, session) == ERR_NONE;
}
