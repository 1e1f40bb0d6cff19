#include "fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"

enum { ANSWER_MAX = 1 << 20, CONNECT_MS = 10000, HEADER_LINE_MAX = 8192 };

struct fetcher {
	struct loop *loop;
	CURLM *multi;
	struct timer timer;
	struct list open; /* not answered yet */
	bool closing;
};

struct fetch {
	struct fetcher *fetcher;
	struct list link;
	CURL *easy;
	struct curl_slist *headers;
	struct buffer answer;
	bool too_big;
	enum err e;
	struct defer answering;
	fetch_fn on_answer;
	void *context;
};

/* ---- curl's sockets and timer on the loop ---- */

static void collect(struct fetcher *f)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(f->multi, &left))) {
		struct fetch *done;
		if (message->msg != CURLMSG_DONE || curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&done))
			continue;
		CURLcode code = message->data.result;
		done->e = code == CURLE_OK ? ERR_NONE : done->too_big ? ERR_TOO_BIG : code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE;
		if (code != CURLE_OK)
			log_debug(SUBJECT("fetch"), "failed", F_TEXT("reason", curl_easy_strerror(code)));
		/* Its callback comes when curl is not on the stack. */
		loop_defer(f->loop, &done->answering);
	}
}

struct fetch_socket {
	struct fetcher *fetcher;
	struct watch *watch;
	curl_socket_t fd;
};

static void on_ready(void *context, unsigned ready)
{
	struct fetch_socket *s = context;
	struct fetcher *f = s->fetcher;
	int running;
	int what = (ready & WATCH_READ ? CURL_CSELECT_IN : 0) | (ready & WATCH_WRITE ? CURL_CSELECT_OUT : 0);
	curl_multi_socket_action(f->multi, s->fd, what, &running);
	collect(f);
}

