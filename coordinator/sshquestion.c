#include "sshquestion.h"

#include "sshcheck.h"
#include "text.h"

static bool login_ok(struct bytes login)
{
	if (!login.len || login.len > SSHCHECK_LOGIN_MAX || !bytes_is_utf8(login))
		return false;
	for (size_t i = 0; i < login.len; i++)
		if (login.at[i] < 0x20 || login.at[i] == 0x7f)
			return false;
	return true;
}

enum err sshquestion_read(struct bytes source, struct bytes destination, struct bytes local_user, struct bytes auth_id, struct sshquestion *question,
			  struct diag *why)
{
	*question = (struct sshquestion){.local_user = local_user};
	if (text_parse_u64(source, INT64_MAX, &question->source) || text_parse_u64(destination, INT64_MAX, &question->destination) || !question->source ||
	    !question->destination)
		return diag_set(why, ERR_MALFORMED, "source and destination are ids of nodes");
	if (!login_ok(local_user))
		return diag_set(why, ERR_MALFORMED, "local_user has 1 to %d bytes of text", SSHCHECK_LOGIN_MAX);
	question->follows = auth_id.at && !login_id_parse(auth_id, &question->id);
	return ERR_NONE;
}
