/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A handle and a connection for each check, and none between checks: a check is to find out what a
 * new client would, and 10,000 backends that are idle cost nothing. The connection goes to the
 * target's address whatever the URL says (CURLOPT_CONNECT_TO), so that nothing is ever looked up
 * in DNS, and the environment's proxies are not asked.
 *
 * There are two multi handles: libcurl keeps the certificates of one authority per multi handle,
 * and reading the system's, some hundred, takes some milliseconds.
 */
#include "health/probe_curl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "health/curl_loop.h"
#include "health/probe_socket.h"

#define PEM_MAX_BYTES (1 << 20)
#define SECONDS_A_DAY 86400

struct curl_shared {
	struct curl_loop *system, *own; /* by whose authorities are trusted */
};

static struct transfer *transfer_of(CURL *easy)
{
	char *t = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
	return (struct transfer *)t;
}

static void transfer_free(struct transfer *t)
{
	if (!t)
		return;
	if (t->multi)
		curl_multi_remove_handle(t->multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->connect_to);
	free(t->body);
	free(t);
}

void probe_curl_cancel(struct probe *p)
{
	struct curl_probe *c = (struct curl_probe *)p;

	transfer_free(c->transfer);
	c->transfer = NULL;
}

/* The balancer's fault: a file that cannot be used. */
static bool is_undone(CURLcode code)
{
	static const CURLcode codes[] = { CURLE_FAILED_INIT,           CURLE_SSL_CERTPROBLEM,
					  CURLE_SSL_CACERT_BADFILE,    CURLE_UNKNOWN_OPTION,
					  CURLE_BAD_FUNCTION_ARGUMENT, CURLE_SSL_CIPHER,
					  CURLE_NOT_BUILT_IN };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

static void end_error(struct probe *p, const struct transfer *t, CURLcode code,
		      struct curl_verdict *v)
{
	v->result = is_undone(code) ? PROBE_UNDONE : PROBE_FAILED;
	/* "Out of memory" is what libcurl 7.88 says of a line of 100 KiB. */
	if (t->is_header_large || code == CURLE_OUT_OF_MEMORY)
		snprintf(v->reason, sizeof(v->reason), "the headers are longer than %d bytes",
			 CURL_PROBE_HEADER_MAX);
	else
		snprintf(v->reason, sizeof(v->reason), "%s: %.100s", p->stage,
			 *t->error ? t->error : curl_easy_strerror(code));
}

/* An errno, of a connection that was not made; 0: it was. */
static int connect_error(const struct transfer *t, CURLcode code)
{
	long os = 0;

	if (t->socket_error)
		return t->socket_error;
	if (code == CURLE_COULDNT_CONNECT)
		curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
	return (int)os;
}

static void done_cb(CURL *easy, CURLcode code)
{
	struct transfer *t = transfer_of(easy);
	struct probe *p = t->probe;
	struct curl_probe *c = (struct curl_probe *)p;
	const char *what = t->socket_error ? probe_socket_what(t->socket_error) : "connect";
	struct curl_verdict v = { .result = PROBE_FAILED };
	int error = connect_error(t, code);

	if (!error && (code == CURLE_OK || t->is_body_cut)) {
		if (t->tls && t->tls->expiry_days)
			certificate_warning(transfer_certificate_end(t), time(NULL),
					    t->tls->expiry_days, p->outcome.warning);
		c->judge(c, t, &v);
	} else if (!error) {
		end_error(p, t, code, &v);
	}
	probe_curl_cancel(p);
	if (error)
		probe_done_errno(p, what, error);
	else
		probe_done(p, v.result, "%s", v.reason);
}

void *probe_curl_open(struct prober *r)
{
	struct curl_shared *s = mem_zalloc(sizeof(*s));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	s->system = curl_loop_new(prober_base(r), done_cb);
	s->own = curl_loop_new(prober_base(r), done_cb);
	if (s->system && s->own)
		return s;
	probe_curl_close(s);
	errno = ENOMEM;
	return NULL;
}

void probe_curl_close(void *shared)
{
	struct curl_shared *s = shared;

	curl_loop_free(s->system);
	curl_loop_free(s->own);
	curl_global_cleanup();
	free(s);
}

/* CURLOPT_OPENSOCKETFUNCTION */
static curl_socket_t open_cb(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = arg;
	int fd;

	(void)purpose;
	t->probe->stage = "connecting";
	fd = probe_socket(t->probe, address->socktype);
	if (fd < 0)
		t->socket_error = errno;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* CURLOPT_CLOSESOCKETFUNCTION */
static int close_cb(void *arg, curl_socket_t fd)
{
	(void)arg;
	probe_close_reset(fd);
	return 0;
}

/* CURLOPT_SSL_CTX_FUNCTION: the connection is there, TLS begins. */
static CURLcode tls_cb(CURL *easy, void *ctx, void *arg)
{
	struct transfer *t = arg;

	(void)easy;
	(void)ctx;
	t->probe->stage = "in the TLS handshake";
	return CURLE_OK;
}

/* CURLOPT_PREREQFUNCTION: what follows is the request. */
static int request_cb(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct transfer *t = arg;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	t->probe->stage = "waiting for the answer";
	return CURL_PREREQFUNC_OK;
}

static size_t header_cb(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	t->probe->stage = "reading the headers";
	if (size * n >= 5 && memcmp(data, "HTTP/", 5) == 0)
		t->has_header = false;
	else if (size * n > 0 && (*data == '\r' || *data == '\n'))
		t->has_header = true;
	if (t->take_header)
		t->take_header(t->probe, data, size * n);
	t->n_header += size * n;
	t->is_header_large = t->n_header > CURL_PROBE_HEADER_MAX;
	return t->is_header_large ? 0 : size * n;
}

static void keep_body(struct transfer *t, const char *data, size_t len)
{
	if (t->n_body + len > t->cap_body) {
		t->cap_body = 2 * (t->n_body + len);
		t->cap_body = t->cap_body < CURL_PROBE_BODY_MAX ? t->cap_body : CURL_PROBE_BODY_MAX;
		t->body = mem_realloc(t->body, t->cap_body, 1);
	}
	memcpy(t->body + t->n_body, data, len);
}

static size_t body_cb(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t room = CURL_PROBE_BODY_MAX - t->n_body, len = size * n < room ? size * n : room;

	t->probe->stage = "reading the body";
	if (t->keeps_body)
		keep_body(t, data, len);
	t->n_body += len;
	t->is_body_cut = len < size * n;
	return len;
}

static void set_callbacks(struct transfer *t)
{
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_cb);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_cb);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, request_cb);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, header_cb);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, body_cb);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
}

