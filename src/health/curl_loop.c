/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl says which sockets it wants to know of and when it wants to be called; it never waits.
 * What has ended is told after libcurl has returned, so that whoever is told may do with handles
 * what he likes.
 */
#include "health/curl_loop.h"

#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/mem.h"

struct curl_loop {
	CURLM *multi;
	struct event_base *base;
	struct event *timer;
	curl_loop_done_fn *done;
};

static void act(struct curl_loop *l, curl_socket_t fd, int what)
{
	CURLMsg *msg;
	int n;

	curl_multi_socket_action(l->multi, fd, what, &n);
	while ((msg = curl_multi_info_read(l->multi, &n))) {
		if (msg->msg == CURLMSG_DONE)
			l->done(msg->easy_handle, msg->data.result);
	}
}

static void socket_ready_cb(evutil_socket_t fd, short what, void *arg)
{
	act(arg, fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* CURLMOPT_SOCKETFUNCTION; known: our struct event for the socket, or NULL. */
static int watch_cb(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	short events = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
			       (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
	struct curl_loop *l = arg;
	struct event *event = known;

	(void)easy;
	if (event)
		event_del(event);
	if (what == CURL_POLL_REMOVE) {
		free(event);
		return 0;
	}
	if (!event) {
		event = mem_zalloc(sizeof(*event));
		curl_multi_assign(l->multi, fd, event);
	}
	event_assign(event, l->base, fd, events, socket_ready_cb, l);
	event_add(event, NULL);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION */
static int wait_cb(CURLM *multi, long ms, void *arg)
{
	struct curl_loop *l = arg;

	(void)multi;
	if (ms < 0)
		event_del(l->timer);
	else
		event_add(l->timer,
			  &(struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 });
	return 0;
}

struct curl_loop *curl_loop_new(struct event_base *base, curl_loop_done_fn *done)
{
	struct curl_loop *l = mem_zalloc(sizeof(*l));

	l->multi = curl_multi_init();
	if (!l->multi) {
		free(l);
		return NULL;
	}
	l->base = base;
	l->done = done;
	l->timer = event_new(base, -1, 0, timer_cb, l);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, watch_cb);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, wait_cb);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return l;
}

void curl_loop_free(struct curl_loop *l)
{
	if (!l)
		return;
	curl_multi_cleanup(l->multi);
	event_free(l->timer);
	free(l);
}

CURLM *curl_loop_multi(struct curl_loop *l)
{
	return l->multi;
}
