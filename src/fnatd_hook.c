/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program follows the events, as any other reader of them. One runs at a time, and no more than
 * ten are started a second; what changes meanwhile waits, and of one thing that changes again
 * only the last is told. So a program that is slow, or a backend that flaps, makes no queue, and
 * the program always ends up knowing the truth.
 */
#include "fnatd_hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/mem.h"
#include "health/spawn.h"

#define PAUSE_US  100000
#define TIMEOUT_S 30
#define ARGS_MAX  8

struct change {
	struct change *next;
	char *key; /* what it is about */
	char *args[ARGS_MAX];
	size_t n;
};

struct hook {
	struct events *events;
	struct events_listener *listener;
	uint64_t seen;
	char *program;
	struct spawner *spawner;
	struct child *child;
	struct change *first;
	struct event *timer; /* of the pause, or of the program that runs */
};

/* The members of an event that become arguments, in this order; the first `n_key` of them, with the
 * type, say what it is about. */
static const struct {
	const char *type;
	size_t n_key;
	const char *members[ARGS_MAX];
} rows[] = {
	{ "backend_state", 2, { "service", "backend", "before", "state", "reason" } },
	{ "backend_drained", 2, { "service", "backend", "reason" } },
	{ "serving", 2, { "service", "family", "from", "to" } },
	{ "quorum_lost", 1, { "service" } },
	{ "quorum_reached", 1, { "service" } },
};

static void change_free(struct change *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->args[i]);
	free(c->key);
	free(c);
}

static void next(struct hook *h);

static void pause_then_next(struct hook *h, time_t s, suseconds_t us)
{
	event_add(h->timer, &(struct timeval){ .tv_sec = s, .tv_usec = us });
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct hook *h = arg;

	(void)fd;
	(void)what;
	if (h->child) {
		log_warn("hook", "%s took more than %d s and is killed", h->program, TIMEOUT_S);
		child_kill(h->child);
		h->child = NULL;
	}
	next(h);
}

static void done_cb(const struct child_end *end, void *arg)
{
	struct hook *h = arg;

	h->child = NULL;
	if (end->code)
		log_warn("hook", "%s: %s", h->program, strerror(end->code));
	else if (end->status)
		log_warn("hook", "%s: %s %d%s%s", h->program,
			 WIFEXITED(end->status) ? "exit status" : "signal",
			 WIFEXITED(end->status) ? WEXITSTATUS(end->status) : WTERMSIG(end->status),
			 *end->output ? ": " : "", end->output);
	pause_then_next(h, 0, PAUSE_US);
}

static void next(struct hook *h)
{
	static const char *const envp[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
	};
	const char *argv[ARGS_MAX + 2] = { h->program };
	struct change *c = h->first;

	if (!c)
		return;
	h->first = c->next;
	for (size_t i = 0; i < c->n; i++)
		argv[i + 1] = c->args[i];
	h->child = spawn(h->spawner, h->program, argv, envp, done_cb, h);
	if (!h->child)
		log_warn("hook", "%s: %s", h->program, strerror(errno));
	change_free(c);
	pause_then_next(h, h->child ? TIMEOUT_S : 0, h->child ? 0 : PAUSE_US);
}

/* At the end; what says the same about the same thing, but older, goes. */
static void enqueue(struct hook *h, struct change *c)
{
	struct change **at = &h->first;

	while (*at) {
		struct change *old = *at;

		if (strcmp(old->key, c->key) == 0) {
			*at = old->next;
			change_free(old);
		} else {
			at = &old->next;
		}
	}
	*at = c;
	if (!h->child && !evtimer_pending(h->timer, NULL))
		next(h);
}

static struct change *change_of(const json_t *event, size_t row)
{
	struct change *c = mem_zalloc(sizeof(*c));
	/* Whether a quorum is lost or reached is one thing. */
	char *key =
		mem_strdup(strncmp(rows[row].type, "quorum", 6) == 0 ? "quorum" : rows[row].type);

	c->args[c->n++] = mem_strdup(rows[row].type);
	for (size_t i = 0; rows[row].members[i]; i++) {
		const char *text = json_string_value(json_object_get(event, rows[row].members[i]));
		char *longer =
			i < rows[row].n_key ? mem_printf("%s/%s", key, text ? text : "") : NULL;

		c->args[c->n++] = mem_strdup(text ? text : "");
		if (longer) {
			free(key);
			key = longer;
		}
	}
	c->key = key;
	return c;
}

static void events_cb(void *arg)
{
	struct hook *h = arg;
	struct event_line line;

	while (events_next(h->events, h->seen, &line)) {
		h->seen = line.number;
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			json_t *event;

			if (strcmp(line.type, rows[i].type) != 0)
				continue;
			event = json_loadb(line.json, line.len, 0, NULL);
			enqueue(h, change_of(event, i));
			json_decref(event);
			break;
		}
	}
}

struct hook *hook_new(struct event_base *base, struct events *events, const char *program)
{
	struct hook *h = mem_zalloc(sizeof(*h));

	h->spawner = spawner_new(base);
	if (!h->spawner) {
		log_error("hook", "%s is not run: no thread: %s", program, strerror(errno));
		free(h);
		return NULL;
	}
	h->program = mem_strdup(program);
	h->events = events;
	h->timer = event_new(base, -1, 0, timer_cb, h);
	h->listener = events_listen(events, events_cb, h);
	return h;
}

void hook_free(struct hook *h)
{
	if (!h)
		return;
	events_unlisten(h->events, h->listener);
	spawner_free(h->spawner);
	event_free(h->timer);
	while (h->first) {
		struct change *c = h->first;

		h->first = c->next;
		change_free(c);
	}
	free(h->program);
	free(h);
}