static void set_connection(struct transfer *t)
{
	const struct probe *p = t->probe;
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 4096L);
	/* Never: the framework's timeout comes first. */
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)p->check->timeout_ms + 60000);
}

/* "10.0.0.1:80", "[fd00::1]:80" */
static char *address_text(const struct probe *p, const char *name, size_t name_len)
{
	bool is_bare6 = !name && p->target.address.family == AF_INET6;
	char address[ADDR_STRLEN];

	addr_format(&p->target.address, address);
	if (!name) {
		name = address;
		name_len = strlen(address);
	}
	return mem_printf("%s%.*s%s:%u", is_bare6 ? "[" : "", (int)name_len, name,
			  is_bare6 ? "]" : "", p->target.port);
}

static void set_target(struct transfer *t, const char *scheme, const char *name, size_t name_len)
{
	char *address = address_text(t->probe, NULL, 0),
	     *host = address_text(t->probe, name, name_len);
	char *url = mem_printf("%s://%s/", scheme, host), *to = mem_printf("::%s", address);

	t->connect_to = curl_slist_append(NULL, to);
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
	curl_easy_setopt(t->easy, CURLOPT_URL, url);
	free(address);
	free(host);
	free(url);
	free(to);
}

struct transfer *probe_curl_new(struct curl_probe *c, const char *scheme, const char *name,
				size_t name_len)
{
	struct transfer *t = mem_zalloc(sizeof(*t));

	t->probe = &c->probe;
	t->easy = curl_easy_init();
	if (!t->easy) {
		free(t);
		probe_done(&c->probe, PROBE_UNDONE, "no memory");
		return NULL;
	}
	c->transfer = t;
	set_callbacks(t);
	set_connection(t);
	set_target(t, scheme, name, name_len);
	return t;
}

