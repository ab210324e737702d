/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl speaks HTTP; what is done here is to say why nobody answers. "Could not connect" may mean
 * that the daemon is not running, runs elsewhere, or is not ours to talk to, and each has another
 * cure.
 */
#include "fnatctl/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/mem.h"

#define CONNECT_TIMEOUT_S 5

/* Read and given on at a time. */
#define PIECE_BYTES (256u << 10)

struct client {
	CURL *curl;
	const char *socket_path;
	long timeout_s;
	client_progress_fn *progress;
	void *progress_arg;
};

/* A request on its way, for the callbacks. */
struct transfer {
	const struct client *client;
	const struct request *rq;
	struct reply *reply;
	bool is_stopped; /* take() wants no more */
};

struct client *client_new(const char *socket_path, long timeout_s)
{
	struct client *c = mem_zalloc(sizeof(*c));

	curl_global_init(CURL_GLOBAL_NOTHING);
	c->curl = curl_easy_init();
	if (!c->curl)
		abort(); /* out of memory */
	c->socket_path = socket_path;
	c->timeout_s = timeout_s;
	return c;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	curl_global_cleanup();
	free(c);
}

void reply_fini(struct reply *r)
{
	free(r->content_type);
	free(r->body);
	*r = (struct reply){ 0 };
}

void client_set_progress(struct client *c, client_progress_fn *progress, void *arg)
{
	c->progress = progress;
	c->progress_arg = arg;
}

static bool is_accepted(CURL *curl)
{
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status < 300;
}

static size_t body_cb(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct reply *r = t->reply;
	size_t len = size * n;

	if (t->rq->take && is_accepted(t->client->curl)) {
		t->is_stopped = !t->rq->take(t->rq->take_arg, data, len);
		return t->is_stopped ? 0 : len;
	}
	if (len > CLIENT_ANSWER_MAX_BYTES - r->len)
		return 0;
	if (r->len + len >= r->cap) {
		r->cap = 2 * (r->len + len) + 1;
		r->body = mem_realloc(r->body, r->cap, 1);
	}
	memcpy(r->body + r->len, data, len);
	r->len += len;
	r->body[r->len] = '\0';
	return len;
}

/* "ETag: "17"" */
static size_t header_cb(char *data, size_t size, size_t n, void *arg)
{
	struct reply *r = ((struct transfer *)arg)->reply;
	size_t len = size * n;
	char line[64];

	if (len < sizeof(line) && len > 5 && !strncasecmp(data, "etag:", 5)) {
		const char *quote;

		memcpy(line, data, len);
		line[len] = '\0';
		quote = strchr(line, '"');
		if (quote)
			r->generation = strtoull(quote + 1, NULL, 10);
	}
	return len;
}

static int progress_cb(void *arg, curl_off_t down_size, curl_off_t down, curl_off_t up_size,
		       curl_off_t up)
{
	const struct transfer *t = arg;

	(void)down_size;
	t->client->progress(t->client->progress_arg, (uint64_t)up, (uint64_t)up_size,
			    (uint64_t)down);
	return 0;
}

char *client_group(const char *socket_path)
{
	const struct group *group;
	struct stat st;

	if (stat(socket_path, &st) < 0 || st.st_gid == 0)
		return NULL;
	group = getgrgid(st.st_gid);
	return group ? mem_strdup(group->gr_name) : mem_printf("%u", st.st_gid);
}

static int explain_permission(const struct client *c, struct err *err)
{
	char *group = client_group(c->socket_path);
	int code = err_add(err, ERR_SYSTEM, -EACCES, NULL,
			   "%s: permission denied: only root%s%s may talk to fnatd", c->socket_path,
			   group ? " and members of group " : "", group ? group : "");

	free(group);
	return code;
}

/* What keeps us from the socket, and what to do about it. */
static int explain_connect(const struct client *c, struct err *err)
{
	long os_errno = 0;

	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os_errno);
	switch (os_errno) {
	case ENOENT:
	case ENOTDIR:
		return err_add(
			err, ERR_SYSTEM, -ENOENT, NULL,
			"there is no socket %s: is fnatd running? (--socket names another one)",
			c->socket_path);
	case ECONNREFUSED:
		return err_add(err, ERR_SYSTEM, -ECONNREFUSED, NULL,
			       "nobody listens on %s: fnatd is not running", c->socket_path);
	case EACCES:
	case EPERM:
		return explain_permission(c, err);
	default:
		return err_add(err, ERR_SYSTEM, -ENOTCONN, NULL, "cannot connect to %s: %s",
			       c->socket_path, os_errno ? strerror((int)os_errno) : "no answer");
	}
}

