#include "bus_check.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include "busline.h"
#include "key.h"

enum { PATIENCE_S = 3 };

static redisContext *reach(const struct bus_target *target)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	char host[ENDPOINT_TEXT_MAX];
	redisContext *redis;

	if (*target->path) {
		redis = redisConnectUnixWithTimeout(target->path, patience);
	} else {
		ip_format(host, target->at.ip);
		redis = redisConnectWithTimeout(*target->host ? target->host : host, target->at.port, patience);
	}
	if (redis && !redis->err)
		(void)redisSetTimeout(redis, patience);
	return redis;
}

static enum err judge(const redisContext *redis, const redisReply *reply, struct diag *why)
{
	if (!reply)
		return diag_set(why, ERR_UNAVAILABLE, "%s", *redis->errstr ? redis->errstr : "no answer");
	if (reply->type != REDIS_REPLY_ERROR)
		return ERR_NONE;
	return diag_set(why, !strncmp(reply->str, "NOAUTH", 6) || !strncmp(reply->str, "WRONGPASS", 9) ? ERR_DENIED : ERR_UNAVAILABLE, "%.200s", reply->str);
}

static enum err ask(redisContext *redis, int argc, const char **argv, redisReply **reply, struct diag *why)
{
	*reply = redisCommandArgv(redis, argc, argv, NULL);
	return judge(redis, *reply, why);
}

static enum err run(redisContext *redis, int argc, const char **argv, struct diag *why)
{
	redisReply *reply;
	enum err e = ask(redis, argc, argv, &reply, why);

	freeReplyObject(reply);
	return e;
}

static void take_version(const redisReply *reply, char version[static BUS_VERSION_MAX])
{
	const char *at = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, "redis_version:") : NULL;

	if (at)
		snprintf(version, BUS_VERSION_MAX, "%.*s", (int)strcspn(at + 14, "\r\n"), at + 14);
}

static enum err talk(redisContext *redis, const struct bus_target *target, char version[static BUS_VERSION_MAX], struct diag *why)
{
	char number[12];
	redisReply *reply;
	enum err e = ERR_NONE;

	snprintf(number, sizeof number, "%u", target->database);
	if (*target->password)
		e = run(redis, 2, (const char *[]){"AUTH", target->password}, why);
	if (!e && target->database)
		e = run(redis, 2, (const char *[]){"SELECT", number}, why);
	if (!e)
		e = run(redis, 1, (const char *[]){"PING"}, why);
	if (e)
		return e;
	/* Where INFO is forbidden, it answers all the same. */
	if (!ask(redis, 2, (const char *[]){"INFO", "server"}, &reply, why))
		take_version(reply, version);
	freeReplyObject(reply);
	return ERR_NONE;
}

enum err bus_check(const char *url, char version[static BUS_VERSION_MAX], struct diag *why)
{
	struct bus_target target;
	redisContext *redis;
	enum err e = bus_target_parse(bytes_text(url), &target, why);

	*version = 0;
	if (e)
		return ERR_MALFORMED;
	redis = reach(&target);
	if (!redis || redis->err)
		e = diag_set(why, ERR_UNAVAILABLE, "%s", redis ? redis->errstr : "out of memory");
	else
		e = talk(redis, &target, version, why);
	if (redis)
		redisFree(redis);
	key_wipe(&target, sizeof target);
	return e;
}