void transfer_header(struct transfer *t, const char *text)
{
	struct curl_slist *more = curl_slist_append(t->headers, text);

	if (more)
		t->headers = more;
}

/* NULL: it is a file, of a size that can be read at once; or what is wrong. */
static const char *file_problem(const char *path)
{
	struct stat st;

	if (!path)
		return NULL;
	if (stat(path, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	return st.st_size > PEM_MAX_BYTES ? "larger than 1 MiB" : NULL;
}

/* The file that cannot be used, or NULL. */
static const char *bad_file(const struct check_tls *tls, const char **problem)
{
	const char *const paths[] = { tls->ca, tls->certificate, tls->key };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		*problem = file_problem(paths[i]);
		if (*problem)
			return paths[i];
	}
	return NULL;
}

static void set_tls(struct transfer *t, const struct check_tls *tls)
{
	CURL *e = t->easy;

	t->tls = tls;
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, tls_cb);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, t);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, tls->verify == CHECK_VERIFY_NONE ? 0L : 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, tls->verify == CHECK_VERIFY_FULL ? 2L : 0L);
	curl_easy_setopt(e, CURLOPT_CERTINFO, tls->expiry_days ? 1L : 0L);
	/* With a directory they would not be kept, and without need they would be read each time.
	 */
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	if (tls->ca || tls->verify == CHECK_VERIFY_NONE)
		curl_easy_setopt(e, CURLOPT_CAINFO, tls->ca);
	if (tls->certificate) {
		curl_easy_setopt(e, CURLOPT_SSLCERT, tls->certificate);
		curl_easy_setopt(e, CURLOPT_SSLKEY, tls->key ? tls->key : tls->certificate);
	}
}

void probe_curl_start(struct curl_probe *c, const struct check_tls *tls, curl_judge_fn *judge)
{
	struct curl_shared *s = probe_shared(&c->probe);
	struct transfer *t = c->transfer;
	const char *problem, *file = tls ? bad_file(tls, &problem) : NULL;

	c->judge = judge;
	if (file) {
		probe_curl_cancel(&c->probe);
		probe_done(&c->probe, PROBE_UNDONE, "%.80s: %s", file, problem);
		return;
	}
	if (tls)
		set_tls(t, tls);
	if (t->headers)
		curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	t->multi = curl_loop_multi(tls && tls->ca ? s->own : s->system);
	if (curl_multi_add_handle(t->multi, t->easy) != CURLM_OK) {
		t->multi = NULL;
		probe_curl_cancel(&c->probe);
		probe_done(&c->probe, PROBE_UNDONE, "no memory");
	}
}

time_t transfer_certificate_end(const struct transfer *t)
{
	static const char field[] = "Expire date:";
	struct curl_certinfo *info = NULL;
	const struct curl_slist *line;

	if (curl_easy_getinfo(t->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
	    info->num_of_certs < 1)
		return -1;
	for (line = info->certinfo[0]; line; line = line->next) {
		if (strncmp(line->data, field, sizeof(field) - 1) == 0)
			return curl_getdate(line->data + sizeof(field) - 1, NULL);
	}
	return -1;
}

void certificate_warning(time_t end, time_t now, unsigned int days, char out[PROBE_REASON_BYTES])
{
	char date[32];
	struct tm tm;

	*out = '\0';
	if (end < 0 || end - now > (time_t)days * SECONDS_A_DAY || !gmtime_r(&end, &tm))
		return;
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%SZ", &tm);
	if (end <= now)
		snprintf(out, PROBE_REASON_BYTES, "the certificate has expired, %s", date);
	else
		snprintf(out, PROBE_REASON_BYTES, "the certificate expires in %lld days, %s",
			 (long long)(end - now) / SECONDS_A_DAY, date);
}