static int explain(const struct client *c, CURLcode code, const char *detail, size_t sent,
		   struct err *err)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return explain_connect(c, err);
	case CURLE_OPERATION_TIMEDOUT:
		return err_add(err, ERR_SYSTEM, -ETIMEDOUT, NULL,
			       "fnatd did not answer within %ld s (--timeout); what was asked for "
			       "may still be "
			       "done",
			       c->timeout_s);
	case CURLE_WRITE_ERROR:
		return err_add(err, ERR_SYSTEM, -EFBIG, NULL, "the answer is longer than %zu MB",
			       CLIENT_ANSWER_MAX_BYTES >> 20);
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		return err_add(err, ERR_SYSTEM, -ECONNRESET, NULL,
			       "fnatd closed the connection without an answer%s",
			       sent > 1 << 20 ? " (is the document larger than its --max-body?)"
					      : "");
	default:
		return err_add(err, ERR_SYSTEM, -EIO, NULL, "%s: %s", c->socket_path,
			       *detail ? detail : curl_easy_strerror(code));
	}
}

static struct curl_slist *headers_of(const struct request *rq)
{
	struct curl_slist *list = NULL;
	char *text;

	if (rq->body) {
		text = mem_printf("Content-Type: %s", rq->content_type);
		list = curl_slist_append(list, text);
		free(text);
	}
	if (rq->if_match) {
		text = mem_printf("If-Match: \"%s\"", rq->if_match);
		list = curl_slist_append(list, text);
		free(text);
	}
	if (rq->only_creates)
		list = curl_slist_append(list, "If-None-Match: *");
	return list;
}

static void set_callbacks(CURL *curl, struct transfer *t, char *detail)
{
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_cb);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_cb);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	if (!t->client->progress)
		return;
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress_cb);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
}

static void set_up(struct transfer *t, const char *url, struct curl_slist *headers, char *detail)
{
	const struct client *c = t->client;
	const struct request *rq = t->rq;
	CURL *curl = c->curl;

	curl_easy_reset(curl); /* keeps the connection */
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, c->socket_path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)PIECE_BYTES);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, rq->is_endless ? 0L : c->timeout_s);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, rq->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	set_callbacks(curl, t, detail);
	if (!rq->body)
		return;
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->len);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, rq->body);
}

static char *content_type_of(CURL *curl)
{
	const char *type = NULL;

	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	return type ? mem_strndup(type, strcspn(type, "; ")) : mem_strdup("");
}

int client_send(struct client *c, const struct request *rq, struct reply *out, struct err *err)
{
	char detail[CURL_ERROR_SIZE] = "", *url;
	struct transfer t = { .client = c, .rq = rq, .reply = out };
	struct curl_slist *headers = headers_of(rq);
	CURLcode code;

	*out = (struct reply){ .body = mem_zalloc(1), .cap = 1 };
	if (strlen(c->socket_path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		curl_slist_free_all(headers);
		out->content_type = mem_strdup("");
		return err_add(err, ERR_SYSTEM, -ENAMETOOLONG, NULL,
			       "%s: too long for the name of a socket", c->socket_path);
	}
	url = mem_printf("http://fnatd%s", rq->path);
	set_up(&t, url, headers, detail);
	code = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &out->status);
	out->content_type = content_type_of(c->curl);
	free(url);
	curl_slist_free_all(headers);
	/* A refusal may come before all was sent; the connection is then reset, the answer is
	 * there. */
	if (code == CURLE_OK || (code == CURLE_SEND_ERROR && out->status >= 400))
		return 0;
	return t.is_stopped ? -ECANCELED : explain(c, code, detail, rq->len, err);
}

char *client_escape(const char *segment)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	char *out = mem_alloc(3 * strlen(segment) + 1), *o = out;
	static const char hex[] = "0123456789ABCDEF";

	for (; *segment; segment++) {
		unsigned char byte = (unsigned char)*segment;

		if (strchr(plain, byte)) {
			*o++ = *segment;
			continue;
		}
		*o++ = '%';
		*o++ = hex[byte >> 4];
		*o++ = hex[byte & 15];
	}
	*o = '\0';
	return out;
}
