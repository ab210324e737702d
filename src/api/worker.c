/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs go to the thread and come back through mailboxes. Most daemons never see a
 * document large enough, so the thread is made when it is first needed.
 */
#include "api/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mailbox.h"
#include "base/mem.h"

struct job {
	void (*work)(void *arg); /* NULL: the end */
	void (*done)(void *arg);
	void *arg;
};

struct worker {
	struct mailbox *to, *from;
	struct event *event;
	pthread_t thread;
	bool is_running;
};

static void *run(void *arg)
{
	struct worker *w = arg;
	struct job *job;

	for (;;) {
		job = mailbox_take(w->to, -1);
		if (!job)
			continue;
		if (!job->work) {
			free(job);
			return NULL;
		}
		job->work(job->arg);
		mailbox_put(w->from, job);
	}
}

static void finish(struct worker *w)
{
	struct job *job;

	while ((job = mailbox_try_take(w->from))) {
		job->done(job->arg);
		free(job);
	}
}

static void done_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	finish(arg);
}

struct worker *worker_new(struct event_base *base)
{
	struct worker *w = mem_zalloc(sizeof(*w));

	w->to = mailbox_new();
	w->from = mailbox_new();
	w->event = event_new(base, mailbox_fd(w->from), EV_READ | EV_PERSIST, done_cb, w);
	event_add(w->event, NULL);
	return w;
}

static void submit(struct worker *w, struct job job)
{
	struct job *copy = mem_alloc(sizeof(*copy));

	*copy = job;
	mailbox_put(w->to, copy);
}

void worker_run(struct worker *w, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	if (!w->is_running)
		w->is_running = pthread_create(&w->thread, NULL, run, w) == 0;
	if (w->is_running) {
		submit(w, (struct job){ work, done, arg });
		return;
	}
	work(arg); /* no thread to be had: late is better than never */
	done(arg);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	if (w->is_running) {
		submit(w, (struct job){ 0 });
		pthread_join(w->thread, NULL);
	}
	finish(w);
	event_free(w->event);
	mailbox_free(w->to);
	mailbox_free(w->from);
	free(w);
}
