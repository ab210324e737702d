/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A question in one datagram and its answer, for types of probes that work that way. The socket
 * of a backend stays open from one question to the next: to make one each time costs more
 * than the question.
 */
#ifndef FNAT_HEALTH_PROBE_DATAGRAM_H
#define FNAT_HEALTH_PROBE_DATAGRAM_H

#include <event2/event_struct.h>

#include "health/probe.h"

#define DATAGRAM_BYTES 4096 /* of an answer; what is longer is cut */

struct datagram;

/* An answer came (len bytes), while a question is open: calls probe_done(), or leaves it and waits
 * on because this was not the answer. */
typedef void datagram_answer_fn(struct datagram *d, const uint8_t *answer, size_t len);

/* First in the struct of a type. */
struct datagram {
	struct probe probe;
	struct event event;
	int fd; /* as fd + 1; 0: none is open */
	datagram_answer_fn *answer;
};

/* Send it. What goes wrong ends the probe. */
void datagram_ask(struct datagram *d, const void *question, size_t len, datagram_answer_fn *answer);

/* It has its answer; call before probe_done(). */
void datagram_answered(struct datagram *d);

/* cancel() and fini() of such types. */
void datagram_cancel(struct probe *p);
void datagram_fini(struct probe *p);

#endif
