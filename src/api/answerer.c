/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On the loop, because a question costs some 20 us, and bounded so that nobody can take the loop
 * for himself: so many datagrams and lines a turn, so many connections, and a client that does not
 * read its answers is not read either.
 */
#include "api/answerer.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "stats/flow_filter.h"

#define DATAGRAMS_A_TURN 32
#define LINES_A_TURN     16
#define BACKLOG          64
/* Answers that wait for the client: above this it is asked nothing more. */
#define OUTPUT_MAX_BYTES 4096
#define ANSWER_BYTES     512

struct asker {
	TAILQ_ENTRY(asker) all;
	struct answerer *answerer;
	struct bufferevent *bev;
	bool is_ended; /* nothing more is read: gone when its answers are */
};

struct answerer {
	struct event_base *base;
	struct engine *engine;
	struct origin *origin;
	struct addr_range allowed[ANSWERER_PREFIXES_MAX];
	size_t n_allowed;
	int udp; /* -1: none */
	struct event *readable;
	struct evconnlistener *listener;
	TAILQ_HEAD(, asker) askers;
	unsigned int n_askers;
};

/* --- a question and its answer ------------------------------------------------------------- */

int answerer_parse(const char *line, uint8_t *protocol, struct flow_end *local,
		   struct flow_end *backend)
{
	char copy[ANSWERER_LINE_MAX + 1], *rest = NULL, *words[4] = { NULL };
	size_t len = strlen(line), n = 0;

	if (len > ANSWERER_LINE_MAX)
		return -EINVAL;
	memcpy(copy, line, len + 1);
	for (char *w = strtok_r(copy, " ", &rest); w && n < 4; w = strtok_r(NULL, " ", &rest))
		words[n++] = w;
	if (n != 3)
		return -EINVAL;
	*protocol = protocol_parse(words[0]);
	if (!*protocol || flow_end_parse(words[1], local) < 0 ||
	    flow_end_parse(words[2], backend) < 0)
		return -EINVAL;
	return local->port && backend->port && local->address.family == backend->address.family
		       ? 0
		       : -EINVAL;
}

static void put_end(const struct flow_end *end, char *buf, size_t size)
{
	char address[ADDR_STRLEN];
	bool is_v6 = end->address.family == AF_INET6;

	snprintf(buf, size, is_v6 ? "[%s]:%u" : "%s:%u", addr_format(&end->address, address),
		 end->port);
}

/* With a newline; returns the length. */
static size_t answer(struct answerer *a, const char *line, char buf[ANSWER_BYTES])
{
	char client[ADDR_STRLEN + 8], to[ADDR_STRLEN + 8];
	struct err err = ERR_INIT;
	struct flow_end local, backend;
	struct flow_owner owner;
	struct flow flow;
	uint8_t protocol;
	int code, n;

	if (answerer_parse(line, &protocol, &local, &backend) < 0)
		return (size_t)snprintf(buf, ANSWER_BYTES,
					"error expected: PROTOCOL LOCAL BACKEND, such as "
					"tcp 10.1.0.50:40312 10.1.0.11:8080\n");
	code = origin_of_local(a->origin, engine_model(a->engine), protocol, &backend, &local,
			       &flow, &owner, &err);
	if (code == 0) {
		put_end(&flow.client, client, sizeof(client));
		put_end(&flow.to, to, sizeof(to));
		n = snprintf(buf, ANSWER_BYTES, "ok %s %s %s\n", client, to, owner.service->name);
	} else {
		n = snprintf(buf, ANSWER_BYTES, "%s",
			     code == -ENOENT ? "none\n" : "error kernel\n");
	}
	err_fini(&err);
	return (size_t)n;
}

static bool is_allowed(const struct answerer *a, const struct sockaddr *sa)
{
	struct addr peer = { .family = (uint8_t)sa->sa_family };

	if (sa->sa_family == AF_INET)
		memcpy(peer.bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else
		memcpy(peer.bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	for (size_t i = 0; i < a->n_allowed; i++)
		if (addr_range_contains(&a->allowed[i], &peer))
			return true;
	return false;
}

/* --- UDP ----------------------------------------------------------------------------------- */

/* One datagram; false when there is none. */
static bool answer_datagram(struct answerer *a)
{
	char line[ANSWERER_LINE_MAX + 2], buf[ANSWER_BYTES];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(a->udp, line, sizeof(line) - 1, MSG_TRUNC, (struct sockaddr *)&from,
			     &from_len);
	size_t len;

	if (n < 0)
		return errno == EINTR;
	if (!is_allowed(a, (struct sockaddr *)&from) || n >= (ssize_t)sizeof(line))
		return true;
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	len = answer(a, line, buf);
	/* Who asked asks again when the answer is lost. */
	(void)sendto(a->udp, buf, len, MSG_DONTWAIT, (struct sockaddr *)&from, from_len);
	return true;
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for (int i = 0; i < DATAGRAMS_A_TURN && answer_datagram(arg); i++)
		;
}

/* --- TCP ----------------------------------------------------------------------------------- */

static void asker_free(struct asker *k)
{
	TAILQ_REMOVE(&k->answerer->askers, k, all);
	k->answerer->n_askers--;
	bufferevent_free(k->bev);
	free(k);
}

static void answer_line(struct asker *k, char *line)
{
	char buf[ANSWER_BYTES];
	size_t len = answer(k->answerer, line, buf);

	bufferevent_write(k->bev, buf, len);
	free(line);
}

/* Answer what is here, up to a turn's share. */
static void go_on(struct asker *k)
{
	struct evbuffer *in = bufferevent_get_input(k->bev), *out = bufferevent_get_output(k->bev);
	char *line = NULL;

	for (int i = 0; i < LINES_A_TURN; i++) {
		if (evbuffer_get_length(out) > OUTPUT_MAX_BYTES)
			return; /* drained_cb() goes on */
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
		if (!line)
			break;
		answer_line(k, line);
	}
	if (line) {
		bufferevent_trigger(k->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
		return;
	}
	k->is_ended |= evbuffer_get_length(in) > ANSWERER_LINE_MAX;
	if (k->is_ended && evbuffer_get_length(out) == 0)
		asker_free(k);
}

static void lines_cb(struct bufferevent *bev, void *arg)
{
	(void)bev;
	go_on(arg);
}

static void drained_cb(struct bufferevent *bev, void *arg)
{
	(void)bev;
	go_on(arg);
}

static void ended_cb(struct bufferevent *bev, short what, void *arg)
{
	struct asker *k = arg;

	(void)bev;
	if (!(what & BEV_EVENT_EOF)) {
		asker_free(k);
		return;
	}
	k->is_ended = true;
	go_on(k);
}

static void accepted_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
			int len, void *arg)
{
	const struct timeval idle = { .tv_sec = ANSWERER_IDLE_S };
	struct answerer *a = arg;
	struct asker *k;

	(void)listener;
	(void)len;
	if (a->n_askers == ANSWERER_CONNECTIONS_MAX || !is_allowed(a, sa)) {
		close(fd);
		return;
	}
	k = mem_zalloc(sizeof(*k));
	k->answerer = a;
	k->bev = bufferevent_socket_new(a->base, fd,
					BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	TAILQ_INSERT_TAIL(&a->askers, k, all);
	a->n_askers++;
	bufferevent_setcb(k->bev, lines_cb, drained_cb, ended_cb, k);
	bufferevent_set_timeouts(k->bev, &idle, &idle);
	bufferevent_setwatermark(k->bev, EV_READ, 0, 2 * ANSWERER_LINE_MAX);
	bufferevent_enable(k->bev, EV_READ | EV_WRITE);
}

/* --- its life ------------------------------------------------------------------------------ */

static int parse_allow(struct answerer *a, const char *allow, struct err *err)
{
	char *copy = mem_strdup(allow), *rest = NULL;
	int code = 0;

	for (char *w = strtok_r(copy, ",", &rest); w && code == 0; w = strtok_r(NULL, ",", &rest)) {
		if (a->n_allowed == ANSWERER_PREFIXES_MAX)
			code = err_add(err, ERR_INVALID, -EINVAL, NULL,
				       "--origin-allow: more than %d prefixes",
				       ANSWERER_PREFIXES_MAX);
		else if (addr_range_parse(w, &a->allowed[a->n_allowed++]) < 0)
			code = err_add(err, ERR_INVALID, -EINVAL, NULL,
				       "--origin-allow: \"%s\": expected an address, a range A-B "
				       "or a prefix without host bits",
				       w);
	}
	free(copy);
	return code;
}

static int fail(struct err *err, const char *address, const char *what)
{
	int code = -errno;

	return err_add(err, ERR_SYSTEM, code, NULL, "--origin-listen %s: %s: %s", address, what,
		       strerror(-code));
}

static int open_udp(struct answerer *a, const struct sockaddr *sa, socklen_t len,
		    const char *address, struct err *err)
{
	int one = 1;

	a->udp = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->udp < 0)
		return fail(err, address, "UDP socket");
	if (sa->sa_family == AF_INET6)
		setsockopt(a->udp, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(a->udp, sa, len) < 0)
		return fail(err, address, "UDP");
	a->readable = event_new(a->base, a->udp, EV_READ | EV_PERSIST, readable_cb, a);
	event_add(a->readable, NULL);
	return 0;
}

static int open_both(struct answerer *a, const char *address, struct err *err)
{
	struct sockaddr_storage ss;
	int len = sizeof(ss), code;

	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&ss, &len) < 0)
		return err_add(err, ERR_INVALID, -EINVAL, NULL,
			       "--origin-listen: \"%s\": expected ADDRESS:PORT", address);
	code = open_udp(a, (struct sockaddr *)&ss, (socklen_t)len, address, err);
	if (code < 0)
		return code;
	a->listener = evconnlistener_new_bind(
		a->base, accepted_cb, a,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
			(ss.ss_family == AF_INET6 ? LEV_OPT_BIND_IPV6ONLY : 0),
		BACKLOG, (struct sockaddr *)&ss, len);
	return a->listener ? 0 : fail(err, address, "TCP");
}

int answerer_new(struct event_base *base, struct engine *e, struct origin *o, const char *address,
		 const char *allow, struct answerer **out, struct err *err)
{
	struct answerer *a = mem_zalloc(sizeof(*a));
	int code;

	a->base = base;
	a->engine = e;
	a->origin = o;
	a->udp = -1;
	TAILQ_INIT(&a->askers);
	code = parse_allow(a, allow, err);
	if (code == 0)
		code = open_both(a, address, err);
	if (code < 0) {
		answerer_free(a);
		return code;
	}
	log_info("api", "backends may ask for the origin of connections at %s", address);
	*out = a;
	return 0;
}

void answerer_free(struct answerer *a)
{
	struct asker *k, *next;

	if (!a)
		return;
	for (k = TAILQ_FIRST(&a->askers); k; k = next) {
		next = TAILQ_NEXT(k, all);
		asker_free(k);
	}
	if (a->listener)
		evconnlistener_free(a->listener);
	if (a->readable)
		event_free(a->readable);
	if (a->udp >= 0)
		close(a->udp);
	free(a);
}
