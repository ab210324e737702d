/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread for work that is too long for the loop: reading a document of
 * megabytes.
 */
#ifndef FNAT_API_WORKER_H
#define FNAT_API_WORKER_H

#include <event2/event.h>

struct worker;

/* The thread starts with the first job. */
struct worker *worker_new(struct event_base *base);
/* Waits until all jobs are done (done() is called on this stack). */
void worker_free(struct worker *w);

/* work(arg) on the thread, then done(arg) on the loop. */
void worker_run(struct worker *w, void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif
