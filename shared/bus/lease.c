#include "lease.h"

#include <ctype.h>
#include <hiredis/hiredis.h>
#include <stdio.h>

static const char take_script[] = "local was=redis.call('GET',KEYS[1]) "
				  "redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) "
				  "redis.call('SADD',KEYS[2],ARGV[3]) "
				  "if was~=ARGV[1] then redis.call('PUBLISH',ARGV[4],ARGV[5]) end "
				  "return 1";
static const char renew_script[] = "if redis.call('PEXPIRE',KEYS[1],ARGV[1])==0 then return 0 end "
				   "redis.call('SADD',KEYS[2],ARGV[2]) "
				   "return 1";
static const char drop_script[] = "redis.call('DEL',KEYS[1]) "
				  "redis.call('SREM',KEYS[2],ARGV[1]) "
				  "redis.call('PUBLISH',ARGV[2],ARGV[3]) "
				  "return 1";
static const char list_script[] = "local out={} "
				  "for _,name in ipairs(redis.call('SMEMBERS',KEYS[1])) do "
				  "local value=redis.call('GET',ARGV[1]..name) "
				  "if value then out[#out+1]=name out[#out+1]=value else redis.call('SREM',KEYS[1],name) end "
				  "end return out";

bool lease_name_is_good(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!isalnum(name.at[i]) && (!name.at[i] || !strchr("-_.:", name.at[i])))
			return false;
	}
	return name.len && name.len <= LEASE_NAME_MAX;
}

struct key {
	char text[LEASE_NAME_MAX + 64];
};

static struct bytes key_of(struct key *key, const struct lease_kind *kind, struct bytes name)
{
	int len = snprintf(key->text, sizeof(key->text), "%s%.*s", kind->prefix, BYTES_ARG(name));
	return bytes_of(key->text, (size_t)len);
}

static struct bytes ms_of(char text[static 24], const struct lease_kind *kind)
{
	return bytes_of(text, (size_t)snprintf(text, 24, "%lld", (long long)kind->lease_ms));
}

void lease_take(struct bus *bus, const struct lease_kind *kind, struct bytes name, struct bytes value, struct bytes message, bus_reply_fn on_reply,
		void *context)
{
	struct key key;
	char ms[24];
	bus_command(bus, on_reply, context,
		    BUS_ARGS(BYTES("EVAL"), BYTES(take_script), BYTES("2"), key_of(&key, kind, name), bytes_text(kind->set), value, ms_of(ms, kind), name,
			     bytes_text(kind->channel), message));
}

void lease_renew(struct bus *bus, const struct lease_kind *kind, struct bytes name, bus_reply_fn on_reply, void *context)
{
	struct key key;
	char ms[24];
	bus_command(bus, on_reply, context,
		    BUS_ARGS(BYTES("EVAL"), BYTES(renew_script), BYTES("2"), key_of(&key, kind, name), bytes_text(kind->set), ms_of(ms, kind), name));
}

void lease_drop(struct bus *bus, const struct lease_kind *kind, struct bytes name, struct bytes message)
{
	struct key key;
	bus_command(bus, NULL, NULL,
		    BUS_ARGS(BYTES("EVAL"), BYTES(drop_script), BYTES("2"), key_of(&key, kind, name), bytes_text(kind->set), name, bytes_text(kind->channel),
			     message));
}

void lease_list(struct bus *bus, const struct lease_kind *kind, bus_reply_fn on_reply, void *context)
{
	bus_command(bus, on_reply, context, BUS_ARGS(BYTES("EVAL"), BYTES(list_script), BYTES("1"), bytes_text(kind->set), bytes_text(kind->prefix)));
}

size_t lease_count(const struct redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY ? reply->elements / 2 : 0;
}

bool lease_at(const struct redisReply *reply, size_t i, struct bytes *name, struct bytes *value)
{
	const struct redisReply *n = reply->element[2 * i], *v = reply->element[2 * i + 1];
	if (n->type != REDIS_REPLY_STRING || v->type != REDIS_REPLY_STRING)
		return false;
	*name = bytes_of(n->str, (size_t)n->len);
	*value = bytes_of(v->str, (size_t)v->len);
	return lease_name_is_good(*name) && value->len <= LEASE_VALUE_MAX;
}
