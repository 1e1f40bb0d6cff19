#include "ctl_probe.h"

#include <curl/curl.h>

#include "buffer.h"

enum { BODY_MAX = 64 << 10, CONNECT_MS = 5000 };

/* What is too long is cut: who asked for it learns enough. */
static size_t on_bytes(char *at, size_t size, size_t count, void *context)
{
	struct buffer *body = context;
	size_t room = BODY_MAX - body->len, len = size * count;

	if (buffer_add(body, bytes_of(at, len < room ? len : room)))
		return 0;
	return len;
}

static void set_up(CURL *curl, const struct ctl_probe *p, struct curl_slist *headers, struct buffer *body, char *error)
{
	curl_easy_setopt(curl, CURLOPT_URL, p->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, p->method ? p->method : "GET");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "fleetscale/" FLEETSCALE_VERSION);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)p->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, p->only_connect ? 1L : 0L);
	if (p->socket)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, p->socket);
	if (p->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, p->ca_file);
	if (p->insecure) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (p->method && strcmp(p->method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
	}
}

static int64_t first_to_end(CURL *curl)
{
	static const char mark[] = "Expire date:";
	struct curl_certinfo *chain = NULL;
	int64_t first = 0;

	if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain) || !chain)
		return 0;
	for (int i = 0; i < chain->num_of_certs; i++) {
		for (const struct curl_slist *line = chain->certinfo[i]; line; line = line->next) {
			int64_t ends;

			if (strncmp(line->data, mark, sizeof mark - 1) != 0)
				continue;
			ends = (int64_t)curl_getdate(line->data + sizeof mark - 1, NULL);
			if (ends > 0 && (!first || ends < first))
				first = ends;
		}
	}
	return first;
}

static const char *info_text(struct ctl *c, CURL *curl, CURLINFO what)
{
	char *text = NULL;

	return !curl_easy_getinfo(curl, what, &text) && text ? arena_text(c->arena, bytes_text(text)) : "";
}

static void take(struct ctl *c, CURL *curl, struct ctl_probe *p, const struct buffer *body)
{
	struct curl_header *date;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &p->status);
	p->body = arena_text(c->arena, buffer_bytes(body));
	p->local_ip = info_text(c, curl, CURLINFO_LOCAL_IP);
	p->remote_ip = info_text(c, curl, CURLINFO_PRIMARY_IP);
	p->expires_s = first_to_end(curl);
	if (!curl_easy_header(curl, "date", 0, CURLH_HEADER, -1, &date))
		p->date_s = (int64_t)curl_getdate(date->value, NULL);
}

void ctl_probe(struct ctl *c, struct ctl_probe *p)
{
	char error[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	struct buffer body;
	CURL *curl = curl_easy_init();
	long number = 0;
	CURLcode code;

	p->error = NULL;
	if (!curl) {
		p->error = "libcurl does not start";
		return;
	}
	buffer_init(&body, BODY_MAX + 1);
	for (size_t i = 0; i < COUNT_OF(p->headers) && p->headers[i]; i++)
		headers = curl_slist_append(headers, p->headers[i]);
	set_up(curl, p, headers, &body, error);
	code = curl_easy_perform(curl);
	take(c, curl, p, &body);
	/* A connection that became another protocol never ends the answer: its head is all that is asked for. */
	if (code && !(code == CURLE_OPERATION_TIMEDOUT && p->status))
		p->error = arena_text(c->arena, bytes_text(*error ? error : curl_easy_strerror(code)));
	/* libcurl's own words are about a port where there is a socket. */
	if (p->error && p->socket && !curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number) && number)
		p->error = arena_text(c->arena, bytes_text(strerror((int)number)));
	p->untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	buffer_clear(&body);
}
