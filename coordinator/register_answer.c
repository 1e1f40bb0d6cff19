#include "register_answer.h"

#include "log.h"

struct register_response register_welcome(const struct node *node, const struct user *owner)
{
	struct register_response response = {
		.machine_authorized = node->approved,
		.user = node_wire_user(node),
		.login_name = BYTES("tagged-devices"),
		.display_name = BYTES("Tagged Devices"),
		.created = node->created,
	};

	if (!node_is_tagged(node) && owner) {
		response.login_name = user_login_name(owner);
		response.display_name = owner->display_name.len ? owner->display_name : owner->name;
		response.picture_url = owner->picture_url;
		response.provider = owner->provider;
	}
	return response;
}

void register_answer(struct exchange *x, const struct register_response *response, enum register_result result)
{
	struct buffer out;
	enum err e;

	buffer_init(&out, 64 << 10);
	e = regmsg_encode(response, &out);
	metric_add_at(metric_registers, e ? RESULT_FAILED : result, 1);
	if (e)
		exchange_reply_error(x, e, NULL);
	else
		exchange_reply_json(x, 200, buffer_bytes(&out));
	buffer_clear(&out);
}

void register_fail(struct exchange *x)
{
	metric_add_at(metric_registers, RESULT_FAILED, 1);
	exchange_add_header(x, "Retry-After", BYTES("5"));
	exchange_reply_text(x, 503, "try again later\n");
}

void register_log(const struct exchange *x, const struct register_request *request, const char *event, const char *reason, uint64_t tailnet, uint64_t node)
{
	char key[KEY_SHORT_MAX];

	log_info(((struct subject){.kind = "register", .tailnet = tailnet, .node = node, .id = x->id}), event, F_TEXT("reason", reason),
		 F_TEXT("machine", key_short(key, x->machine->raw)), F_UINT("capver", request->capver),
		 F_BYTES("host", bytes_take(request->hostinfo.hostname, 63)));
}