static void on_due(void *context)
{
	struct fetcher *f = context;
	int running;
	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(f);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
	struct fetcher *f = context;
	struct fetch_socket *s = assigned;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s) {
			watch_close(&s->watch);
			free(s);
			curl_multi_assign(f->multi, fd, NULL);
		}
		return 0;
	}
	if (!s) {
		s = x_alloc(sizeof(*s));
		*s = (struct fetch_socket){.fetcher = f, .fd = fd};
		s->watch = watch_open(f->loop, fd, on_ready, s);
		curl_multi_assign(f->multi, fd, s);
	}
	watch_want(s->watch, (what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *context)
{
	struct fetcher *f = context;
	(void)multi;
	if (ms < 0)
		timer_cancel(&f->timer);
	else
		timer_set(&f->timer, ms);
	return 0;
}

/* ---- one request ---- */

static _Thread_local const struct fetch *given; /* whose callback runs */

static size_t on_body(char *at, size_t size, size_t count, void *context)
{
	struct fetch *one = context;
	if (buffer_add(&one->answer, bytes_of(at, size * count)) == ERR_NONE)
		return size * count;
	one->too_big = true;
	return 0;
}

static void answer(struct fetch *one)
{
	long status = 0;
	fetch_fn on_answer = one->on_answer;
	void *context = one->context;
	if (one->easy && one->e == ERR_NONE)
		curl_easy_getinfo(one->easy, CURLINFO_RESPONSE_CODE, &status);
	list_remove(&one->link);
	defer_cancel(&one->answering);
	const struct fetch *before = given;
	given = one;
	on_answer(context, one->e, (unsigned)status, one->e == ERR_NONE ? buffer_bytes(&one->answer) : BYTES_NONE);
	given = before;
	curl_slist_free_all(one->headers);
	buffer_clear(&one->answer);
	free(one);
}

const char *fetch_header(const struct fetcher *f, const char *name)
{
	struct curl_header *header;
	return given && given->fetcher == f && given->easy && curl_easy_header(given->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value
																	     : NULL;
}

static void on_answered(void *context)
{
	struct fetch *one = context;
	CURL *easy = one->easy;
	if (easy)
		curl_multi_remove_handle(one->fetcher->multi, easy);
	answer(one);
	curl_easy_cleanup(easy);
}

static bool add_header(struct fetch *one, const char *name, const char *value)
{
	char line[HEADER_LINE_MAX];
	if (strpbrk(name, "\r\n") || strpbrk(value, "\r\n"))
		return false;
	int len = snprintf(line, sizeof(line), "%s%s", name, value);
	if (len < 0 || (size_t)len >= sizeof(line))
		return false;
	struct curl_slist *more = curl_slist_append(one->headers, line);
	if (!more)
		abort();
	one->headers = more;
	explicit_bzero(line, sizeof(line));
	return true;
}

static bool has_body(const struct fetch_request *r)
{
	return r->body.len || !strcmp(r->method, "POST") || !strcmp(r->method, "PUT") || !strcmp(r->method, "PATCH");
}

static bool set_headers(struct fetch *one, const struct fetch_request *r)
{
	bool good = add_header(one, "Expect:", "");
	if (r->bearer)
		good = good && add_header(one, "Authorization: Bearer ", r->bearer);
	if (r->header)
		good = good && add_header(one, "", r->header);
	if (has_body(r))
		good = good && add_header(one, "Content-Type: ", r->content_type ? r->content_type : "application/json");
	return good;
}

static bool set_up(struct fetch *one, const struct fetch_request *r)
{
	CURL *c = one->easy;
	CURLcode e = CURLE_OK;
#define SET(option, value) (e = e ? e : curl_easy_setopt(c, option, value))
	SET(CURLOPT_PRIVATE, one);
	SET(CURLOPT_URL, r->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NOSIGNAL, 1L);
	/* Whom we ask is configured; a proxy of the environment would be somebody else. */
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "fleetscale/" FLEETSCALE_VERSION);
	SET(CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(r->timeout_ms < CONNECT_MS ? r->timeout_ms : CONNECT_MS));
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, one);
	SET(CURLOPT_SSL_VERIFYPEER, r->unsafe_skip_tls_verify ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, r->unsafe_skip_tls_verify ? 0L : 2L);
	if (r->unix_socket)
		SET(CURLOPT_UNIX_SOCKET_PATH, r->unix_socket);
	if (has_body(r)) {
		SET(CURLOPT_POSTFIELDSIZE, (long)r->body.len);
		SET(CURLOPT_COPYPOSTFIELDS, r->body.len ? (const char *)r->body.at : "");
	}
	if (!strcmp(r->method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	else
		SET(CURLOPT_CUSTOMREQUEST, r->method);
	bool good = set_headers(one, r) && !strpbrk(r->method, " \r\n");
	SET(CURLOPT_HTTPHEADER, one->headers);
#undef SET
	return good && !e;
}

void fetch_start(struct fetcher *f, const struct fetch_request *r, fetch_fn on_answer, void *context)
{
	struct fetch *one = x_alloc(sizeof(*one));
	*one = (struct fetch){.fetcher = f, .e = ERR_CANCELED, .on_answer = on_answer, .context = context};
	buffer_init(&one->answer, ANSWER_MAX);
	defer_init(&one->answering, on_answered, one);
	list_init(&one->link);
	list_append(&f->open, &one->link);
	if (f->closing)
		return;
	one->easy = curl_easy_init();
	if (!one->easy)
		abort();
	if (set_up(one, r) && curl_multi_add_handle(f->multi, one->easy) == CURLM_OK)
		return;
	one->e = ERR_UNAVAILABLE;
	loop_defer(f->loop, &one->answering);
}

/* ---- all of them ---- */

static void init_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		abort();
}

struct fetcher *fetcher_new(struct loop *loop)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, init_curl);
	struct fetcher *f = x_zalloc(sizeof(*f));
	f->loop = loop;
	list_init(&f->open);
	timer_init(&f->timer, loop, on_due, f);
	f->multi = curl_multi_init();
	if (!f->multi)
		abort();
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	return f;
}

void fetcher_free(struct fetcher **at)
{
	struct fetcher *f = *at;
	struct fetch *one;
	*at = NULL;
	if (!f)
		return;
	f->closing = true;
	while ((one = LIST_FIRST(&f->open, struct fetch, link))) {
		if (!list_linked(&one->answering.link))
			one->e = ERR_CANCELED;
		on_answered(one);
	}
	curl_multi_cleanup(f->multi);
	timer_cancel(&f->timer);
	free(f);
}
